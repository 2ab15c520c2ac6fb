"""The test picture."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from zlfeed.publisher.camera.pattern import Pattern
from zlfeed.publisher.picture.i420 import Plane, split

SIZES = [(64, 64), (320, 240), (640, 480), (480, 640), (642, 362), (1280, 720), (2048, 64)]


def drawn(pattern: Pattern, size: tuple[int, int], number: int, fps: float = 30.0) -> Plane:
    frame: Plane = np.full((size[1] * 3 // 2, size[0]), 7, np.uint8)
    pattern.draw(frame, number, number / fps)
    return frame


@pytest.mark.parametrize("size", SIZES)
def test_it_fits_every_size_and_every_moment(size: tuple[int, int]) -> None:
    pattern = Pattern(*size)
    for number in (0, 1, 39, 1_000_003, 30 * 3600 * 24 * 365):
        drawn(pattern, size, number)


def test_the_same_moment_is_the_same_picture() -> None:
    first, second = Pattern(320, 240), Pattern(320, 240)
    assert np.array_equal(drawn(first, (320, 240), 77), drawn(second, (320, 240), 77))


def test_every_frame_differs_from_the_last_over_much_of_the_picture() -> None:
    pattern = Pattern(640, 480)
    frames = [drawn(pattern, (640, 480), n).astype(np.int16) for n in range(30)]
    for before, after in itertools.pairwise(frames):
        assert (np.abs(after - before)[:480] > 4).mean() > 0.1


def test_it_has_detail_and_colour() -> None:
    frame = drawn(Pattern(640, 480), (640, 480), 5)
    planes = split(frame, 640, 480)
    _, jpeg = cv2.imencode(".jpg", planes.y, [cv2.IMWRITE_JPEG_QUALITY, 75])
    assert len(jpeg) > 25_000, "a flat picture would ask nothing of the encoder"
    assert planes.u.std() > 8
    assert planes.v.std() > 8
    assert planes.y.min() >= 16
    assert planes.y.max() > 200
