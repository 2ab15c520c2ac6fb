"""The clock on the picture, and the slate."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from zlfeed import timecode
from zlfeed.publisher.picture.glyphs import Glyphs, halved
from zlfeed.publisher.picture.i420 import Plane, split
from zlfeed.publisher.picture.overlay import Overlay, slate

SIZES = [(64, 64), (320, 240), (640, 480), (480, 640), (1920, 1080)]
NOW_US = 1_700_000_000_123_456


def grey(width: int, height: int) -> Plane:
    frame: Plane = np.full((height * 3 // 2, width), 128, np.uint8)
    return frame


def colours(frame: Plane) -> np.ndarray:
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_I420)).astype(int)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_text_is_green_on_dark_and_the_rest_untouched(width: int, height: int) -> None:
    frame = grey(width, height)
    Overlay(width, height).draw(frame, "front", NOW_US)
    blue, green, red = np.moveaxis(colours(frame), 2, 0)
    is_green = (green > 180) & (red < 90) & (blue < 90)
    assert 0.001 < is_green.mean() < 0.1
    changed = np.argwhere(frame[:height] != 128)
    top, left = changed.min(axis=0)
    bottom, right = changed.max(axis=0)
    box = np.zeros((height, width), bool)
    box[top : bottom + 1, left : right + 1] = True
    assert (split(frame, width, height).y[~box] == 128).all()
    assert top >= (timecode.strip_height(height) if timecode.fits(width) else 0)
    assert bottom < height / 2


def test_the_timecode_above_it_can_be_read() -> None:
    frame = grey(640, 480)
    code = timecode.Timecode(NOW_US % timecode.TIME_MODULUS, 7)
    timecode.draw(frame, 640, 480, code)
    Overlay(640, 480).draw(frame, "front", NOW_US)
    assert timecode.read(frame[:480]) == code


@pytest.mark.parametrize("later_us", [0, 1_000, 876_000, 877_000, 3_599_999_000])
def test_it_shows_the_local_time_to_the_millisecond(later_us: int) -> None:
    overlay, frame = Overlay(640, 480), grey(640, 480)
    overlay.draw(grey(640, 480), "front", NOW_US)
    overlay.draw(frame, "front", NOW_US + later_us)
    second, rest = divmod(NOW_US + later_us, 1_000_000)
    clock = time.strftime("%H:%M:%S", time.localtime(second))
    mask = Glyphs(480 // 22).line(f" {clock}.{rest // 1000:03d} front ")
    luma = split(frame, 640, 480).y
    top, left = np.argwhere(luma != 128).min(axis=0)
    shown = luma[top : top + mask.shape[0], left : left + mask.shape[1]]
    assert ((shown >= 82) == (mask >= 129)).all()


def test_a_name_too_long_for_the_picture_is_cut() -> None:
    Overlay(320, 240).draw(grey(320, 240), "a-very-long-name-" * 4, NOW_US)


def test_the_clock_stands_still_while_it_runs() -> None:
    glyphs = Glyphs(24)
    assert len({glyphs.line(f"{n:03d}").shape for n in range(1000)}) == 1


def test_glyphs_line_up_with_the_chroma() -> None:
    for height in (10, 15, 24, 45):
        mask = Glyphs(height).line("Ag 1é|")
        assert mask.shape[0] % 2 == mask.shape[1] % 2 == 0
        assert halved(mask).shape == (mask.shape[0] // 2, mask.shape[1] // 2)
        assert mask.max() > 200


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_slate_fills_any_size(width: int, height: int) -> None:
    frame = slate(
        width,
        height,
        "NO SIGNAL",
        ["front", "no picture since 12:34:56, and this line is far too long for one line" * 2],
    )
    assert frame.shape == (height * 3 // 2, width)
    assert frame.dtype == np.uint8
    luma = split(frame, width, height).y
    assert luma.max() > 150
    assert np.median(luma) < 60


def test_the_slate_differs_with_its_lines() -> None:
    assert not np.array_equal(slate(320, 240, "NO SIGNAL", ["a"]), slate(320, 240, "NO SIGNAL", ["b"]))
    assert slate(320, 240, "NO SIGNAL", []).shape == (360, 320)
