"""The table of all cameras of all publishers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from zlfeed.monitor import format as fmt
from zlfeed.monitor.graph import Area, bucket, domain, draw
from zlfeed.monitor.health import fps_level
from zlfeed.monitor.limits import Thresholds
from zlfeed.monitor.lines import Glyphs, Line, Span, clip, columns, fit, text_width
from zlfeed.monitor.snapshot import CameraView, HostView, Snapshot
from zlfeed.monitor.state import HISTORY_S
from zlfeed.monitor.views.common import mark, stale
from zlfeed.monitor.views.top import state_word

_RANK = {"bad": 0, "warn": 1, "unknown": 2, "good": 3}


class Column(NamedTuple):
    """A column of the table: its title, width, and what to sort by."""

    title: str
    cells: int
    sort: Callable[[CameraView], tuple[float, str]]


def _number(value: float | None) -> tuple[float, str]:
    return (float("inf") if value is None else value, "")


def _latency(view: CameraView) -> float | None:
    return view.status.latency_ms.p95 if view.status and view.status.latency_ms else None


COLUMNS: tuple[Column, ...] = (
    Column("health", 14, lambda view: (_RANK[view.health.level], view.name)),
    Column("camera", 16, lambda view: (0.0, view.name.lower())),
    Column("publisher", 20, lambda view: (0.0, view.host.name.lower())),
    Column("fps", 6, lambda view: _number(view.status.fps if view.status else None)),
    Column(
        "p50", 7, lambda view: _number(view.status.latency_ms.p50 if view.status and view.status.latency_ms else None)
    ),
    Column("p95", 7, lambda view: _number(None if (value := _latency(view)) is None else -value)),
    Column("viewers", 9, lambda view: _number(-len(view.status.viewers) if view.status else None)),
    Column("CPU", 5, lambda view: _number(-(view.status.cpu_percent or 0.0) if view.status else None)),
)
_GAP = 2


class Row(NamedTuple):
    """A camera, or a publisher that has shown none yet."""

    view: CameraView | None
    host: HostView


def rows(snapshot: Snapshot, sort: int) -> list[Row]:
    """The table's rows in order of a column (an index into COLUMNS); publishers without cameras come last."""
    ordered = sorted(snapshot.cameras, key=COLUMNS[sort].sort)
    seen = {view.host.key for view in snapshot.cameras}
    return [Row(view, view.host) for view in ordered] + [
        Row(None, host) for host in snapshot.hosts if host.key not in seen
    ]


def _columns(cells: int) -> list[int]:
    """Which columns fit, by index; the publisher's name gives way first."""
    order = (0, 1, 3, 5, 4, 6, 2, 7)
    chosen: list[int] = []
    room = cells - 2
    for index in order:
        need = COLUMNS[index].cells + _GAP
        if need <= room:
            chosen.append(index)
            room -= need
    return sorted(chosen)


def head(cells: int, sort: int, glyphs: Glyphs) -> Line:
    """The table's head; the column that sorts is marked."""
    shown = _columns(cells)
    spans = [
        (Span(COLUMNS[i].title + (" ▾" if i == sort and glyphs.unicode else " v" if i == sort else ""), "title"),)
        for i in shown
    ]
    return fit((Span("  "), *columns(spans, [COLUMNS[i].cells for i in shown], _GAP)), cells)


def line(row: Row, cells: int, now_s: float, limits: Thresholds, glyphs: Glyphs, *, chosen: bool) -> Line:
    """One row. Where there is room it ends with why its health is not good, else with a small graph of the latency."""
    pointer = Span(f"{glyphs.arrow} " if chosen else "  ", "accent")
    shown = _columns(cells)
    widths = [COLUMNS[i].cells for i in shown]
    room = cells - 2 - sum(widths) - _GAP * len(widths)
    if row.view is None:
        level, word = ("bad", "refused") if row.host.link.refused else ("unknown", "connecting")
        if row.host.link.error and not row.host.link.refused:
            level, word = "bad", f"attempt {row.host.link.attempt}"
        state = fit((mark(level, glyphs), Span(f" {word}", level)), COLUMNS[0].cells + _GAP)
        name = fit((Span(row.host.name, "strong"),), max(COLUMNS[1].cells, text_width(row.host.name)) + _GAP)
        return fit((pointer, *state, *name, Span(row.host.link.error or "", "dim")), cells)
    state, *figures = _cells(row.view, limits, glyphs)
    figures = stale(figures) if row.view.stale else figures
    body = columns([state if i == 0 else figures[i - 1] for i in shown], widths, _GAP)
    spark: Line = ()
    if room >= 10 and row.view.health.level in ("warn", "bad"):
        reason = row.view.health.reasons[0]
        spark = (Span("  "), Span(clip(reason.text, room, glyphs.ellipsis), reason.level))
    elif room >= 10:
        series = [(s.at_s, s.latency_p95_ms) for s in row.view.samples]
        values = bucket(series, now_s, HISTORY_S, room, max)
        graph = draw(Area(values), 1, domain(20.0, values), limits.latency_ms.level, glyphs)
        spark = (Span("  "), *(stale(graph) if row.view.stale else graph)[0])
    return (pointer, *fit((*body, *spark), cells - 2))


def _cells(view: CameraView, limits: Thresholds, glyphs: Glyphs) -> list[tuple[Span, ...]]:
    status = view.status
    level, word = state_word(view)
    if level == "good":
        level = view.health.level
        word = {"good": "healthy"}.get(level, word)
    latency = status.latency_ms if status else None
    p50, p95 = (latency.p50, latency.p95) if latency else (None, None)
    fps = status.fps if status else None
    cpu = status.cpu_percent if status else None
    return [
        (mark(level, glyphs), Span(f" {word}", level)),
        (Span(view.name, "strong"),),
        (Span(view.host.name, "dim"),),
        (Span(fmt.number(fps), fps_level(fps, status.fps_asked if status else None, limits)),),
        (Span(fmt.ms(p50), limits.latency_ms.level(p50)),),
        (Span(fmt.ms(p95), limits.latency_ms.level(p95)),),
        (Span(str(len(status.viewers)) if status else fmt.UNKNOWN, "strong"),),
        (Span(fmt.percent(cpu), limits.cpu_percent.level(cpu)),),
    ]
