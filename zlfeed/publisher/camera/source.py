"""What a camera is called, what was opened, and what a source must be able to do. No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from zlfeed.errors import UsageError
from zlfeed.model import Control

if TYPE_CHECKING:
    from zlfeed.publisher.picture.i420 import Plane

KINDS = "auto, test, a device number or /dev/videoN, csi[:N], a video file or a folder of them, or an rtsp:// URL"
CSI_BACKENDS = ("rpicam", "picamera2")
"""What can read a CSI camera: the program rpicam-vid, or the Python package. `csi` takes the fitter one."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)

DEFAULT_FPS = 30.0
"""Where nobody says a rate."""


@dataclass(frozen=True, slots=True)
class CameraSpec:
    """A camera as the user named it. `kind` is auto, test, device, file, csi or rtsp.

    `target` is "0" or "/dev/video0" for a device, a path for a file, "0" or "1" for csi, a URL for rtsp, else "".
    """

    name: str
    kind: str
    target: str
    once: bool = False
    """Of a file or a folder: it ends where it ends, instead of beginning again."""
    backend: str = ""
    """What reads a CSI camera, "rpicam" or "picamera2"; empty: the fitter of those that are here, by trial."""
    besides: tuple[str, ...] = ()
    """Of `auto`: cameras that others have, as device paths and "csi:0"."""

    @property
    def text(self) -> str:
        """The source for people, as it would be typed, without a URL's credentials."""
        if self.kind in ("auto", "test"):
            return self.kind
        if self.kind == "csi":
            return f"csi:{self.target}"
        return re.sub(r"(?<=://)[^/@\s]+@", "***@", self.target)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a camera gives, as read back: pixels (both even), pictures a second or None when it does not say."""

    width: int
    height: int
    fps: float | None
    description: str
    controls: Sequence[Control] = ()
    """What can be set on the camera itself, with ranges and values."""
    live_controls: bool = True
    """Whether that goes while it is open; else it is opened anew."""
    sensor_time: bool = False
    """Whether a CSI picture's time is the sensor's, not that of its arrival."""


class FrameInfo(NamedTuple):
    """One picture: its number since the start, and when it was captured by both clocks."""

    seq: int
    captured_us: int
    """Wall clock, µs since 1970 UTC."""
    captured_ns: int
    """time.monotonic_ns() of this machine."""


class Stamp(NamedTuple):
    """When a picture was captured: wall clock in µs, monotonic clock in ns."""

    wall_us: int
    monotonic_ns: int


class ControlRefused(Exception):
    """Why a camera does not take a value: a sentence for the person."""


class Source(Protocol):
    """A camera as its process reads it; any method may block, any may raise CameraError."""

    opened: Opened

    # A camera whose controls can be set while it is open also has set_control(name, value), which returns the value
    # read back and raises ControlRefused; it returns None when only a later picture tells, and puts what came of it
    # into the list `answers`. One that must be closed in order has close().

    def read(self, into: Plane) -> Stamp:
        """Waits for the next picture and writes it into `into`, I420 of shape (height·3/2, width)."""


def parse_camera(text: str, default_name: str) -> CameraSpec:
    """`[NAME=]SRC` as the user typed it; without NAME it is called `default_name`.

    A file whose name holds an equals sign is written with its folder: ./a=b.mp4. Raises UsageError.
    """
    name, source = default_name, text.strip()
    before, equals, after = source.partition("=")
    if equals and _NAME.fullmatch(before):
        name, source = before, after.strip()
    if not source:
        raise UsageError(f"--camera {text!r} names no source; a source is {KINDS}")
    kind, target = _kind(source)
    backend = source.partition(":")[0] if kind == "csi" else ""
    return CameraSpec(name, kind, target, backend=backend if backend in CSI_BACKENDS else "")


def _kind(source: str) -> tuple[str, str]:
    if source in ("auto", "test"):
        return source, ""
    if source.isascii() and source.isdigit():
        return "device", str(int(source))
    if source.startswith("/dev/") and not source.startswith("/dev/shm/"):
        return "device", source
    if match := re.fullmatch(rf"(csi|{'|'.join(CSI_BACKENDS)})(?::(.*))?", source, re.DOTALL):
        number = match[2] or "0"
        if match[2] == "" or not re.fullmatch(r"[0-9]{1,2}", number):
            raise UsageError(f"--camera {source!r}: a CSI camera is {match[1]}, {match[1]}:0 or {match[1]}:1")
        return "csi", str(int(number))
    if match := _URL.fullmatch(source):
        scheme, rest = match[1].lower(), match[2]
        if scheme not in ("rtsp", "rtsps"):
            raise UsageError(f"--camera cannot read {scheme}:// URLs; a source is {KINDS}")
        if not re.match(r"([^/@\s]*@)?(\[[0-9A-Fa-f:.%]+\]|[^/:@\s\[\]]+)(:\d{1,5})?(/|\?|$)", rest):
            raise UsageError(f"--camera {source!r} is no RTSP URL; one looks like rtsp://HOST:554/path")
        return "rtsp", source
    if re.fullmatch(r"-\d+", source):
        raise UsageError(f"--camera {source}: devices are counted from 0")
    return "file", source
