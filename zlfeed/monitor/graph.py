"""A graph of filled columns with a fixed domain and a fixed time axis. Pure.

Columns stand at fixed places in time, so that between two columns' boundaries only the newest one changes, and a
terminal gets a few bytes instead of the whole picture.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from zlfeed.monitor.lines import UNICODE, Glyphs, Line, Span

HOLD_S = 2.5
"""A value stands for this long after it was measured; later there is a gap, which is what happened."""

Samples = Sequence[tuple[float, float | None]]


def bucket(
    samples: Samples, now: float, span_s: float, count: int, worst: Callable[[Sequence[float]], float]
) -> list[float | None]:
    """`count` columns over the last `span_s` seconds, oldest first; None where nothing is known.

    `samples` are (time in s, value) in order of time. Several in one column become one by `worst` (min, max, mean).
    """
    if count <= 0:
        return []
    step = span_s / count
    last = math.floor(now / step)
    times = [time for time, _ in samples]
    out: list[float | None] = []
    for index in range(last - count + 1, last + 1):
        start, end = index * step, (index + 1) * step
        first, stop = bisect_left(times, start), bisect_left(times, end)
        values = [value for _, value in samples[first:stop] if value is not None]
        if values:
            out.append(worst(values))
        elif first == stop and first and min(end, now) - times[first - 1] <= HOLD_S:
            out.append(samples[first - 1][1])
        else:
            out.append(None)
    return out


def domain(least: float, *series: Sequence[float | None]) -> float:
    """The top of the value axis, from 0: a step of 1, 2, 5 × 10ⁿ that holds `least` and all that is shown."""
    most = max([least, *(value for values in series for value in values if value is not None)])
    power = 10.0 ** math.floor(math.log10(most)) if most > 0 else 1.0
    return next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= most * 0.9999)


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean of at least one value."""
    return sum(values) / len(values)


@dataclass(frozen=True, slots=True)
class Area:
    """One or two filled layers: `upper` (p95) stands behind `values` (p50) and is never below it."""

    values: Sequence[float | None]
    upper: Sequence[float | None] | None = None


def draw(
    area: Area,
    rows: int,
    top: float,
    level: Callable[[float], str],
    glyphs: Glyphs = UNICODE,
) -> list[Line]:
    """The plot alone: `rows` lines of len(area.values) cells; `level` gives a value's colour role.

    Colours grow stronger towards the top of the domain, whatever the values: "role@60" is a role at 60 %.
    """
    heights = [_eighths(value, top, rows) for value in area.values]
    upper = area.upper if area.upper is not None else area.values
    uppers = [max(low, _eighths(value, top, rows)) for low, value in zip(heights, upper, strict=True)]
    styles = ["" if value is None else level(value) for value in area.values]
    upper_styles = ["" if value is None else level(value) for value in upper]
    out = []
    for row in range(rows - 1, -1, -1):
        strength = 100 if rows == 1 else 55 + 45 * row // (rows - 1)
        out.append(
            _merge(
                _cell(
                    heights[x] - row * 8,
                    uppers[x] - row * 8,
                    f"{styles[x]}@{strength}",
                    f"{upper_styles[x]}@{strength // 3}",
                    glyphs,
                )
                for x in range(len(area.values))
            )
        )
    return out


def _eighths(value: float | None, top: float, rows: int) -> int:
    if value is None:
        return 0
    # A measured zero is a thin line at the bottom: an empty column means that nothing was measured.
    return min(rows * 8, max(1, round(value / top * rows * 8)))


def _cell(low: int, high: int, style: str, upper_style: str, glyphs: Glyphs) -> Span:
    if low >= 8:
        return Span(glyphs.eighths[8], style)
    if low <= 0:
        if high <= 0:
            return Span(" ")
        if glyphs.shade:
            return Span(glyphs.shade if high >= 4 else " ", upper_style)
        return Span(glyphs.eighths[min(8, high)], upper_style)
    # Two layers in one cell: the upper one can only be its background, so it shows when it fills most of the rest.
    background = f" on {upper_style}" if high - low > (8 - low) / 2 and not glyphs.shade else ""
    return Span(glyphs.eighths[low], style + background)


def _merge(cells: Iterable[Span]) -> Line:
    out: list[Span] = []
    for cell in cells:
        if out and out[-1].style == cell.style:
            out[-1] = Span(out[-1].text + cell.text, cell.style)
        else:
            out.append(cell)
    return tuple(out)


def time_axis(cells: int, span_s: float) -> Line:
    """The line under a plot: "-5m  -4m … now", or every second minute, or every fifth, where there is less room."""
    minutes = round(span_s / 60)
    every = next((step for step in (1, 2, 5) if cells * step >= 6 * minutes), minutes)
    marks = [" "] * cells

    def put(at: int, text: str) -> None:
        at = max(0, min(cells - len(text), at))
        if all(mark == " " for mark in marks[max(0, at - 1) : at + len(text) + 1]):
            marks[at : at + len(text)] = text

    put(cells, "now")
    for minute in range(every, minutes + 1, every):
        label = f"-{minute}m"
        put(cells - round(cells * minute / minutes) - len(label) // 2, label)
    return (Span("".join(marks), "faint"),)


def with_axis(plot: Sequence[Line], top: float, unit_width: int = 4, glyphs: Glyphs = UNICODE) -> list[Line]:
    """The plot with the value axis at its left: the top, the middle where there is room, and 0."""
    rows = len(plot)
    labels = {0: top, rows - 1: 0.0}
    if rows >= 5 and rows % 2:
        labels[rows // 2] = top / 2
    out: list[Line] = []
    for index, line in enumerate(plot):
        text = _label(labels[index]) if index in labels else ""
        mark = glyphs.side if index in labels else glyphs.separator
        out.append((Span(text.rjust(unit_width), "faint"), Span(mark, "faint"), *line))
    return out


def _label(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:.0f}k"
    return f"{value:g}"
