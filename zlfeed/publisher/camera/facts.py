"""What is known of a camera before it is opened, and which of its modes serves a wish. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zlfeed.model import Control
from zlfeed.publisher.camera.holders import Holder

READABLE = ("YUYV", "MJPG")
"""Pixel formats that are read, best first: uncompressed pictures cost the camera no encoder and us no decoder."""
_NEARLY = 0.98
"""A camera that says 29.97 reaches 30."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A size in which a camera gives pictures. `fps` holds the rates it offers there, highest first; none: unknown."""

    width: int
    height: int
    format: str
    fps: tuple[float, ...] = ()

    @property
    def best_fps(self) -> float | None:
        """The highest rate, None when the camera does not say."""
        return self.fps[0] if self.fps else None

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """A camera as it can be listed. `source` is what --camera takes; `problem` is why it cannot be opened, "" if none.

    `id` stays the same when it is plugged in again: the name under /dev/v4l, or libcamera's id.
    """

    source: str
    name: str
    kind: str
    id: str = ""
    driver: str = ""
    modes: Sequence[Mode] = ()
    controls: Sequence[Control] = ()
    held_by: Sequence[Holder] = ()
    problem: str = ""


def reaches(mode: Mode, fps: float) -> bool:
    """Whether the camera gives `fps` pictures a second in this mode, as far as it says."""
    return mode.best_fps is None or mode.best_fps >= fps * _NEARLY


def choose(modes: Iterable[Mode], size: tuple[int, int], fps: float, formats: Sequence[str] = READABLE) -> list[Mode]:
    """The modes to try for a wish, best first, one a format; none when the camera offers nothing readable.

    The nearest size counts first (the wished one; else the smallest that covers it; else the largest), then whether the
    rate is reached, then the order of `formats`, where none reaches it the higher rate.
    """
    usable = [mode for mode in modes if mode.format in formats]
    if not usable:
        return []
    width, height = nearest_size(usable, size)
    there = [mode for mode in usable if (mode.width, mode.height) == (width, height)]

    def rank(mode: Mode) -> tuple[bool, float, int]:
        enough = reaches(mode, fps)
        return not enough, 0.0 if enough else -(mode.best_fps or 0.0), formats.index(mode.format)

    return sorted(there, key=rank)


def nearest_size(modes: Sequence[Mode], size: tuple[int, int]) -> tuple[int, int]:
    """The size among the modes' that serves a wish best; `modes` is not empty."""
    width, height = size
    if any((mode.width, mode.height) == size for mode in modes):
        return size
    covering = [mode for mode in modes if mode.width >= width and mode.height >= height]
    nearest = min(covering, key=lambda mode: mode.pixels) if covering else max(modes, key=lambda mode: mode.pixels)
    return nearest.width, nearest.height
