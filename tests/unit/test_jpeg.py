"""JPEGs for previews and snapshots."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from zlfeed.publisher.camera.pattern import Pattern
from zlfeed.publisher.picture.i420 import Plane
from zlfeed.publisher.picture.jpeg import Jpeg, encode

MUCH = 1 << 24


def pattern(width: int, height: int) -> Plane:
    frame = np.empty((height * 3 // 2, width), np.uint8)
    Pattern(width, height).draw(frame, 1, 1.0)
    return frame


def decoded(jpeg: Jpeg) -> Plane:
    picture = cv2.imdecode(np.frombuffer(jpeg.data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (jpeg.height, jpeg.width, 3)
    return np.asarray(picture, np.uint8)


def test_a_snapshot_is_the_picture() -> None:
    frame = pattern(640, 480)
    jpeg = encode(frame, at_most_bytes=MUCH)
    assert (jpeg.width, jpeg.height) == (640, 480)
    true = cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_I420)
    assert cv2.PSNR(decoded(jpeg), np.asarray(true, np.uint8)) > 30


@pytest.mark.parametrize(
    ("size", "wide", "result"),
    [
        ((640, 480), 160, (160, 120)),
        ((1920, 1080), 160, (160, 90)),
        ((480, 640), 160, (160, 214)),
        ((640, 480), 161, (160, 120)),
        ((160, 120), 160, (160, 120)),
        ((64, 64), 640, (64, 64)),
    ],
)
def test_a_thumbnail_is_as_small_as_asked(size: tuple[int, int], wide: int, result: tuple[int, int]) -> None:
    frame = pattern(*size)
    jpeg = encode(frame, at_most_wide=wide, at_most_bytes=MUCH)
    assert (jpeg.width, jpeg.height) == result
    true = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_I420), result, interpolation=cv2.INTER_AREA)
    assert cv2.PSNR(decoded(jpeg), np.asarray(true, np.uint8)) > 22


def test_a_very_wide_picture_keeps_a_side() -> None:
    jpeg = encode(pattern(4096, 64), at_most_wide=16, at_most_bytes=MUCH)
    assert decoded(jpeg).shape == (2, 16, 3)


def test_the_quality_gives_way_to_the_size() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (720, 640), np.uint8)
    best = encode(noise, at_most_bytes=MUCH)
    small = encode(noise, at_most_bytes=len(best.data) // 2)
    assert len(small.data) <= len(best.data) // 2
    least = encode(noise, at_most_bytes=1)
    assert 0 < len(least.data) <= len(small.data)
    decoded(least)
