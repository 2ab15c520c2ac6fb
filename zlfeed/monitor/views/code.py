"""A QR code in characters."""

from __future__ import annotations

from zlfeed.monitor.lines import Glyphs, Line, Span
from zlfeed.monitor.qr import Modules

QUIET = 2
"""Modules of quiet zone. The standard wants four; readers take two, and a terminal has few rows."""

_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def size(modules: Modules, glyphs: Glyphs) -> tuple[int, int]:
    """The cells and rows that it takes."""
    side = len(modules) + 2 * QUIET
    return (side, (side + 1) // 2) if glyphs.unicode else (2 * side, side)


def lines(modules: Modules, glyphs: Glyphs) -> list[Line]:
    """Dark on light whatever the theme; two modules a cell with half blocks, else two cells a module."""
    side = len(modules) + 2 * QUIET

    def dark(y: int, x: int) -> bool:
        y, x = y - QUIET, x - QUIET
        return 0 <= y < len(modules) and 0 <= x < len(modules) and modules[y][x]

    if not glyphs.unicode:
        return [(Span("".join("##" if dark(y, x) else "  " for x in range(side)), "code"),) for y in range(side)]
    return [
        (Span("".join(_HALVES[dark(y, x), dark(y + 1, x)] for x in range(side)), "code"),) for y in range(0, side, 2)
    ]
