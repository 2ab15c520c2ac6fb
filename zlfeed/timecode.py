"""The timecode strip: the capture time, drawn into the picture itself (design 4.2).

80 cells in one row across the whole width at the top edge, most significant bit first: 48 bits capture time
(µs since 1970 UTC modulo 2⁴⁸), 16 bits frame number modulo 2¹⁶, 16 bits CRC-16/CCITT-FALSE over those 8 bytes.
It survives any server, codec, scaler and player, because its geometry is relative.
"""

from __future__ import annotations

import binascii
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

CELLS = 80
MIN_WIDTH = 320
"""Narrower pictures get no strip: a cell would be under four pixels wide."""
TIME_MODULUS = 1 << 48
FRAME_MODULUS = 1 << 16
ZERO_LUMA, ONE_LUMA = 32, 224
_THRESHOLD = (ZERO_LUMA + ONE_LUMA) // 2

Plane = npt.NDArray[np.uint8]
_LUMA = np.array([ZERO_LUMA, ONE_LUMA], np.uint8)


class Timecode(NamedTuple):
    """What a strip says: `time_us` modulo 2⁴⁸ and `frame` modulo 2¹⁶."""

    time_us: int
    frame: int


def strip_height(height: int) -> int:
    """Height in pixels of the strip on a picture `height` px high: H/60 rounded down to whole macroblocks."""
    return max(16, height // 60 // 16 * 16)


def fits(width: int) -> bool:
    """Whether a picture of this width carries a strip."""
    return width >= MIN_WIDTH


@lru_cache(maxsize=8)
def _cells(width: int) -> npt.NDArray[np.intp]:
    """The cell of each pixel of a row."""
    edges = np.arange(CELLS + 1) * width // CELLS
    return np.repeat(np.arange(CELLS), np.diff(edges))


def encode_bits(code: Timecode) -> npt.NDArray[np.uint8]:
    """The 80 cells as 0 and 1."""
    body = (code.time_us % TIME_MODULUS).to_bytes(6, "big") + (code.frame % FRAME_MODULUS).to_bytes(2, "big")
    crc = binascii.crc_hqx(body, 0xFFFF).to_bytes(2, "big")
    return np.unpackbits(np.frombuffer(body + crc, dtype=np.uint8))


def decode_bits(bits: npt.NDArray[np.bool_]) -> Timecode | None:
    """The timecode in 80 cells, or None when the CRC does not fit."""
    data = np.packbits(bits).tobytes()
    if binascii.crc_hqx(data[:8], 0xFFFF) != int.from_bytes(data[8:], "big"):
        return None
    return Timecode(int.from_bytes(data[:6], "big"), int.from_bytes(data[6:8], "big"))


def draw(frame: Plane, width: int, height: int, code: Timecode) -> None:
    """Draws the strip on an I420 frame of shape (height·3/2, width), in place. `width` must fit()."""
    rows = strip_height(height)
    frame[:rows] = _LUMA[encode_bits(code)[_cells(width)]]
    # U and V lie behind the luma as (height/2)·(width/2) bytes each; the strip is even in height.
    chroma = frame.reshape(-1)[width * height :]
    quarter = (width // 2) * (height // 2)
    neutral = (width // 2) * (rows // 2)
    chroma[:neutral] = 128
    chroma[quarter : quarter + neutral] = 128


def read(picture: Plane) -> Timecode | None:
    """Reads the strip of a decoded picture: grey (H, W), or BGR/RGB (H, W, 3). None when there is none to read.

    Samples the middle half of each cell in rows from 0.2 % to 0.7 % of the height (at least row 1).
    """
    height, width = picture.shape[:2]
    if not fits(width) or height < 32:
        return None
    first = max(1, round(height * 0.002))
    last = max(first + 1, round(height * 0.007) + 1)
    left, right = _samples(width)
    # Whole numbers throughout: a mean over two axes of small integers costs five times as much.
    columns = picture[first:last].sum(axis=0, dtype=np.uint32).reshape(width, -1)
    channels = columns.shape[1]
    luma = columns[:, 0] if channels == 1 else columns[:, 0] + columns[:, 1] + columns[:, 2]
    sums = np.concatenate(([0], np.cumsum(luma)))
    return decode_bits(sums[right] - sums[left] > (right - left) * (_THRESHOLD * min(channels, 3) * (last - first)))


@lru_cache(maxsize=8)
def _samples(width: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The columns where the middle half of each cell begins and ends."""
    edges = np.arange(CELLS + 1) * (width / CELLS)
    quarter = width / CELLS / 4
    left = np.ceil(edges[:-1] + quarter).astype(np.intp)
    return left, np.maximum(left + 1, np.floor(edges[1:] - quarter).astype(np.intp))


def unwrap(time_us: int, near_us: int) -> int:
    """The full time in µs whose 48 low bits are `time_us` and which lies nearest to `near_us`."""
    turn = (near_us - time_us + TIME_MODULUS // 2) // TIME_MODULUS
    return time_us + turn * TIME_MODULUS
