"""A camera that the system knows as a video device, read by OpenCV."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from dataclasses import replace

import cv2

from zlfeed.errors import CameraError
from zlfeed.publisher.camera import v4l2
from zlfeed.publisher.camera.facts import Mode, choose
from zlfeed.publisher.camera.holders import holders_text
from zlfeed.publisher.camera.live import Capture, LiveSource
from zlfeed.publisher.camera.records import Request
from zlfeed.publisher.camera.source import ControlRefused

_DEFAULT_SIZE = (640, 480)
_DEFAULT_FPS = 30.0
_BUFFERS = 2
"""With one, the driver has nowhere to put the next picture while this one is read; OpenCV's four may be that old."""


class DeviceSource(LiveSource):
    """A V4L2 device: what a capture gives, and controls that can be set beside it."""

    path = ""

    def set_control(self, name: str, value: str) -> str:
        """Sets a control of the device, whose pictures go on; its value as read back. Raises ControlRefused."""
        v4l2_query = v4l2.asking()
        if v4l2_query is None:
            raise ControlRefused(f"{name} cannot be set without linuxpy: pip install linuxpy")
        return str(v4l2_query.set_control(self.path, name, value))


def open_device(request: Request) -> LiveSource:
    """Opens the device that is asked for. Raises CameraError that says why not."""
    target = request.spec.target
    if sys.platform.startswith("linux"):
        path = v4l2.device_path(target)
        return _open_v4l2(request, path, v4l2.query(path))
    backend = cv2.CAP_DSHOW if sys.platform == "win32" else cv2.CAP_ANY
    where = int(target) if target.isdigit() else target
    return read_device(request, lambda: cv2.VideoCapture(where, backend), f"camera {target}", "")


def _open_v4l2(request: Request, path: str, card: str) -> LiveSource:
    v4l2_query = v4l2.asking()
    if v4l2_query is None:
        return read_device(request, lambda: cv2.VideoCapture(path, cv2.CAP_V4L2), path, card)
    modes: list[Mode] = []
    with contextlib.suppress(OSError):  # a driver that cannot list them may still give pictures
        modes = v4l2_query.modes(path)
    for _ in range(2):  # what is refused while the camera sets it by itself goes once that is switched off
        for name, value in request.controls.items():
            with contextlib.suppress(OSError, ControlRefused):  # its value, as read back below, tells
                v4l2_query.set_control(path, name, value)
    size, fps = request.size or _DEFAULT_SIZE, request.fps or _DEFAULT_FPS
    # A USB bus that is full refuses the first choice, uncompressed pictures, only when it is to stream.
    tries: list[Mode | None] = [*choose(modes, size, fps)] or [None]
    for number, mode in enumerate(tries):
        try:
            source = read_device(request, lambda: cv2.VideoCapture(path, cv2.CAP_V4L2), path, card, mode)
        except CameraError:
            if number == len(tries) - 1:
                raise
            continue
        source.path = path
        with contextlib.suppress(OSError):
            source.opened = replace(source.opened, controls=tuple(v4l2_query.controls(path)))
        return source
    raise AssertionError


def read_device(
    request: Request, open_capture: Callable[[], Capture], path: str, card: str, mode: Mode | None = None
) -> DeviceSource:
    """Sets the capture up and reads its first picture.

    `card` is the camera's own name, "" if unknown; `mode` is the one to ask for, None if none is known.
    """

    def nothing() -> CameraError:
        # Whoever has it open need not be the reason (a sound server opens cameras too, and does not read them).
        if others := holders_text(path):
            return CameraError(
                f"the camera {path} gives no picture while {others} has it open: end that, or name another one"
            )
        return CameraError(
            f"the camera {path} gives no picture: unplug it and plug it in again, or name another with --camera"
        )

    capture = open_capture()
    if not capture.isOpened():
        raise nothing()
    asked = request.fps or _DEFAULT_FPS
    # The format before the size: OpenCV tries YUYV first, which USB 2 carries at 10 fps in 720p where MJPG has 30. A
    # camera without the one asked for keeps what it has.
    width, height = (mode.width, mode.height) if mode else request.size or _DEFAULT_SIZE
    for prop, value in (
        (cv2.CAP_PROP_FOURCC, float(cv2.VideoWriter.fourcc(*(mode.format if mode else "MJPG")))),
        (cv2.CAP_PROP_FRAME_WIDTH, float(width)),
        (cv2.CAP_PROP_FRAME_HEIGHT, float(height)),
        (cv2.CAP_PROP_FPS, asked),
        (cv2.CAP_PROP_BUFFERSIZE, float(_BUFFERS)),
    ):
        capture.set(prop, value)
    fourcc = fourcc_text(capture.get(cv2.CAP_PROP_FOURCC))

    def describe(columns: int, rows: int, fps: float | None) -> str:
        name = f"{card} ({path})" if card else path
        rate = f"at {fps:g} fps" if fps else ""
        if fps and request.fps and fps < 0.98 * request.fps:
            rate += f", the most it has there for the {request.fps:g} asked"
        return " ".join(filter(None, (name, f"{columns}x{rows}", fourcc, rate)))

    try:
        return DeviceSource(
            capture,
            size=request.size,
            fps=request.fps,
            reported_fps=capture.get(cv2.CAP_PROP_FPS),
            describe=describe,
            no_picture=nothing,
            stamped=sys.platform.startswith("linux"),
        )
    except CameraError:
        capture.release()
        raise


def fourcc_text(value: float) -> str:
    """A pixel format's four letters, e.g. "MJPG"; "" when it is none."""
    if not 0 < value < 1 << 32:
        return ""
    letters = int(value).to_bytes(4, "little").decode("latin-1").strip()
    return letters if letters.isprintable() and letters.isascii() else ""
