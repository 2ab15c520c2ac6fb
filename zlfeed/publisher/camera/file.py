"""A video file as a camera, or a folder of clips: in their own time, once or over and over."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from zlfeed.errors import CameraEnded, CameraError
from zlfeed.publisher.camera.fit import Fitter, Picture, stream_size
from zlfeed.publisher.camera.live import MIN_SIDE, Capture
from zlfeed.publisher.camera.pacing import Thinner, Timeline, sane_fps
from zlfeed.publisher.camera.records import Request
from zlfeed.publisher.camera.source import KINDS, Opened, Stamp
from zlfeed.publisher.picture.i420 import Plane

_HOLD_S = 0.4
"""A camera never falls silent: where the file shows a picture for longer than this, it is given again."""


class FileSource:
    """Decodes one picture ahead and hands each on when it is due by its timestamp, which is when it counts as captured.

    Of a folder the clips follow one another, all in the size of the first. A lower `fps` leaves pictures out. A file
    that cannot be decoded as fast as it should play is played slower.
    """

    def __init__(self, request: Request) -> None:
        """Opens the file, or the first clip that can be played, and decodes a picture. Raises CameraError."""
        self.notes: list[str] = []
        """What people should know: clips that are skipped. Whoever reads the pictures takes them out."""
        self._clips = Clips(request.spec.target, once=request.spec.once)
        self._noted: set[str] = set()
        self._capture, picture = self._open_next()
        own_fps = sane_fps(self._capture.get(cv2.CAP_PROP_FPS))
        self._timeline = Timeline(own_fps)
        slower = request.fps is not None and (own_fps is None or request.fps < own_fps)
        self._thinner = Thinner(request.fps if slower else None)
        self._hold = max(_HOLD_S, 1.2 * self._timeline.nominal, 1.2 / request.fps if slower and request.fps else 0)
        name = self._clips.name
        (width, height), how = stream_size(picture, request.size)
        if min(width, height) < MIN_SIDE:
            raise CameraError(f"{name} is {width}x{height} pixels, which is too small: scale it up with --size")
        fps = request.fps if slower else own_fps
        rate = f" at {fps:g} fps" if fps else ""
        self.opened = Opened(width, height, fps, f"{self._clips.title} {width}x{height}{rate}{how}")
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
            ahead = None if self._capture.grab() else self._go_on()
            at = self._timeline.add(self._timestamp())
            if not self._thinner.keep(at):
                continue
            try:
                picture = self._retrieve() if ahead is None else ahead
            except CameraError:
                if not self._clips.several:
                    raise
                continue  # a damaged picture in one of many clips
            break
        self._fitter.convert(picture, self._next)
        due = self._origin + at
        late = time.monotonic() - due
        if late > self._timeline.nominal:
            # Behind, because decoding is too slow or the machine slept: go on from here, nothing is hurried after.
            self._origin += late
            self._handed += late
            due += late
        return due

    def _go_on(self) -> Picture | None:
        """Grabs the first picture after a clip's end: of the next clip (then it is here), or of the same again.

        Raises CameraEnded where that was the end.
        """
        self._timeline.rewind()
        if self._clips.only_one_left and self._rewound():
            return None
        self._capture.release()
        self._capture, picture = self._open_next()
        self._timeline.nominal = 1 / fps if (fps := sane_fps(self._capture.get(cv2.CAP_PROP_FPS))) else 1 / 25
        return picture

    def _rewound(self) -> bool:
        """Whether it could be sought back to its first picture, which is grabbed then."""
        return bool(
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0) and self._capture.grab() and self._timestamp() == self._first
        )

    def _open_next(self) -> tuple[Capture, Picture]:
        """The next clip that can be played, with its first picture; those that cannot are noted, once each.

        Raises CameraError when there is none (any more), CameraEnded at the end.
        """
        for clip in self._clips:
            try:
                capture = _open(_checked(clip), clip)
                if not capture.grab():
                    raise CameraError(f"{clip} holds no picture that can be decoded: try another file")
                self._capture, self._first = capture, capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                picture = self._retrieve()
            except CameraError as error:
                if not self._clips.several:
                    raise
                self._clips.skip()
                if clip not in self._noted:
                    self._noted.add(clip)
                    self.notes.append(f"{error}; it is skipped")
            else:
                return capture, picture
        raise CameraError(f"the folder {self._clips.name} holds no clip that can be played")

    def _timestamp(self) -> float:
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000

    def _retrieve(self) -> Picture:
        got, picture = self._capture.retrieve()
        if not got or picture is None:
            raise CameraError(f"{self._clips.name} holds no picture that can be decoded: try another file")
        made: Picture = picture
        return made


class Clips:
    """The file, or the files of a folder by name, one after the other and from the beginning again. Iterated for ever.

    Ends, as an iterator, when a whole round could not be played; raises CameraEnded after the last one where it is
    played `once`. A folder is looked into anew each round: what has come meanwhile is played, what has gone is not.
    """

    def __init__(self, name: str, *, once: bool) -> None:
        """Raises CameraError when a folder holds no file."""
        self.name = name
        self.several = os.path.isdir(name)
        self._once = once
        self._left: list[str] = []
        self._round = self._skipped = 0
        self._begun = False

    @property
    def title(self) -> str:
        """The name for people, without the folders before it."""
        return os.path.basename(os.path.normpath(self.name))

    @property
    def only_one_left(self) -> bool:
        """Whether what comes next is the same file again."""
        return not self.several and not self._once

    def skip(self) -> None:
        """The one given last cannot be played."""
        self._skipped += 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self._left:
            if self._begun and self._skipped >= self._round:
                raise StopIteration
            if self._begun and self._once:
                raise CameraEnded(f"{self.name} has been played to its end")
            self._left = _files_in(self.name) if self.several else [self.name]
            self._round, self._skipped, self._begun = len(self._left), 0, True
        return self._left.pop(0)


def _files_in(folder: str) -> list[str]:
    """The files of a folder by name, without hidden ones. Raises CameraError when there are none."""
    try:
        with os.scandir(folder) as entries:
            files = sorted(entry.path for entry in entries if entry.is_file() and not entry.name.startswith("."))
    except OSError as error:
        raise CameraError(why_not(folder, error)) from None
    if not files:
        raise CameraError(f"the folder {folder} holds no files: put video clips into it")
    return files


def _checked(name: str) -> str:
    """The file's absolute path (a name with a colon would be a protocol to FFmpeg). Raises CameraError."""
    try:
        if not stat.S_ISREG(os.stat(name).st_mode):
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
