"""A frame's way: camera → encoder → relay → server → viewers, and where its time goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from zlfeed.model import CameraStatus, Stage
from zlfeed.monitor import format as fmt
from zlfeed.monitor.lines import Glyphs, Line, Span, clip, fit, framed, text_width
from zlfeed.monitor.snapshot import CameraView
from zlfeed.monitor.views.common import split, stale

REST = "network, viewer"
"""What remains of the viewers' latency when the publisher's own stages are taken off."""


class Node(NamedTuple):
    """One part of the chain."""

    name: str
    level: str
    detail: str
    restarts: int = 0


def nodes(status: CameraStatus) -> list[Node]:
    """The chain's parts, each with its own state."""
    starting = "warn" if status.state in ("starting", "private") else "bad"
    encoder_level = {"live": "good", "encoder_down": "bad", "starting": "warn", "private": "good"}.get(
        status.state, "unknown"
    )
    picture = fmt.size(status.width, status.height)
    encode = f" {fmt.ms(status.encode_ms_avg)} ms" if status.encode_ms_avg is not None else ""
    slow = status.slow_clients or 0
    losing = any(viewer.loss_percent for viewer in status.viewers)
    watching = len(status.viewers)
    return [
        Node("camera", "good" if status.is_connected else starting, picture, status.camera_restarts),
        Node("encoder", encoder_level, f"{status.encoder or fmt.UNKNOWN}{encode}", status.encoder_restarts),
        Node("relay", "good" if status.state == "live" else "unknown", f"{fmt.count(status.frames_sent)} frames"),
        Node("server", "good" if status.server else "unknown", status.server or fmt.UNKNOWN),
        Node(
            "viewers",
            "warn" if slow or losing else "good" if watching else "unknown",
            f"{watching} watching" + (f", {slow} slow" if slow else ""),
        ),
    ]


def chain(status: CameraStatus, cells: int, glyphs: Glyphs) -> list[Line]:
    """Two lines: the parts joined by arrows, and a detail under each."""
    parts = nodes(status)
    widths = split(cells, [1.0] * len(parts), gap=0)
    top: list[Span] = []
    below: list[Span] = []
    for index, (node, room) in enumerate(zip(parts, widths, strict=True)):
        head = f" {node.name} "
        top += [Span(glyphs.level(node.level), node.level), Span(head, "strong")]
        if index < len(parts) - 1:
            line = room - 2 - text_width(head) - 1
            top.append(Span(glyphs.flow * max(0, line) + glyphs.arrow + " ", "faint"))
        restarts = f"  ↻ {node.restarts}" if node.restarts else ""
        detail = clip(node.detail, room - 3 - text_width(restarts))
        below += [Span("  " + detail, "dim"), Span(restarts, "warn")]
        below.append(Span(" " * max(0, room - 2 - text_width(detail + restarts))))
    return [tuple(top), tuple(below)]


def stages(status: CameraStatus) -> list[Stage]:
    """The stages with a time; what viewers report beyond them is the last one."""
    known = [stage for stage in status.stages if stage.avg_ms is not None]
    spent = sum(stage.avg_ms or 0.0 for stage in known)
    p50 = status.latency_ms.p50 if status.latency_ms else None
    if known and p50 is not None and p50 > spent:
        known.append(Stage(REST, p50 - spent))
    return known


def stage_bar(status: CameraStatus, cells: int, glyphs: Glyphs) -> list[Line]:
    """Two lines: one stacked bar of all stages, and what its parts are."""
    parts = stages(status)
    total = sum(part.avg_ms or 0.0 for part in parts)
    if total <= 0:
        return [(Span("no stage has been timed yet", "dim"),)]
    bar: list[Span] = []
    legend: list[Span] = []
    edge, done = 0, 0.0
    for index, part in enumerate(parts):
        done += part.avg_ms or 0.0
        end = round(done / total * cells)
        room, edge = end - edge, end
        style = f"stage-{index % 6}"
        bar.append(_segment(part, room, style, index, glyphs))
        legend += [Span(glyphs.block if glyphs.unicode else f"{index + 1}", style)]
        legend += [Span(f" {part.name} ", "dim"), Span(fmt.ms(part.avg_ms), "strong"), Span("  ")]
    legend.append(Span(f"= {fmt.ms(total)} ms on average", "dim"))
    return [tuple(bar), fit(legend, cells)]


def _segment(part: Stage, room: int, style: str, index: int, glyphs: Glyphs) -> Span:
    if not glyphs.unicode:
        return Span(f"{index + 1}" * room, style)
    words = (f" {part.name} {fmt.ms(part.avg_ms)}", f" {part.name}", "")
    text = next(word for word in words if text_width(word) < room or not word)
    return Span(text.ljust(room), f"on-{style}")


def way(view: CameraView, cells: int, rows: int, glyphs: Glyphs) -> list[Line]:
    """The chain over the stacked bar in a frame of `rows` (3 to 6)."""
    inner = cells - 4
    body: list[Sequence[Span]]
    if view.status is None:
        body = [(Span("no status yet", "dim"),)]
    else:
        links = chain(view.status, inner, glyphs)
        bar = stage_bar(view.status, inner, glyphs)
        body = [*links, *bar] if rows >= 6 else [links[0], bar[0], *bar[1:]] if rows == 5 else [links[0], bar[0]]
    lines = framed([Span("a frame's way", "title")], [], body, cells, rows, glyphs)
    return stale(lines) if view.stale else lines
