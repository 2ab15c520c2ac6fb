"""Text as coverage masks, drawn once a character by OpenCV and then only copied: cheap enough for every frame."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_DIGITS = "0123456789"

Mask = npt.NDArray[np.uint8]


class Glyphs:
    """The characters at one size. Digits are equally wide, so that a running clock stands still.

    `height` is the height of a line in pixels, made even; every character is an even number of pixels wide, so that
    the chroma planes of 4:2:0 line up.
    """

    def __init__(self, height: int) -> None:
        self.height = max(10, height // 2 * 2)
        # The tallest letters fill 0.72 of the line; what is left holds descenders and air.
        self._scale = float(cv2.getFontScaleFromHeight(_FONT, round(self.height * 0.66)))
        self._thickness = max(1, round(self.height / 12))
        self._digit_width = max(self._measure(digit) for digit in _DIGITS)
        self._cache: dict[str, Mask] = {}

    def line(self, text: str) -> Mask:
        """`text` as coverage from 0 to 255, shape (height, width), both even."""
        if not text:
            return np.zeros((self.height, 0), np.uint8)
        return np.concatenate([self._glyph(character) for character in text], axis=1)

    def width(self, text: str) -> int:
        """The width of `text` in pixels."""
        return sum(self._glyph(character).shape[1] for character in text)

    def _measure(self, character: str) -> int:
        # The difference of two strings: a lone character's box leaves out its side bearings.
        (pair, _), _ = cv2.getTextSize(character * 2, _FONT, self._scale, self._thickness)
        (single, _), _ = cv2.getTextSize(character, _FONT, self._scale, self._thickness)
        return int(pair - single)

    def _glyph(self, character: str) -> Mask:
        if (known := self._cache.get(character)) is not None:
            return known
        # Whole pixels round a small space away.
        own = max(self._measure(character), self.height * 3 // 10 if character == " " else 0)
        advance = self._digit_width if character in _DIGITS else own
        advance = max(2, (advance + 1) // 2 * 2)
        glyph = np.zeros((self.height, advance), np.uint8)
        origin = ((advance - own) // 2, round(self.height * 0.78))
        cv2.putText(glyph, character, origin, _FONT, self._scale, (255,), self._thickness, cv2.LINE_AA)
        self._cache[character] = glyph
        return glyph


def halved(mask: Mask) -> Mask:
    """The mask for the chroma planes: half as wide and high, each sample as covered as the most covered of its four."""
    height, width = mask.shape
    return np.asarray(mask.reshape(height // 2, 2, width // 2, 2).max(axis=(1, 3)), np.uint8)
