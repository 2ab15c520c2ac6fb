"""A video file as a camera: in its own time, over and over."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import cv2
import numpy as np

from zlfeed.errors import CameraError
from zlfeed.publisher.camera.fit import Fitter, Picture, stream_size
from zlfeed.publisher.camera.live import MIN_SIDE, Capture
from zlfeed.publisher.camera.pacing import Thinner, Timeline, sane_fps
from zlfeed.publisher.camera.records import Request
from zlfeed.publisher.camera.source import KINDS, Opened, Stamp
from zlfeed.publisher.i420 import Plane

_HOLD_S = 0.4
"""A camera never falls silent: where the file shows a picture for longer than this, it is given again."""


class FileSource:
    """Decodes one picture ahead and hands each on when it is due by its timestamp, which is when it counts as captured.

    A lower `fps` leaves pictures out. A file that cannot be decoded as fast as it should play is played slower.
    """

    def __init__(self, request: Request) -> None:
        """Opens the file and decodes its first picture. Raises CameraError."""
        self._name = request.spec.target
        self._path = _checked(request.spec.target)
        self._capture: Capture = _open(self._path, self._name)
        own_fps = sane_fps(self._capture.get(cv2.CAP_PROP_FPS))
        self._timeline = Timeline(own_fps)
        slower = request.fps is not None and (own_fps is None or request.fps < own_fps)
        self._thinner = Thinner(request.fps if slower else None)
        self._hold = max(_HOLD_S, 1.2 * self._timeline.nominal, 1.2 / request.fps if slower and request.fps else 0)
        if not self._capture.grab():
            raise CameraError(f"{self._name} holds no picture that can be decoded: try another file")
        self._first = self._timestamp()
        picture = self._retrieve()
        (width, height), how = stream_size(picture, request.size)
        if min(width, height) < MIN_SIDE:
            raise CameraError(f"{self._name} is {width}x{height} pixels, which is too small: scale it up with --size")
        fps = request.fps if slower else own_fps
        rate = f" at {fps:g} fps" if fps else ""
        self.opened = Opened(width, height, fps, f"{os.path.basename(self._name)} {width}x{height}{rate}{how}")
        self._fitter = Fitter(width, height)
        self._next = np.empty((height * 3 // 2, width), np.uint8)
        self._shown = np.empty_like(self._next)
        self._fitter.convert(picture, self._next)
        at = self._timeline.add(self._first)
        self._thinner.keep(at)
        self._origin = self._handed = time.monotonic()
        self._due: float | None = self._origin + at

    def read(self, into: Plane) -> Stamp:
        """Waits until the next picture is due. Raises CameraError when the file cannot be read any more."""
        if self._due is None:
            self._due = self._decode_next()
        if self._due - self._handed > self._hold:
            into[:] = self._shown
            self._handed += self._hold
        else:
            into[:] = self._next
            self._next, self._shown = self._shown, self._next
            self._handed, self._due = self._due, None
        if (ahead := self._handed - time.monotonic()) > 0:
            time.sleep(ahead)
        return Stamp(time.time_ns() // 1000, time.monotonic_ns())

    def _decode_next(self) -> float:
        """Decodes the next picture into `_next`, and gives the time of the monotonic clock at which it is due."""
        while True:
            if not self._capture.grab():
                self._rewind()
            at = self._timeline.add(self._timestamp())
            if self._thinner.keep(at):
                break
        self._fitter.convert(self._retrieve(), self._next)
        due = self._origin + at
        late = time.monotonic() - due
        if late > self._timeline.nominal:
            # Behind, because decoding is too slow or the machine slept: go on from here, nothing is hurried after.
            self._origin += late
            self._handed += late
            due += late
        return due

    def _rewind(self) -> None:
        """Goes back to the first picture and grabs it: by seeking, or by opening anew what cannot seek."""
        self._timeline.rewind()
        if self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0) and self._capture.grab() and self._timestamp() == self._first:
            return
        self._capture.release()
        self._capture = _open(self._path, self._name)
        if not self._capture.grab():
            raise CameraError(f"{self._name} can no longer be read")

    def _timestamp(self) -> float:
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000

    def _retrieve(self) -> Picture:
        got, picture = self._capture.retrieve()
        if not got or picture is None:
            raise CameraError(f"{self._name} holds no picture that can be decoded: try another file")
        made: Picture = picture
        return made


def _checked(name: str) -> str:
    """The file's absolute path (a name with a colon would be a protocol to FFmpeg). Raises CameraError."""
    try:
        mode = os.stat(name).st_mode
        if stat.S_ISDIR(mode):
            raise CameraError(f"{name} is a folder: name a video file in it")
        if not stat.S_ISREG(mode):
            raise CameraError(f"{name} is no file: a source is {KINDS}")
        with open(name, "rb") as file:
            if not file.read(1):
                raise CameraError(f"the file {name} is empty")
    except OSError as error:
        raise CameraError(why_not(name, error)) from None
    return str(Path(name).absolute())


def why_not(name: str, error: OSError) -> str:
    """The sentence for a file that cannot be read."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"there is no file {name!r}: a source is {KINDS}"
    if isinstance(error, PermissionError):
        return f"no permission to read the file {name}: try chmod +r"
    return f"the file {name} cannot be read ({error.strerror})"


def _open(path: str, name: str) -> Capture:
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise CameraError(
            f"{name} holds no video that can be decoded: it is damaged, holds only sound, or is no video at all"
        )
    made: Capture = capture
    return made
