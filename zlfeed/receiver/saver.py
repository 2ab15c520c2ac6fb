"""Records the pictures as they came into an .avi or .mp4 file, on a thread of its own; the feed never waits for it."""

from __future__ import annotations

import os
import queue
import shutil
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from zlfeed import logs, timecode
from zlfeed.errors import UsageError
from zlfeed.opencv import load_cv2
from zlfeed.receiver.reader import Picture

log = logs.get(__name__)

CODECS = {".avi": "MJPG", ".mp4": "mp4v"}
"""What OpenCV's FFmpeg can encode everywhere; its wheels have no H.264 encoder."""
FALLBACK_FPS = 30.0
_RATE_PICTURES = 12
"""Pictures that are looked at before the file's frame rate is decided."""
_FILL_S = 2.0
_QUEUE_BYTES = 128 << 20
_QUEUE_PICTURES = 64
_LEAST_FREE_BYTES = 64 << 20
"""An .mp4 file is unreadable without its index, which is written last: it must still fit."""
_DRAIN_S = 1.0
_CLOSE_S = 1.0


def check(path: Path) -> None:
    """Raises UsageError when no recording could be written to `path`; changes nothing that is there."""
    if path.suffix.lower() not in CODECS:
        raise UsageError(f"--save {path}: the file's name must end in {' or '.join(CODECS)}")
    if not path.parent.is_dir():
        raise UsageError(f"--save {path}: there is no folder {path.parent}")
    existed = path.exists()
    try:
        with path.open("ab"):
            pass
        if not existed:
            path.unlink()
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise UsageError(f"--save {path}: cannot be written ({os.strerror(error.errno or 0)})") from None
    if free < _LEAST_FREE_BYTES:
        raise UsageError(f"--save {path}: the disk has only {free >> 20} MB left; it takes {_LEAST_FREE_BYTES >> 20}")


def frame_rate(times_s: Sequence[float]) -> float:
    """The frame rate of pictures captured at `times_s`: one over the median interval, whole when it is nearly so."""
    intervals = [later - sooner for sooner, later in pairwise(times_s) if later > sooner]
    if not intervals:
        return FALLBACK_FPS
    rate = min(240.0, max(1.0, 1 / statistics.median(intervals)))
    return float(round(rate)) if abs(rate - round(rate)) <= 0.02 * rate else round(rate, 2)


def repeats(gap_s: float, fps: float) -> int:
    """How often the last picture is written again before one that comes `gap_s` after it.

    The file has a fixed frame rate: that fills the holes, so that it plays at the speed of life. A hole of more than
    _FILL_S is shortened to that.
    """
    return max(0, min(round(gap_s * fps) - 1, round(_FILL_S * fps)))


class Saver:
    """Writes to a file until stopped. `error` is a sentence once it had to give up; pictures are then let go."""

    def __init__(self, path: Path, on_error: Callable[[str], None]) -> None:
        self.path = path
        self.error: str | None = None
        self.written = 0
        self.dropped = 0
        self._on_error = on_error
        self._cv2 = load_cv2()
        self._queue: queue.Queue[Picture | None] = queue.Queue(_QUEUE_PICTURES)
        self._waiting: list[Picture] = []
        self._writer: Any = None
        self._fps = FALLBACK_FPS
        self._size = (0, 0)
        self._last: Picture | None = None
        self._looked_at_disk = 0.0
        self._deadline: float | None = None
        self._thread = threading.Thread(target=self._main, name="saver", daemon=True)

    def start(self) -> None:
        """Begins to wait for pictures."""
        self._thread.start()

    def put(self, picture: Picture) -> None:
        """Takes a picture, or counts it as dropped when the disk or the encoder is behind. Never blocks."""
        if self.error is not None:
            return
        try:
            if self._queue.qsize() * picture.image.nbytes > _QUEUE_BYTES:
                raise queue.Full
            self._queue.put_nowait(picture)
        except queue.Full:
            self.dropped += 1

    def stop(self) -> None:
        """Writes what waits, within a second, and closes the file."""
        self._deadline = time.monotonic() + _DRAIN_S
        try:
            self._queue.put(None, timeout=_DRAIN_S)
        except queue.Full:
            self.dropped += self._queue.qsize()
        self._thread.join(max(0.0, self._deadline + _CLOSE_S - time.monotonic()))

    # ------------------------------------------------------------ on the saver's thread

    def _main(self) -> None:
        try:
            while (picture := self._queue.get()) is not None:
                if self._deadline is not None and time.monotonic() > self._deadline:
                    self.dropped += 1
                elif self.error is None:
                    self._take(picture)
            if self.error is None and self._waiting:
                self._begin()
        except Exception as failure:  # whatever OpenCV may do, the video goes on
            self._give_up(f"{self.path} cannot be written: {failure}")
        finally:
            if self._writer is not None:
                self._writer.release()

    def _take(self, picture: Picture) -> None:
        now = time.monotonic()
        if now - self._looked_at_disk >= 1.0:
            self._looked_at_disk = now
            free = shutil.disk_usage(self.path.parent).free
            if free < _LEAST_FREE_BYTES:
                self._give_up(f"the disk is nearly full ({free >> 20} MB left): {self.path} ends here")
                return
        if self._writer is not None:
            self._write(picture)
            return
        self._waiting.append(picture)
        if len(self._waiting) >= _RATE_PICTURES:
            self._begin()

    def _begin(self) -> None:
        """Opens the file, now that the frame rate shows, and writes the pictures that waited for it."""
        height, width = self._waiting[0].image.shape[:2]
        self._size = (width, height)
        self._fps = frame_rate([_seconds(picture, self._waiting[0]) for picture in self._waiting])
        codec = self._cv2.VideoWriter_fourcc(*CODECS[self.path.suffix.lower()])
        self._writer = self._cv2.VideoWriter(str(self.path), self._cv2.CAP_FFMPEG, codec, self._fps, self._size)
        if not self._writer.isOpened():
            self._give_up(f"OpenCV cannot write {self.path}: its build lacks the encoder, or the disk refuses")
            return
        log.info("recording", path=str(self.path), fps=self._fps, width=width, height=height)
        for picture in self._waiting:
            self._write(picture)
        self._waiting.clear()

    def _write(self, picture: Picture) -> None:
        image = picture.image
        if self._last is not None:
            gap_s = _seconds(picture, self._last)
            if gap_s <= 0 and picture.code is not None:
                return  # after a reconnect a server begins with its last keyframe: these are in the file already
            for _ in range(repeats(gap_s, self._fps)):
                self._writer.write(self._fitted(self._last.image))
        self._writer.write(self._fitted(image))
        self._last = picture
        self.written += 1

    def _fitted(self, image: Any) -> Any:
        """The image at the file's size, which cannot change."""
        if image.shape[1::-1] == self._size:
            return image
        return self._cv2.resize(image, self._size, interpolation=self._cv2.INTER_AREA)

    def _give_up(self, sentence: str) -> None:
        self.error = sentence
        self._waiting.clear()
        self._on_error(sentence)


def _seconds(picture: Picture, since: Picture) -> float:
    """From one picture's capture to another's, by their timecodes; by their arrival where one has none, or where the
    publisher's clock was set in between.
    """
    arrival_s = (picture.in_hand_us - since.in_hand_us) / 1e6
    if picture.code is None or since.code is None:
        return arrival_s
    captured_s = (timecode.unwrap(picture.code.time_us, since.code.time_us) - since.code.time_us) / 1e6
    return captured_s if abs(captured_s - arrival_s) <= 60 else arrival_s
