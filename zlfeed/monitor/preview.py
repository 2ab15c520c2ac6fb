"""The picture in the terminal: the last thumbnail, what the thumbnails cost, and pixels from JPEG. Knows no Textual.

Thumbnails are made by the publisher only while somebody asks; what is asked for is as wide as what is drawn.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL import Image

    from zlfeed.model import Thumbnail

MAX_HZ = 5.0
MAX_CELLS = 64
"""A half-block picture of 80×20 cells at 10 Hz costs a quarter of a core and 574 KiB/s: it stays small."""
OLD_S = 3.0
_WINDOW_S = 4.0
_STILL = 10
"""A pixel whose channels differ by less keeps its colour: noise of the camera would be most of the traffic."""

Key = tuple[str, str]
Pixel = tuple[int, int, int]
Pixels = list[list[Pixel]]


class Asked(NamedTuple):
    """What is wanted of a publisher: whose picture (URL, camera), how wide in pixels, how often a second."""

    key: Key
    width: int
    hz: float


class Shown(NamedTuple):
    """The picture at one moment, and its cost: how many came a second, and how many bytes."""

    key: Key
    thumbnail: Thumbnail | None = None
    age_s: float | None = None
    hz: float | None = None
    bytes_per_s: float | None = None

    @property
    def old(self) -> bool:
        """Whether no picture came for long."""
        return self.age_s is None or self.age_s > OLD_S


class Preview:
    """What has come of what was asked for. Bounded: one picture, and the sizes of those of the last seconds."""

    def __init__(self) -> None:
        self.asked: Asked | None = None
        self._thumbnail: Thumbnail | None = None
        self._came: deque[tuple[float, int]] = deque(maxlen=64)
        self._since_s = 0.0

    def ask(self, asked: Asked | None, now_s: float) -> bool:
        """Wants something else, or nothing; whether that is a change."""
        before, self.asked = self.asked, asked
        if before == asked:
            return False
        if before is None or asked is None or before.key != asked.key:
            self._thumbnail = None
        self._came.clear()
        self._since_s = now_s
        return True

    def on_thumbnail(self, url: str, thumbnail: Thumbnail, now_s: float) -> bool:
        """Takes a picture; whether it is the one that was asked for."""
        if self.asked is None or (url, thumbnail.camera) != self.asked.key:
            return False
        self._thumbnail = thumbnail
        self._came.append((now_s, len(thumbnail.jpeg)))
        return True

    def shown(self, now_s: float) -> Shown | None:
        """The picture as it is to be shown now; None when none was asked for."""
        if self.asked is None:
            return None
        while self._came and now_s - self._came[0][0] > _WINDOW_S:
            self._came.popleft()
        span = min(_WINDOW_S, now_s - self._since_s)
        known = self._thumbnail is not None and span >= 1.0
        age = None if self._thumbnail is None else now_s - self._came[-1][0] if self._came else _WINDOW_S
        return Shown(
            self.asked.key,
            self._thumbnail,
            age,
            len(self._came) / span if known else None,
            sum(size for _, size in self._came) / span if known else None,
        )


class NoPicture(Exception):
    """Bytes that are no picture, in a sentence."""


def image(jpeg: bytes) -> Image.Image:
    """The picture of a thumbnail. Raises NoPicture."""
    # Not before the first preview: it takes 40 ms.
    import io

    from PIL import Image as pillow

    try:
        with pillow.open(io.BytesIO(jpeg), formats=("JPEG",)) as opened:
            return opened.convert("RGB")
    except (OSError, ValueError, pillow.DecompressionBombError):
        raise NoPicture("the publisher sent what is no picture") from None


def pixels(jpeg: bytes, width: int, height: int, before: Pixels | None = None) -> Pixels:
    """The picture in `height` rows of `width` pixels; those that hardly differ from `before` are as before.

    Raises NoPicture.
    """
    scaled = image(jpeg).resize((width, height), resample=4, reducing_gap=2.0)  # 4 is BOX
    data = scaled.tobytes()
    rows = [
        [(data[at], data[at + 1], data[at + 2]) for at in range(3 * width * y, 3 * width * (y + 1), 3)]
        for y in range(height)
    ]
    if before is None or len(before) != height or len(before[0]) != width:
        return rows
    return [
        [old if _near(old, new) else new for old, new in zip(old_row, row, strict=True)]
        for old_row, row in zip(before, rows, strict=True)
    ]


def _near(one: Pixel, other: Pixel) -> bool:
    return (
        abs(one[0] - other[0]) < _STILL and abs(one[1] - other[1]) < _STILL and abs(one[2] - other[2]) < _STILL
    )  # fmt: skip


def fit(width: int, height: int, cells: int, rows: int) -> tuple[int, int]:
    """The most cells and rows of half blocks, of those there are, that keep the picture's shape (a cell is 1:2)."""
    if width <= 0 or height <= 0:
        return 0, 0
    across = min(cells, MAX_CELLS, int(2 * rows * width / height))
    return across, max(1, min(rows, round(across * height / width / 2)))
