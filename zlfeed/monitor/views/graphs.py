"""The graphs of the last five minutes: frames a second, latency, bitrate, CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zlfeed.model import CameraStatus
from zlfeed.monitor import format as fmt
from zlfeed.monitor.graph import Area, bucket, domain, draw, mean, time_axis, with_axis
from zlfeed.monitor.health import fps_level
from zlfeed.monitor.limits import Thresholds
from zlfeed.monitor.lines import Glyphs, Line, Span, framed, width
from zlfeed.monitor.snapshot import CameraView, Sample
from zlfeed.monitor.state import HISTORY_S
from zlfeed.monitor.views.common import beside, split, stale

_AXIS = 5


@dataclass(frozen=True, slots=True)
class Plot:
    """What one graph shows: how to take values from samples, the domain's least top, colours."""

    title: str
    note: str
    value: Callable[[Sample], float | None]
    worst: Callable[[Sequence[float]], float]
    least: Callable[[CameraStatus | None], float]
    level: Callable[[float, CameraStatus | None, Thresholds], str]
    now: Callable[[CameraStatus], str]
    upper: Callable[[Sample], float | None] | None = None


def _latency_now(status: CameraStatus) -> str:
    latency = status.latency_ms
    return f"{fmt.ms(latency.p50)} / {fmt.ms(latency.p95)} ms" if latency else f"{fmt.UNKNOWN} ms"


PLOTS = {
    "latency": Plot(
        "latency",
        "p50 in front of p95",
        lambda sample: sample.latency_p50_ms,
        max,
        lambda status: 20.0,
        lambda value, status, limits: limits.latency_ms.level(value),
        _latency_now,
        lambda sample: sample.latency_p95_ms,
    ),
    "rate": Plot(
        "rate",
        "frames/s",
        lambda sample: sample.fps,
        min,
        lambda status: (status.fps_asked or status.fps or 30.0) * 1.15 if status else 40.0,
        lambda value, status, limits: fps_level(value, status.fps_asked if status else None, limits),
        lambda status: f"{fmt.number(status.fps)} fps",
    ),
    "bitrate": Plot(
        "bitrate",
        "kbit/s",
        lambda sample: sample.bitrate_kbps,
        mean,
        lambda status: (status.bitrate_asked_kbps or 800.0) * 1.2 if status else 1000.0,
        lambda value, status, limits: "info",
        lambda status: fmt.rate(status.bitrate_kbps),
    ),
    "cpu": Plot(
        "cpu",
        "whole machine, %",
        lambda sample: sample.cpu_percent,
        mean,
        lambda status: 100.0,
        lambda value, status, limits: limits.cpu_percent.level(value),
        lambda status: fmt.percent(status.cpu_percent),
    ),
}


def plot(
    kind: str, view: CameraView, now_s: float, cells: int, rows: int, limits: Thresholds, glyphs: Glyphs
) -> list[Line]:
    """One graph in its frame, `cells` × `rows` (at least 20 × 5)."""
    what, status = PLOTS[kind], view.status
    columns = max(1, cells - 4 - _AXIS)
    values = bucket([(s.at_s, what.value(s)) for s in view.samples], now_s, HISTORY_S, columns, what.worst)
    upper = None
    if what.upper is not None:
        take = what.upper
        upper = bucket([(s.at_s, take(s)) for s in view.samples], now_s, HISTORY_S, columns, max)
    top = domain(what.least(status), values, upper or [])
    picture = draw(Area(values, upper), rows - 3, top, lambda value: what.level(value, status, limits), glyphs)
    body = [*with_axis(picture, top, _AXIS - 1, glyphs), (Span(" " * _AXIS), *time_axis(columns, HISTORY_S))]
    right = [Span(what.now(status), "strong")] if status else []
    title = [Span(what.title, "title")]
    if width(title) + len(what.note) + width(right) + 10 <= cells:
        title.append(Span(f" {what.note}", "faint"))
    lines = framed(title, right, body, cells, rows, glyphs)
    return stale(lines) if view.stale else lines


def grid(
    kinds: Sequence[Sequence[str]],
    view: CameraView,
    now_s: float,
    cells: int,
    rows: int,
    limits: Thresholds,
    glyphs: Glyphs,
) -> list[Line]:
    """Graphs in rows and columns that fill `cells` × `rows`."""
    heights = split(rows, [1.0] * len(kinds), gap=0)
    lines: list[Line] = []
    for names, height in zip(kinds, heights, strict=True):
        widths = split(cells, [1.0] * len(names))
        lines += beside(
            [
                (plot(name, view, now_s, room, height, limits, glyphs), room)
                for name, room in zip(names, widths, strict=True)
            ]
        )
    return lines
