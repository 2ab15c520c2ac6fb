"""What the publisher writes on the picture for people: the wall clock, and a slate while there is no picture.

Text is drawn straight on I420: green is a luma and two chroma values (BT.601, limited range, as OpenCV converts).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from zlfeed import timecode
from zlfeed.publisher.picture.glyphs import Glyphs, Mask, halved
from zlfeed.publisher.picture.i420 import Plane, Planes, even, split

_GREEN = (145, 54, 34)
_WHITE = (235, 128, 128)
_GREY = (160, 128, 128)
_AMBER = (170, 42, 164)
_BOX_LUMA = 18


class Overlay:
    """Local time with milliseconds and the camera's name, green in a dark box, below the timecode strip.

    The box hides what is below it, so it is drawn once a second and copied; only the milliseconds are new each frame.
    """

    def __init__(self, width: int, height: int) -> None:
        """For frames of `width` x `height` pixels, both even."""
        self._size = (width, height)
        self._glyphs = Glyphs(max(14, height // 22))
        margin = even(self._glyphs.height / 4)
        self._left = margin
        self._top = even((timecode.strip_height(height) if timecode.fits(width) else 0) + margin)
        self._room = even(width - margin) if self._top + self._glyphs.height <= height else 0
        self._digits = [self._boxed(digit) for digit in "0123456789"]
        self._shown = (-1, "")
        self._box = self._boxed("")
        self._millis_at = 0

    def draw(self, frame: Plane, name: str, captured_us: int) -> None:
        """Writes on an I420 frame of shape (height·3/2, width), in place; `captured_us` is µs since 1970 UTC."""
        second, rest = divmod(captured_us, 1_000_000)
        if self._shown != (second, name):
            self._shown = (second, name)
            before = f" {time.strftime('%H:%M:%S', time.localtime(second))}."
            self._millis_at = self._glyphs.width(before)
            self._box = self._boxed(f"{before}000 {name} ")
        millis = [self._digits[int(digit)] for digit in f"{rest // 1000:03d}"]
        for index, (plane, box) in enumerate(zip(split(frame, *self._size), self._box, strict=True)):
            half = 2 if index else 1
            at = self._millis_at // half
            for digit in millis:
                step = digit[index].shape[1]
                box[:, at : at + step] = digit[index]
                at += step
            top, left, room = self._top // half, self._left // half, self._room // half
            plane[top : top + box.shape[0], left : left + min(box.shape[1], room)] = box[:, :room]

    def _boxed(self, text: str) -> Planes:
        """The text on a dark ground."""
        mask = self._glyphs.line(text)
        rows, columns = mask.shape
        half = (rows // 2, columns // 2)
        box = Planes(
            np.full(mask.shape, _BOX_LUMA, np.uint8), np.full(half, 128, np.uint8), np.full(half, 128, np.uint8)
        )
        _write(box, mask, 0, 0, _GREEN)
        return box


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
        _write(planes, mask, even((width - mask.shape[1]) / 2), top, colour)


def _write(planes: Planes, mask: Mask, left: int, top: int, colour: tuple[int, int, int]) -> None:
    """Blends `colour` in where `mask` covers. All even."""
    chroma = halved(mask)
    for plane, cover, value, half in zip(planes, (mask, chroma, chroma), colour, (1, 2, 2), strict=True):
        rows, columns = cover.shape
        part = plane[top // half : top // half + rows, left // half : left // half + columns]
        part[:] = _blended(part, cover, value)


def _blended(under: Plane, cover: Mask, value: int) -> npt.NDArray[np.uint8]:
    wide = under.astype(np.int32)
    return np.asarray(wide + ((value - wide) * (cover.astype(np.int32) + 1) >> 8), np.uint8)
