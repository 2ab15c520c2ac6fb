"""A picture of any size onto I420 of one size."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from zlfeed.publisher.picture.i420 import Plane, even

Picture = npt.NDArray[np.uint8]
"""As OpenCV decodes it: (height, width, 3) in BGR, or (height, width) in grey."""


class Fitter:
    """Brings pictures to `width` x `height` (both even): as they are, less an odd edge, or scaled.

    A scaled picture keeps its shape, with black beside it or above and below.
    """

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._canvas = np.zeros((height, width, 3), np.uint8)
        self._used: tuple[int, int] | None = None

    def convert(self, picture: Picture, into: Plane) -> None:
        """Writes `picture` into `into`, I420 of shape (height·3/2, width), BT.601, limited range."""
        if picture.ndim == 2:
            picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), np.uint8)
        rows, columns = picture.shape[:2]
        if (even(columns), even(rows)) == (self._width, self._height):
            picture = picture[: self._height, : self._width]
        else:
            picture = self._scaled(picture)
        cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420, dst=into)

    def _scaled(self, picture: Picture) -> Picture:
        rows, columns = picture.shape[:2]
        scale = min(self._width / columns, self._height / rows)
        inner = (max(2, min(self._width, round(columns * scale))), max(2, min(self._height, round(rows * scale))))
        if inner != self._used:
            self._canvas[:] = 0
            self._used = inner
        left, top = (self._width - inner[0]) // 2, (self._height - inner[1]) // 2
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        self._canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(picture, inner, interpolation=way)
        return self._canvas


def stream_size(picture: Picture, asked: tuple[int, int] | None) -> tuple[tuple[int, int], str]:
    """The size in which such pictures are streamed, and how that differs from their own, in words ("" if not)."""
    rows, columns = picture.shape[:2]
    if asked and asked != (columns, rows):
        return asked, f", scaled from {columns}x{rows}"
    own = (even(columns), even(rows))
    return own, "" if own == (columns, rows) else f", cropped from {columns}x{rows}"
