"""A ribbon-cable (CSI) camera of a Raspberry Pi, read by the Python package picamera2.

This runs in a Python that has the package (csi_ways.find_python), which may be another than that of the rest: nothing
here may need more than numpy, which picamera2 needs too. By the source of picamera2 0.3.12 to 0.3.36.
"""

from __future__ import annotations

import contextlib
import importlib
import time
from dataclasses import replace
from typing import Any

import numpy as np

from zlfeed.errors import CameraError
from zlfeed.publisher.camera import picamera_controls as controls
from zlfeed.publisher.camera import rpicam
from zlfeed.publisher.camera.csi_ways import holder
from zlfeed.publisher.camera.records import ControlSet, Request
from zlfeed.publisher.camera.sensor_time import age_ns
from zlfeed.publisher.camera.source import ControlRefused, Opened, Stamp
from zlfeed.publisher.picture.i420 import Plane, split

DEFAULT_SIZE = (640, 480)
DEFAULT_FPS = 30.0
_BUSY_S, _BUSY_TRIES = 0.3, 3
"""A program that has just been ended may hold the camera for a moment."""

# Where a camera gives full range all the same (see csi.py).
_LUMA = np.rint(np.arange(256) * 219 / 255 + 16).astype(np.uint8)
_CHROMA = np.rint(np.arange(256) * 224 / 255 + (128 - 128 * 224 / 255)).astype(np.uint8)


def load() -> Any:
    """picamera2, which takes a second or more on a small Pi. Raises CameraError."""
    try:
        return importlib.import_module("picamera2")
    except Exception as error:  # it loads libcamera, and much that may not fit the numpy that is here
        reason = f"{type(error).__name__}: {error}"
        raise CameraError(f"picamera2 cannot be loaded ({reason}): sudo apt install python3-picamera2") from None


