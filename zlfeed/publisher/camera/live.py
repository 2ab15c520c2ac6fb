"""A capture that sets its own pace, whether a device or a stream: wait for a picture, stamp it, convert it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import cv2

from zlfeed.errors import CameraError
from zlfeed.publisher.camera.fit import Fitter, Picture, stream_size
from zlfeed.publisher.camera.pacing import Thinner, sane_fps
from zlfeed.publisher.camera.source import Opened, Stamp
from zlfeed.publisher.picture.i420 import Plane

_OLDEST_NS = 1_000_000_000
"""A time stamp further back is by another clock."""
MIN_SIDE = 16
"""Below this there is nothing to encode: one macroblock."""


class Capture(Protocol):
    """The part of cv2.VideoCapture that is used; tests bring their own."""

    def isOpened(self) -> bool: ...

    def grab(self) -> bool: ...

    def retrieve(self) -> tuple[bool, Any]: ...

    def get(self, prop: int, /) -> float: ...

    def set(self, prop: int, value: float, /) -> bool: ...

    def release(self) -> None: ...


class LiveSource:
    """Reads what a capture gives, at most `fps` pictures a second.

    A picture's time is when grab() returned, or the driver's own time stamp where there is one.
    """

    def __init__(
        self,
        capture: Capture,
        *,
        size: tuple[int, int] | None,
        fps: float | None,
        reported_fps: float,
        describe: Callable[[int, int, float | None], str],
        no_picture: Callable[[], CameraError],
        stamped: bool = False,
    ) -> None:
        """Reads one picture, to learn what the capture really gives.

        `describe(width, height, fps)` says in words what is given; `no_picture` makes the error for when it gives
        nothing (any more). `stamped`: the capture tells each picture's time by this machine's monotonic clock.
        """
        self._capture = capture
        self._no_picture = no_picture
        self._stamped = stamped
        own_fps = sane_fps(reported_fps)
        slower = fps is not None and (own_fps is None or own_fps > fps * 1.05)
        self._thinner = Thinner(fps if slower else None)
        _, picture = self._next()
        (width, height), how = stream_size(picture, size)
        if min(width, height) < MIN_SIDE:
            raise CameraError(f"the camera gives pictures of {width}x{height} pixels, which is too small to stream")
        rows, columns = picture.shape[:2]
        self.opened = Opened(width, height, fps if slower else own_fps, describe(columns, rows, own_fps) + how)
        self._fitter = Fitter(width, height)

    def read(self, into: Plane) -> Stamp:
        """The next picture. Raises CameraError when there is none any more."""
        stamp, picture = self._next()
        self._fitter.convert(picture, into)
        return stamp

    def _next(self) -> tuple[Stamp, Picture]:
        while True:
            if not self._capture.grab():
                raise self._no_picture()
            stamp = self._stamp()
            if self._thinner.keep(stamp.monotonic_ns / 1e9):
                break
        got, picture = self._capture.retrieve()
        if not got or picture is None:
            raise self._no_picture()
        return stamp, picture

    def _stamp(self) -> Stamp:
        """When the picture that was just grabbed was captured.

        OpenCV's V4L2 tells the buffer's time stamp as CAP_PROP_POS_MSEC. UVC cameras' is by the monotonic clock; one by
        another clock, or none, is not believed.
        """
        wall_us, now_ns = time.time_ns() // 1000, time.monotonic_ns()
        age_ns = now_ns - round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6) if self._stamped else 0
        if not 0 <= age_ns < _OLDEST_NS:
            age_ns = 0
        return Stamp(wall_us - age_ns // 1000, now_ns - age_ns)
