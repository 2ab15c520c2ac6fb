"""The distribution of latencies as an SVG picture; pure.

One row a chain, on a logarithmic axis; the height says how many pictures, the marks say p50 and p99.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from zlfeed.metrics import percentile

_WIDTH, _ROW, _TOP, _BOTTOM = 860, 62, 64, 44
_LEFT, _RIGHT = 172, 96
_BINS_PER_DECADE = 40
_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.small { font-size: 12px; fill: #59636e }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.shape { fill: #0969da; fill-opacity: .75 }
.other { fill: #818b98; fill-opacity: .75 }
.mark { stroke: #1f2328; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
 text { fill: #f0f6fc } .small { fill: #9198a1 } .grid { stroke: #3d444d } .mark { stroke: #f0f6fc }
 .shape { fill: #4493f8 } .other { fill: #9198a1 }
}
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One chain's latencies in ms; `ours` is drawn in colour."""

    name: str
    values: Sequence[float]
    ours: bool = False


class Axis:
    """A logarithmic axis over the ticks that hold all values."""

    def __init__(self, values: Sequence[float]) -> None:
        low, high = min(values), max(values)
        self.ticks = [
            tick
            for i, tick in enumerate(_TICKS)
            if _TICKS[min(i + 1, len(_TICKS) - 1)] > low and _TICKS[max(i - 1, 0)] < high
        ]
        self._low = math.log10(min(low, self.ticks[0]))
        self._high = math.log10(max(high, self.ticks[-1]))

    def x(self, value: float) -> float:
        """Where a value stands, in px."""
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def svg(rows: Sequence[Row], title: str, about: str) -> str:
    """The picture. Rows without values are left out; without any row it is only the title."""
    # A clock read twice may run a hair backwards; a logarithm wants no zero.
    kept = [Row(row.name, [max(value, 0.1) for value in row.values], row.ours) for row in rows if row.values]
    height = _TOP + _ROW * len(kept) + _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<text x="16" y="26" class="title">{escape(title)}</text>',
        f'<text x="16" y="46" class="small">{escape(about)}</text>',
    ]
    if kept:
        axis = Axis([value for row in kept for value in row.values])
        bottom = height - _BOTTOM
        for tick in axis.ticks:
            x = axis.x(tick)
            parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}"/>')
            parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle" class="small">{tick:g}</text>')
        parts.append(f'<text x="{_WIDTH - _RIGHT + 30}" y="{bottom + 18}" class="small">ms</text>')
        for index, row in enumerate(kept):
            parts += _row(row, axis, _TOP + _ROW * (index + 1))
    return "\n".join([*parts, "</svg>", ""])


def _row(row: Row, axis: Axis, base: float) -> list[str]:
    p50, p99 = (percentile(row.values, q) or 0.0 for q in (50, 99))
    tall = _ROW - 20
    counts: dict[int, int] = {}
    for value in row.values:
        place = math.floor(math.log10(value) * _BINS_PER_DECADE)
        counts[place] = counts.get(place, 0) + 1
    most = max(counts.values())
    outline = [f"M{axis.x(10 ** (min(counts) / _BINS_PER_DECADE)):.1f},{base}"]
    for place in range(min(counts), max(counts) + 1):
        left, right = (axis.x(10 ** (edge / _BINS_PER_DECADE)) for edge in (place, place + 1))
        # A single picture still shows.
        high = base - max(counts.get(place, 0) / most * tall, 1.5 if place in counts else 0)
        outline.append(f"L{left:.1f},{high:.1f}L{right:.1f},{high:.1f}")
    outline.append(f"L{axis.x(10 ** ((max(counts) + 1) / _BINS_PER_DECADE)):.1f},{base}Z")
    marks = [
        f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{base - tall * size:.1f}" y2="{base}"/>'
        for x, size in ((axis.x(p50), 1.0), (axis.x(p99), 0.4))
    ]
    return [
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{base}" y2="{base}"/>',
        f'<path class="{"shape" if row.ours else "other"}" d="{"".join(outline)}"/>',
        *marks,
        f'<text x="{_LEFT - 12}" y="{base - 12}" text-anchor="end">{escape(row.name)}</text>',
        f'<text x="{_WIDTH - _RIGHT + 10}" y="{base - 20}">{p50:.1f} ms</text>',
        f'<text x="{_WIDTH - _RIGHT + 10}" y="{base - 4}" class="small">p99 {p99:.1f}</text>',
    ]