class PicameraSource:
    """Reads pictures from picamera2's buffers; a picture's time is its first row's read-out."""

    answers: list[ControlSet]
    """What came of controls that were set, as a later picture told."""

    def __init__(self, request: Request) -> None:
        """Opens the camera and waits for its first picture. Raises CameraError."""
        self._picamera2 = load()
        self._libcamera = importlib.import_module("libcamera")
        self.answers = []
        self._expected: list[controls.Expected] = []
        self._delay_ns = 0
        number = int(request.spec.target)
        self._camera, sensor = self._open(number)
        try:
            self._configure(request)
            self.opened = self._start(f"{sensor} (csi:{number})", request)
        except Exception as error:
            self.close()
            if isinstance(error, CameraError):
                raise
            raise CameraError(f"the camera csi:{number} gives no picture: picamera2: {error}") from None

    def _open(self, number: int) -> tuple[Any, str]:
        """The camera, which is ours then, and the sensor's name."""
        found = self._picamera2.Picamera2.global_camera_info()
        ours = [index for index, camera in enumerate(found) if "/usb" not in camera.get("Id", "")]
        if number >= len(ours):
            error = "selected camera is not available" if ours else "no cameras available"
            raise CameraError(rpicam.why_not(rpicam.Talk(error=error), number, "", ""))
        at = ours[number]
        for attempt in range(_BUSY_TRIES + 1):
            try:
                return self._picamera2.Picamera2(at), found[at].get("Model") or "camera"
            except RuntimeError as error:
                words = _words(error)
                if not ("busy" in words.lower() or "acquire" in words):
                    raise CameraError(f"the camera csi:{number} cannot be opened: picamera2: {words}") from None
                if (held_by := holder()) or attempt == _BUSY_TRIES:
                    raise CameraError(rpicam.why_not(rpicam.Talk(busy=True), number, held_by, "")) from None
            time.sleep(_BUSY_S)
        raise AssertionError

    def _configure(self, request: Request) -> None:
        camera, fps = self._camera, request.fps or DEFAULT_FPS
        self._controls = {
            control.name: control for control in controls.controls_of(camera.camera_controls, request.controls)
        }
        duration = round(1e6 / fps)
        asked: dict[str, Any] = {"FrameDurationLimits": (duration, duration)}
        if "autofocus" in self._controls:
            asked["AfMode"] = controls.setting(self._controls["autofocus"], controls.DEFAULT)[1]
        if request.controls.get("focus", "default") != "default" and "focus" in self._controls:
            asked["AfMode"] = 0  # as rpicam-vid does with --lens-position
            self._controls["autofocus"] = replace(self._controls["autofocus"], value="manual")
        for name, value in request.controls.items():
            # What was kept of another camera may not be for this one: passed over, and its value tells.
            with contextlib.suppress(KeyError, ControlRefused):
                asked.update([controls.setting(self._controls[name], value or controls.DEFAULT)])
        camera.configure(
            camera.create_video_configuration(
                main={"format": "YUV420", "size": request.size or DEFAULT_SIZE},
                # Limited range, BT.601: what the chain and players without a colour tag take pictures for.
                colour_space=self._libcamera.ColorSpace.Smpte170m(),
                buffer_count=rpicam.BUFFERS,
                controls={name: value for name, value in asked.items() if name in camera.camera_controls},
                display=None,
                encode=None,
            )
        )

    def _start(self, name: str, request: Request) -> Opened:
        """Has the camera running, with what it turned out to give."""
        camera = self._camera
        given = camera.camera_configuration()
        self._size = width, height = rpicam.checked_size(None, tuple(given["main"]["size"]))
        self._stride = int(given["main"]["stride"])
        full = self._libcamera.ColorSpace.Range.Full
        self._full_range = getattr(given["colour_space"], "range", None) == full
        shortest = camera.camera_controls.get("FrameDurationLimits", (None,))[0]
        fps, how = rpicam.rate_given(request.fps or DEFAULT_FPS, shortest)
        camera.start()
        told = self._metadata()
        self._controls = {name: controls.as_told(control, told) for name, control in self._controls.items()}
        if request.size and (width, height) != request.size:
            how += f", the nearest to {request.size[0]}x{request.size[1]}"
        return Opened(
            width,
            height,
            fps,
            f"{name} {width}x{height} YUV420 {how}",
            controls=tuple(self._controls.values()),
            sensor_time=True,
        )

    def _metadata(self) -> dict[str, Any]:
        """What the next picture is told with."""
        request = self._camera.capture_request()
        try:
            found: dict[str, Any] = request.get_metadata()
            return found
        finally:
            request.release()

    def close(self) -> None:
        """Closes the camera, as far as that still goes."""
        camera = self._camera
        with contextlib.suppress(Exception):  # a camera that has gone cannot be closed in order
            camera.cancel_all_and_flush()
        with contextlib.suppress(Exception):
            camera.close()

    def read(self, into: Plane) -> Stamp:
        """Waits for the next picture and writes it into `into` without its padding. Raises CameraError."""
        request = self._camera.capture_request()
        try:
            now_ns, wall_us = time.monotonic_ns(), time.time_ns() // 1000
            told = request.get_metadata()
            with self._picamera2.MappedArray(request, "main", reshape=False) as mapped:
                self._copy(mapped.array, into)
        finally:
            request.release()
        self._hear(told)
        age = age_ns(int(told["SensorTimestamp"]), now_ns) if "SensorTimestamp" in told else None
        self._delay_ns = self._delay_ns if age is None else age
        return Stamp(wall_us - self._delay_ns // 1000, now_ns - self._delay_ns)

    def _copy(self, buffer: Plane, into: Plane) -> None:
        """The picture without its padding: rows of luma, then of U and of V, which are half as long."""
        (width, height), stride = self._size, self._stride
        luma, chroma = stride * height, stride // 2 * (height // 2)
        source = (
            buffer[:luma].reshape(height, stride)[:, :width],
            buffer[luma : luma + chroma].reshape(height // 2, stride // 2)[:, : width // 2],
            buffer[luma + chroma : luma + 2 * chroma].reshape(height // 2, stride // 2)[:, : width // 2],
        )
        for plane, target, table in zip(source, split(into, width, height), (_LUMA, _CHROMA, _CHROMA), strict=True):
            target[:] = table[plane] if self._full_range else plane

    # ------------------------------------------------------------ controls

    def set_control(self, name: str, value: str) -> None:
        """Sets a control; a later picture tells what came of it, in `answers`. Raises ControlRefused."""
        control = self._controls.get(name)
        if control is None:
            raise ControlRefused(f"this camera has no control {name!r}")
        theirs, number = controls.setting(control, value)
        if name == "focus" and self._controls["autofocus"].value != "manual":
            raise ControlRefused("focus is the camera's own to set just now: set autofocus to manual first")
        try:
            self._camera.set_controls({theirs: number})
        except RuntimeError as error:
            raise ControlRefused(f"the camera does not take that {name} ({error})") from None
        self._expected = [other for other in self._expected if other.control.name != name]
        self._expected.append(controls.Expected(control, value, theirs, number))

    def _hear(self, told: dict[str, Any]) -> None:
        """Takes in what a picture tells of controls that were set."""
        for expected in tuple(self._expected):
            if (value := expected.told(told)) is not None:
                name = expected.control.name
                self._expected.remove(expected)
                self._controls[name] = replace(self._controls[name], value=value)
                self.answers.append(ControlSet(name, value))


def _words(error: BaseException | None) -> str:
    """What went wrong, with what it came from: picamera2 wraps libcamera's words twice."""
    said: list[str] = []
    while error is not None and len(said) < 4:
        said.append(str(error))
        error = error.__cause__
    return ": ".join(dict.fromkeys(said))
