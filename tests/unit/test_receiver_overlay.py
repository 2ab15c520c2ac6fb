"""The header and the banner, on pictures of any size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from zlfeed import opencv, timecode
from zlfeed.receiver.overlay import Header, Overlay, header_parts, latency_words
from zlfeed.receiver.state import State

LIVE = State("live", "live", "good")
LOST = State("reconnecting", "reconnecting", "bad", ("reconnecting, attempt 3", "last picture 4 s ago " * 8))


def _header(state: State = LIVE) -> Header:
    return Header("12:34:56.789", 29.97, 4.23, 0.04, state)


def _picture(width: int, height: int) -> npt.NDArray[np.uint8]:
    """Grey, with a timecode strip."""
    frame = np.full((height * 3 // 2, width), 128, np.uint8)
    timecode.draw(frame, width, height, timecode.Timecode(1234, 5))
    return np.asarray(opencv.load_cv2().cvtColor(frame, opencv.load_cv2().COLOR_YUV2BGR_I420), np.uint8)


@pytest.mark.parametrize(
    ("latency", "error", "words"),
    [
        (None, None, "unknown"),
        (4.23, None, "unknown"),
        (4.23, 0.04, "4.2 ±0.1 ms"),
        (104.0, 2.26, "104.0 ±2.3 ms"),
        (1500.0, 2.0, "1.5 s"),
    ],
)
def test_latency_has_its_error_or_is_unknown(latency: float | None, error: float | None, words: str) -> None:
    assert latency_words(latency, error) == words


def test_the_latency_is_what_a_narrow_header_keeps() -> None:
    forms = header_parts(_header())
    assert forms[0] == ("12:34:56.789", "30.0 fps", "latency 4.2 ±0.1 ms")
    assert forms[-1] == ("latency 4.2 ±0.1 ms",)


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (641, 481), (1920, 1080), (480, 640)])
@pytest.mark.parametrize("state", [LIVE, LOST], ids=["live", "lost"])
def test_the_header_covers_the_strip_and_nothing_else(size: tuple[int, int], state: State) -> None:
    picture = _picture(size[0] // 2 * 2, size[1] // 2 * 2)
    before = picture.copy()
    shown = Overlay(opencv.load_cv2()).compose(picture, _header(state), strip=True)
    assert np.array_equal(picture, before)
    assert timecode.read(picture) is not None
    assert timecode.read(shown) is None
    below = picture[timecode.strip_height(picture.shape[0]) :]
    if state is LIVE:
        assert np.array_equal(shown[-len(below) :], below)
    else:
        assert shown[-1].mean() < 0.6 * below[-1].mean()


def test_a_picture_without_a_strip_is_shown_whole() -> None:
    picture = np.full((120, 160, 3), 200, np.uint8)
    shown = Overlay(opencv.load_cv2()).compose(picture, _header(), strip=False)
    assert np.array_equal(shown[-120:], picture)


def test_without_a_picture_there_is_a_blank_one() -> None:
    assert Overlay(opencv.load_cv2()).compose(None, _header(LOST), strip=True).shape == (490, 640, 3)


@pytest.mark.parametrize("width", [160, 320, 640, 1920])
def test_header_text_stays_inside_and_is_there(width: int) -> None:
    shown = Overlay(opencv.load_cv2()).compose(_picture(width, 240) if width >= 320 else None, _header(), strip=True)
    bar = shown[:20].astype(int)
    bright = (bar.max(axis=2) > 120).any(axis=0)
    assert bright.sum() > 40
    assert not bright[-1]
