"""The API of picamera2 0.3.36 as far as zlfeed uses it: its signatures, what it refuses and with which words.

Pictures are those of the stand-in rpicam-vid (a slanting edge that a wrong stride shears), in limited range. Controls
act on them and are told in the metadata as the Raspberry Pi's IPA does: most once, with the picture they were set for.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import libcamera  # type: ignore[import-not-found]
import numpy as np

_BEHAVIOUR: dict[str, Any] = json.loads(Path(os.environ["STANDIN_PICAMERA2"]).read_text())
time.sleep(_BEHAVIOUR.get("import_s", 0.0))
if _BEHAVIOUR.get("fail") == "import":
    raise ValueError("numpy.dtype size changed, may indicate binary incompatibility")

_CONTROLS: dict[str, tuple[Any, Any, Any]] = {
    "AeEnable": (False, True, True),
    "AeExposureMode": (0, 3, 0),
    "AeMeteringMode": (0, 3, 0),
    "AfMode": (0, 2, 0),
    "AnalogueGain": (1.0, 16.0, 1.0),
    "AwbMode": (0, 7, 0),
    "Brightness": (-1.0, 1.0, 0.0),
    "ColourGains": (0.0, 32.0, None),
    "Contrast": (0.0, 32.0, 1.0),
    "ExposureTime": (26, 220417486, 20000),
    "ExposureValue": (-8.0, 8.0, 0.0),
    "FrameDurationLimits": (8333, 220535845, 33333),
    "LensPosition": (0.0, 32.0, 1.0),
    "NoiseReductionMode": (0, 4, 0),
    "Saturation": (0.0, 32.0, 1.0),
    "ScalerCrop": ((0, 0, 0, 0), (65535, 65535, 65535, 65535), (0, 0, 0, 0)),
    "Sharpness": (0.0, 16.0, 1.0),
}
_STREAM_KEYS = ("format", "size", "stride", "preserve_ar")
_TOLD_ONCE = (
    "Brightness", "Contrast", "Saturation", "Sharpness", "ExposureValue", "AeExposureMode", "AeMeteringMode", "AwbMode",
    "NoiseReductionMode",
)  # fmt: skip
_SENSOR_DELAY = 2
"""So many pictures after it was set the sensor follows."""


def _as_float32(value: Any) -> Any:
    return float(np.float32(value)) if isinstance(value, float) else value


class CompletedRequest:
    """A picture with its metadata; to be released, or the camera runs out of buffers."""

    def __init__(self, camera: Picamera2, buffer: Any, metadata: dict[str, Any]) -> None:
        self._camera, self._buffer, self._metadata = camera, buffer, metadata
        self.ref_count = 1
        self.config = camera.camera_configuration().copy()

    def get_metadata(self) -> dict[str, Any]:
        """As a dictionary by name."""
        return dict(self._metadata)

    def release(self) -> None:
        """Gives the buffer back."""
        self.ref_count -= 1
        if self.ref_count < 0:
            raise RuntimeError("CompletedRequest: lock now has negative ref_count")
        self._camera.free.release()


class MappedArray:
    """The picture's memory, while it is entered."""

    def __init__(self, request: CompletedRequest, stream: str, reshape: bool = True, write: bool = True) -> None:
        self._request, self._config, self._reshape = request, request.config[stream], reshape
        self._array: Any = None

    def __enter__(self) -> MappedArray:
        if self._request.ref_count < 1:
            raise RuntimeError("failed to find buffer")
        self._array = self._request._buffer
        if self._reshape:
            self._array = self._array.reshape(self._config["size"][1] * 3 // 2, self._config["stride"])
        return self

    def __exit__(self, *_: object) -> None:
        self._array = None

    @property
    def array(self) -> Any:
        """Bytes, or rows of them with their padding."""
        return self._array


class Picamera2:
    """A camera."""

    _open: ClassVar[set[int]] = set()

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        """The cameras that are there; USB cameras last."""
        sensor = _BEHAVIOUR.get("sensor", "imx708")
        ours = [
            {"Model": sensor, "Location": 2, "Rotation": 180, "Id": f"/base/soc/i2c0mux/i2c@{n}/{sensor}@1a", "Num": n}
            for n in range(_BEHAVIOUR.get("cameras", 1))
        ]
        usb = {"Model": "UVC Camera", "Location": 2, "Id": "/base/scb/pcie@7d500000/usb@0,0-1:1.0-046d:082d", "Num": 9}
        return [*ours, usb]

    def __init__(
        self, camera_num: int = 0, verbose_console: Any = None, tuning: Any = None, allocator: Any = None
    ) -> None:
        self.global_camera_info()[camera_num]
        if _BEHAVIOUR.get("fail") == "busy" or camera_num in self._open:
            cause = RuntimeError("Failed to acquire camera: Device or resource busy")
            raise RuntimeError("Camera __init__ sequence did not complete.") from cause
        self._open.add(camera_num)
        self._number = camera_num
        self._config: dict[str, Any] = {}
        self._started = False
        self._set: dict[str, Any] = {}
        self._applied: dict[str, Any] = {}
        self._history: list[dict[str, Any]] = []
        self._taken = 0
        self._pictures: dict[int, Any] = {}
        self._lock = threading.Lock()

    @property
    def camera_properties(self) -> dict[str, Any]:
        """Of the sensor."""
        return {"Model": _BEHAVIOUR.get("sensor", "imx708"), "ColorFilterArrangement": 0}

    @property
    def camera_controls(self) -> dict[str, tuple[Any, Any, Any]]:
        """Lowest, highest and default value by name."""
        shortest = round(1e6 / _BEHAVIOUR.get("most_fps", 120))
        lens = _BEHAVIOUR.get("sensor", "imx708") == "imx708"
        found = {name: told for name, told in _CONTROLS.items() if lens or name not in ("AfMode", "LensPosition")}
        return {**found, "FrameDurationLimits": (shortest, 220535845, 33333)}

    def create_video_configuration(
        self,
        main: dict[str, Any] = {},  # noqa: B006
        lores: Any = None,
        raw: dict[str, Any] = {},  # noqa: B006
        transform: Any = libcamera.Transform(),  # noqa: B008
        colour_space: Any = None,
        buffer_count: int = 6,
        controls: dict[str, Any] = {},  # noqa: B006
        display: str | None = "main",
        encode: str | None = "main",
        queue: bool = True,
        sensor: dict[str, Any] = {},  # noqa: B006
        use_case: str = "video",
    ) -> dict[str, Any]:
        """A configuration."""
        stream: dict[str, Any] = {"format": "XBGR8888", "size": (1280, 720), "preserve_ar": True}
        for key, value in main.items():
            if key not in _STREAM_KEYS:
                raise ValueError(f"Bad key {key!r}: valid stream configuration keys are {_STREAM_KEYS}")
            stream[key] = value
        for name in (display, encode):
            if name is not None and name != "main":
                raise RuntimeError(f"Display stream {name} was not defined")
        return {
            "use_case": use_case, "transform": transform, "colour_space": colour_space or libcamera.ColorSpace.Rec709(),
            "buffer_count": buffer_count, "queue": queue, "main": stream, "lores": lores, "raw": raw,
            "controls": {"NoiseReductionMode": 1, "FrameDurationLimits": (33333, 33333), **controls},
            "sensor": sensor, "display": display, "encode": encode,
        }  # fmt: skip

    def configure(self, camera_config: Any = None) -> None:
        """Has libcamera take it, which may adjust it."""
        if self._started:
            raise RuntimeError("Camera must be stopped before configuring")
        config, main = dict(camera_config), dict(camera_config["main"])
        if not isinstance(config["colour_space"], libcamera.ColorSpace):
            raise RuntimeError("Colour space has incorrect type")
        if type(main["size"]) is not tuple or len(main["size"]) != 2:
            raise RuntimeError("size in main stream should be (width, height)")
        if main["size"][0] % 2 or main["size"][1] % 2:
            raise RuntimeError("width and height should be even")
        main["size"] = tuple(_BEHAVIOUR.get("only", main["size"]))
        width, height = main["size"]
        align = _BEHAVIOUR.get("align", 64)
        main["stride"] = math.ceil(width / align) * align
        main["framesize"] = main["stride"] * height * 3 // 2
        if _BEHAVIOUR.get("full"):
            config["colour_space"] = libcamera.ColorSpace.Sycc()
        self._config = {**config, "main": main}
        self.free = threading.Semaphore(config["buffer_count"])
        self.set_controls(config["controls"])

    def camera_configuration(self) -> dict[str, Any]:
        """As it was taken."""
        return self._config

    def start(self, config: Any = None, show_preview: Any = False) -> None:
        """Has it running."""
        if not self._config:
            raise RuntimeError("Camera has not been configured")
        if _BEHAVIOUR.get("fail") == "start":
            raise RuntimeError("Failed to start camera: Invalid argument")
        self._applied, self._set = dict(self._set), {}
        self._history = [dict(self._applied)]
        self._started = True
        self._due = time.monotonic()

    def set_controls(self, controls: dict[str, Any]) -> None:
        """To be delivered with the next request that is queued."""
        for name in controls:
            if name not in self.camera_controls:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")
        if self._started and (log := _BEHAVIOUR.get("log")):
            with open(log, "a") as file:
                file.write(json.dumps(controls) + "\n")
        with self._lock:
            self._set.update(controls)

    def capture_request(self, wait: Any = None, signal_function: Any = None, flush: Any = None) -> CompletedRequest:
        """The next picture."""
        if not self._started:
            raise RuntimeError("Camera has not been started")
        if _BEHAVIOUR.get("frames") and self._taken >= _BEHAVIOUR["frames"] and _BEHAVIOUR.get("fail") == "hang":
            time.sleep(600)
        if not self.free.acquire(timeout=5):
            raise RuntimeError("no buffer was given back")
        with self._lock:
            news, self._set = self._set, {}
        self._applied.update(news)
        self._history = [*self._history[-_SENSOR_DELAY:], dict(self._applied)]
        period = self._applied["FrameDurationLimits"][0] / 1e6
        self._due = max(self._due + period, time.monotonic() - period)
        time.sleep(max(0.0, self._due - time.monotonic()))
        sensor_ns = time.monotonic_ns() - _BEHAVIOUR.get("age_ms", 9) * 1_000_000
        then = self._history[0]
        exposure, gain = then.get("ExposureTime") or 9_998, then.get("AnalogueGain") or 1.5
        metadata = {
            "SensorTimestamp": sensor_ns, "FrameDuration": round(period * 1e6), "ColourGains": (1.5, 1.9),
            "ExposureTime": exposure - exposure % 29, "AnalogueGain": round(gain * 16) / 16,
            "LensPosition": then.get("LensPosition", 1.0),
            **{name: _as_float32(value) for name, value in news.items() if name in _TOLD_ONCE},
        }  # fmt: skip
        self._taken += 1
        return CompletedRequest(self, self._picture(), metadata)

    def _picture(self) -> Any:
        """Rows with padding that would glare, brighter as Brightness says."""
        (width, height), stride = self._config["main"]["size"], self._config["main"]["stride"]
        full = self._config["colour_space"].range == libcamera.ColorSpace.Range.Full
        bright, dark, u, v = (230, 60, 100, 160) if full else (214, 68, 103, 156)
        lift = round(self._applied.get("Brightness", 0.0) * 40)
        if lift in self._pictures:
            return self._pictures[lift]
        rows, columns = np.indices((height, stride))
        luma = np.where(columns < rows * width // height, bright + lift, dark + lift).astype(np.uint8)
        luma[:, width:] = 255
        chroma = np.full((2, height // 2, stride // 2), 255, np.uint8)
        chroma[0, :, : width // 2], chroma[1, :, : width // 2] = u, v
        self._pictures[lift] = np.concatenate([luma.reshape(-1), chroma.reshape(-1)])
        return self._pictures[lift]

    def cancel_all_and_flush(self) -> None:
        """Ends what waits."""

    def stop(self) -> None:
        """Has it stand still."""
        self._started = False

    def close(self) -> None:
        """Gives it free."""
        self.stop()
        self._open.discard(self._number)
