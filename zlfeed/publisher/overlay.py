"""What the publisher writes on the picture for people: the wall clock, and a slate while there is no picture.

Text is drawn straight on I420: green is a luma and two chroma values (BT.601, limited range, as OpenCV converts).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from zlfeed import timecode
from zlfeed.publisher.glyphs import Glyphs, Mask, halved
from zlfeed.publisher.i420 import Plane, Planes, even, split

_GREEN = (145, 54, 34)
_WHITE = (235, 128, 128)
_GREY = (160, 128, 128)
_AMBER = (170, 42, 164)
_BOX_LUMA = 18


class Overlay:
    """Local time with milliseconds and the camera's name, green in a dark box, below the timecode strip."""

    def __init__(self, width: int, height: int) -> None:
        """For frames of `width` x `height` pixels, both even."""
        self._size = (width, height)
        self._glyphs = Glyphs(max(14, height // 22))
        margin = even(self._glyphs.height / 4)
        self._left = margin
        self._top = even((timecode.strip_height(height) if timecode.fits(width) else 0) + margin)
        self._second = -1
        self._clock = ""

    def draw(self, frame: Plane, name: str, captured_us: int) -> None:
        """Writes on an I420 frame of shape (height·3/2, width), in place; `captured_us` is µs since 1970 UTC."""
        second, rest = divmod(captured_us, 1_000_000)
        if second != self._second:
            self._second = second
            self._clock = time.strftime("%H:%M:%S", time.localtime(second))
        width, height = self._size
        mask = self._glyphs.line(f" {self._clock}.{rest // 1000:03d} {name} ")[:, : even(width - self._left)]
        if self._top + mask.shape[0] <= height:
            _write(split(frame, width, height), mask, self._left, self._top, _GREEN, box=True)


def slate(width: int, height: int, title: str, lines: Sequence[str]) -> Plane:
    """A picture that says `title`, with `lines` below: I420, uint8 of shape (height·3/2, width), both sides even."""
    frame: Plane = np.empty((height * 3 // 2, width), np.uint8)
    planes = split(frame, width, height)
    # Darker towards the edges, and blue-grey: nothing a camera would give, and nothing that costs bits.
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    across = np.linspace(-1, 1, width, dtype=np.float32)
    planes.y[:] = 46 - 9 * np.minimum(down**2 + across**2, 2)
    planes.u[:], planes.v[:] = 134, 125
    head, body = Glyphs(_fitting(title, height // 8, width)), max(14, height // 18)
    gap = even(head.height / 3)
    small = [(line, Glyphs(_fitting(line, body, width))) for line in lines]
    total = head.height + gap * 2 + sum(glyphs.height * 5 // 4 for _, glyphs in small)
    top = even(max(0, (height - total) // 2))
    _write_centred(planes, head.line(title), top, _WHITE)
    top += head.height + gap // 2
    bar = even(min(width, head.width(title)))
    _write_centred(planes, np.full((max(2, even(head.height / 14)), bar), 255, np.uint8), even(top), _AMBER)
    top += even(gap * 1.5)
    for line, glyphs in small:
        _write_centred(planes, glyphs.line(line), even(top), _GREY)
        top += even(glyphs.height * 5 / 4)
    return frame


def _fitting(text: str, height: int, width: int) -> int:
    """The largest line height up to `height` at which `text` takes at most nine tenths of `width`."""
    needs = Glyphs(height).width(text)
    return height if needs <= width * 0.9 else int(height * width * 0.9 / needs)


def _write_centred(planes: Planes, mask: Mask, top: int, colour: tuple[int, int, int]) -> None:
    height, width = planes.y.shape
    mask = mask[: max(0, even(height - top)), : even(width)]
    if mask.size:
        _write(planes, mask, even((width - mask.shape[1]) / 2), top, colour, box=False)


def _write(planes: Planes, mask: Mask, left: int, top: int, colour: tuple[int, int, int], *, box: bool) -> None:
    """Blends `colour` in where `mask` covers; `box` darkens the rest of the rectangle first. All even."""
    chroma = halved(mask)
    for plane, cover, value, ground, half in (
        (planes.y, mask, colour[0], _BOX_LUMA, 1),
        (planes.u, chroma, colour[1], 128, 2),
        (planes.v, chroma, colour[2], 128, 2),
    ):
        rows, columns = cover.shape
        part = plane[top // half : top // half + rows, left // half : left // half + columns]
        if box:
            part[:] = ground
        part[:] = _blended(part, cover, value)


def _blended(under: Plane, cover: Mask, value: int) -> npt.NDArray[np.uint8]:
    wide = under.astype(np.int32)
    return np.asarray(wide + ((value - wide) * (cover.astype(np.int32) + 1) >> 8), np.uint8)
