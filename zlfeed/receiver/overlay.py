"""What the window shows besides the picture: the header over the timecode strip, and the banner of a lost stream.

The words are pure; the drawing is on a copy. Sizes are in pixels of the picture, so that they scale with the window.
The header is higher than the strip, and stands in its place: it grows the picture upwards and hides nothing else of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zlfeed.receiver.state import State
from zlfeed.timecode import strip_height

Image = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

_LEVELS: dict[str, Colour] = {"good": (120, 220, 120), "warning": (80, 190, 255), "bad": (100, 100, 255)}
"""The colour of each level of State, as blue, green, red."""
_WHITE: Colour = (240, 240, 240)
_BAR: Colour = (24, 24, 24)
_MIN_TEXT = 8
"""Height of a capital letter in pixels, below which it is no more read."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says. Latency is ms, `time` is when the picture was in hand, by the local clock."""

    time: str
    fps: float | None
    latency_ms: float | None
    error_ms: float | None
    state: State


def latency_words(latency_ms: float | None, error_ms: float | None) -> str:
    """`4.2 ±0.1 ms`, or that it is unknown."""
    if latency_ms is None or error_ms is None:
        return "unknown"
    if latency_ms < 1000:
        # Never less error than there is: 0.04 is not 0.0.
        return f"{latency_ms:.1f} ±{max(0.1, error_ms):.1f} ms"
    return f"{latency_ms / 1000:.1f} s"


def header_parts(header: Header) -> list[tuple[str, ...]]:
    """The header's left parts in ever shorter forms, the longest first."""
    fps = f"{'–' if header.fps is None else f'{header.fps:.1f}'} fps"
    latency = latency_words(header.latency_ms, header.error_ms)
    return [
        (header.time, fps, f"latency {latency}"),
        (header.time.partition(".")[0], fps, f"latency {latency}"),
        (fps, f"latency {latency}"),
        (f"latency {latency}",),
    ]


class Overlay:
    """Draws on copies of pictures with OpenCV's own font."""

    def __init__(self, cv2: Any) -> None:
        self._cv2 = cv2
        self._font = cv2.FONT_HERSHEY_SIMPLEX
        # Until version 5, OpenCV's font has ASCII only.
        self._ascii = int(cv2.__version__.partition(".")[0]) < 5
        # Under its header as large as a picture of 640×480, whose strip has gone.
        self._blank = np.full((465, 640, 3), 60, np.uint8)
        self._canvas: Image | None = None

    def compose(self, image: Image | None, header: Header, *, strip: bool) -> Image:
        """The picture under the header, dimmed when there is a banner; a blank one for None. Valid until the next call.

        `strip` says that the picture begins with a timecode strip, which the header then replaces.
        """
        image = self._blank if image is None else image
        height, width = image.shape[:2]
        bar = max(20, height // 18)
        picture = image[strip_height(height) :] if strip and image is not self._blank else image
        shape = (bar + len(picture), width, 3)
        if self._canvas is None or self._canvas.shape != shape:
            self._canvas = np.empty(shape, np.uint8)
        below = self._canvas[bar:]
        if header.state.banner:
            np.floor_divide(picture, 2, out=below)
            self._draw_banner(below, header.state.banner)
        else:
            np.copyto(below, picture)
        self._draw_header(self._canvas[:bar], header)
        return self._canvas

    def _draw_header(self, bar: Image, header: Header) -> None:
        height, width = bar.shape[:2]
        bar[:] = _BAR
        text = max(_MIN_TEXT, height * 9 // 20)
        gap = text
        baseline = (height + text) // 2
        state_width = self._width(header.state.words, text)
        for parts in header_parts(header):
            widths = [self._width(_steady(part), text) for part in parts]
            if sum(widths) + state_width + gap * (len(parts) + 2) <= width:
                break
        x = gap
        for part, part_width in zip(parts, widths, strict=True):
            self._text(bar, part, x, baseline, text, _WHITE)
            x += part_width + gap
        # In a picture too narrow for both, the colour alone tells the state.
        colour = _LEVELS[header.state.level]
        radius = max(2, text // 3)
        right = width - gap // 2
        if state_width + 2 * gap <= width - x:
            self._text(bar, header.state.words, right - state_width, baseline, text, colour)
            right -= state_width + gap // 2
        centre = (right - radius, height // 2)
        self._cv2.circle(bar, centre, radius, colour, self._cv2.FILLED, self._cv2.LINE_AA)

    def _draw_banner(self, canvas: Image, lines: Sequence[str]) -> None:
        height, width = canvas.shape[:2]
        text = max(_MIN_TEXT, height // 36)
        wrapped = [piece for line in lines for piece in self._wrap(line, text, width - 4 * text)]
        band = 2 * text * len(wrapped) + text
        top = max(0, (height - band) // 2)
        canvas[top : top + band] = _BAR
        for index, line in enumerate(wrapped):
            x = max(2, (width - self._width(line, text)) // 2)
            colour = _LEVELS["warning"] if index == 0 else _WHITE
            self._text(canvas, line, x, top + 2 * text * (index + 1), text, colour)

    def _wrap(self, line: str, text: int, room: int) -> list[str]:
        """The line in pieces no wider than `room`, broken between words."""
        pieces: list[str] = []
        for word in line.split():
            if pieces and self._width(f"{pieces[-1]} {word}", text) <= room:
                pieces[-1] += f" {word}"
            else:
                pieces.append(word)
        return pieces

    def _scale(self, text: int) -> float:
        return float(self._cv2.getFontScaleFromHeight(self._font, text))

    def _words(self, words: str) -> str:
        if not self._ascii:
            return words
        for sign, plain in (("±", "+-"), ("–", "-"), ("×", "x"), ("…", "...")):
            words = words.replace(sign, plain)
        return words.encode("ascii", "replace").decode()

    def _width(self, words: str, text: int) -> int:
        (width, _), _ = self._cv2.getTextSize(self._words(words), self._font, self._scale(text), 1)
        return int(width)

    def _text(self, canvas: Image, words: str, x: int, baseline: int, text: int, colour: Colour) -> None:
        thickness = max(1, text // 12)
        self._cv2.putText(
            canvas,
            self._words(words),
            (x, baseline),
            self._font,
            self._scale(text),
            colour,
            thickness,
            self._cv2.LINE_AA,
        )


def _steady(part: str) -> str:
    """The part with its widest digits: what follows it stands still while it changes."""
    return "".join("8" if character.isdigit() else character for character in part)
