"""Recording with OpenCV's real writers: holes, another size, a full disk, a disk that is behind."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from zlfeed import opencv, timecode
from zlfeed.receiver import saver
from zlfeed.receiver.reader import Picture
from zlfeed.receiver.saver import Saver

INTERVAL_US = 33_333


def picture(number: int, *, at_us: int | None = None, size: tuple[int, int] = (320, 240)) -> Picture:
    """The picture of that number, captured and in hand at its time, with its strip."""
    width, height = size
    when = number * INTERVAL_US if at_us is None else at_us
    frame = np.full((height * 3 // 2, width), 128, np.uint8)
    code = timecode.Timecode(when, number)
    timecode.draw(frame, width, height, code)
    cv2 = opencv.load_cv2()
    return Picture(number, np.asarray(cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_I420), np.uint8), when, code, None)


class Recording(NamedTuple):
    saver: Saver
    errors: list[str]

    def put(self, *pictures: Picture) -> None:
        """Hands pictures over at a speed that a file can take."""
        for each in pictures:
            self.saver.put(each)
            deadline = time.monotonic() + 5
            while self.saver._queue.qsize() > 8 and time.monotonic() < deadline:
                time.sleep(0.002)


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    errors: list[str] = []
    started = Recording(Saver(tmp_path / "a.avi", errors.append), errors)
    started.saver.start()
    yield started
    started.saver.stop()


def played(path: Path) -> list[npt.NDArray[np.uint8]]:
    """The file's pictures."""
    capture = opencv.load_cv2().VideoCapture(str(path))
    images: list[npt.NDArray[np.uint8]] = []
    while True:
        ok, image = capture.read()
        if not ok:
            capture.release()
            return images
        images.append(np.asarray(image, np.uint8))


def numbers(images: list[npt.NDArray[np.uint8]]) -> list[int]:
    """Their frame numbers."""
    codes = [timecode.read(image) for image in images]
    assert None not in codes
    return [code.frame for code in codes if code]


def test_a_hole_is_filled_so_that_it_plays_at_the_speed_of_life(recording: Recording) -> None:
    recording.put(*(picture(number) for number in range(20)), *(picture(number) for number in range(30, 40)))
    recording.saver.stop()
    assert numbers(played(recording.saver.path)) == [*range(20), *[19] * 10, *range(30, 40)]
    assert (recording.saver.written, recording.saver.dropped) == (30, 0)


def test_pictures_that_a_server_sends_again_are_in_the_file_once(recording: Recording) -> None:
    recording.put(*(picture(number) for number in range(20)), *(picture(number) for number in range(15, 25)))
    recording.saver.stop()
    assert numbers(played(recording.saver.path)) == list(range(25))


def test_a_short_recording_is_whole(recording: Recording) -> None:
    recording.put(*(picture(number) for number in range(3)))
    recording.saver.stop()
    assert numbers(played(recording.saver.path)) == [0, 1, 2]


def test_pictures_of_another_size_are_fitted(recording: Recording) -> None:
    recording.put(*(picture(number) for number in range(20)))
    recording.put(*(picture(number, size=(640, 480)) for number in range(20, 25)))
    recording.saver.stop()
    images = played(recording.saver.path)
    assert [image.shape for image in images] == [(240, 320, 3)] * 25
    assert numbers(images) == list(range(25))


def test_a_full_disk_ends_the_recording_and_not_the_feed(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    recording.put(*(picture(number) for number in range(30)))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(1, 1, 5 << 20))
    monkeypatch.setattr(recording.saver, "_looked_at_disk", 0.0)
    recording.put(*(picture(number) for number in range(30, 40)))
    recording.saver.stop()
    assert recording.saver.error is not None
    assert recording.errors == [recording.saver.error]
    assert "the disk is nearly full (5 MB left)" in recording.saver.error
    assert len(numbers(played(recording.saver.path))) >= 12


def test_what_the_file_cannot_take_in_time_is_dropped_and_counted(tmp_path: Path) -> None:
    behind = Saver(tmp_path / "a.avi", lambda _error: None)  # not started: it takes nothing
    each = picture(0)
    began = time.monotonic()
    for _ in range(200):
        behind.put(each)
    assert time.monotonic() - began < 2
    assert behind.dropped == 200 - 64


def test_a_writer_that_does_not_open_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[str] = []
    monkeypatch.setitem(saver.CODECS, ".mp4", "ZZZZ")  # no codec
    broken = Saver(tmp_path / "a.mp4", errors.append)
    broken.start()
    for number in range(20):
        broken.put(picture(number))
    broken.stop()
    assert len(errors) == 1
    assert "OpenCV cannot write" in errors[0]
