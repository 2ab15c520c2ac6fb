"""I420 frames: 4:2:0 in one array of shape (height·3/2, width): the luma, then U and V, each half as wide and high."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]
"""uint8 of two dimensions: a whole I420 frame, or one plane of it."""


class Planes(NamedTuple):
    """The three planes of a frame."""

    y: Plane
    u: Plane
    v: Plane


def split(frame: Plane, width: int, height: int) -> Planes:
    """The planes of an I420 frame, as views. `width` and `height` in pixels, both even."""
    flat = frame.reshape(-1)
    luma, quarter = width * height, width * height // 4
    half = (height // 2, width // 2)
    return Planes(
        flat[:luma].reshape(height, width),
        flat[luma : luma + quarter].reshape(half),
        flat[luma + quarter :].reshape(half),
    )


def even(value: float) -> int:
    """The nearest even number below: where chroma has a sample of its own."""
    return int(value) // 2 * 2
