"""A frame's way: camera → encoder → relay → server → viewers, and where its time goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from zlfeed.model import CameraStatus, Part, Stage
from zlfeed.monitor import format as fmt
from zlfeed.monitor.lines import Glyphs, Line, Span, clip, columns, fit, framed, text_width
from zlfeed.monitor.snapshot import CameraView
from zlfeed.monitor.views.common import split, stale

SERVERS = ("mediamtx", "push")
"""What the publisher calls the part that the chain shows as the server."""
REST = "network, viewer"
"""What remains of the viewers' latency when the publisher's own stages are taken off."""


_LEVELS = {"running": "good", "starting": "warn", "backing_off": "bad", "given_up": "bad", "off": "unknown"}
_RECENT_S = 60.0
"""For so long an error is told in the chain itself; later it is in the table of parts."""


class Node(NamedTuple):
    """One part of the chain; `error` is its last one."""

    name: str
    level: str
    detail: str
    restarts: int = 0
    state: str = ""
    error: str = ""
    error_age_s: float | None = None


def nodes(status: CameraStatus) -> list[Node]:
    """The chain's parts in order: what the publisher says of each, else what the rest of the status tells."""
    parts = {"server" if part.name in SERVERS else part.name: part for part in status.parts}
    return [_with(node, parts[node.name]) if node.name in parts else node for node in _derived(status)]


def _with(node: Node, part: Part) -> Node:
    """The node with what its part says of itself."""
    level = _LEVELS.get(part.state, "unknown")
    detail = node.detail
    if part.state == "backing_off":
        detail = f"again in {fmt.ago(part.retry_in_s)}" if part.retry_in_s is not None else "waits to start again"
    elif part.state not in ("running", "off"):
        detail = part.state.replace("_", " ")
    if level == "good" and node.level != "good":
        level = node.level  # it runs, and yet nothing comes from it
    return Node(node.name, level, detail, part.restarts, part.state, part.last_error or "", part.last_error_age_s)


def _derived(status: CameraStatus) -> list[Node]:
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


def last_error(status: CameraStatus) -> Line:
    """The newest error of the last minute, and whose; empty when there was none."""
    recent = [node for node in nodes(status) if node.error and (node.error_age_s or 0.0) < _RECENT_S]
    if not recent:
        return ()
    node = min(recent, key=lambda node: node.error_age_s or 0.0)
    role = "bad" if node.level == "bad" else "warn"
    return (
        Span(f"{node.name} {fmt.ago(node.error_age_s)} ago: ", "dim"),
        Span(node.error, role),
    )


def table(status: CameraStatus, cells: int, glyphs: Glyphs) -> list[Line]:
    """Every part with its state, its restarts and its last error, two lines a part."""
    lines: list[Line] = []
    for node in nodes(status):
        state = node.state.replace("_", " ") or {"good": "running", "bad": "down"}.get(node.level, fmt.UNKNOWN)
        restarts = f"{node.restarts} restart{'s' * (node.restarts != 1)}"
        row = [
            (Span(glyphs.level(node.level), node.level), Span(f" {node.name}", "strong")),
            (Span(state, node.level),),
            (Span(restarts, "warn" if node.restarts else "dim"),),
            (Span(node.detail, "dim"),),
        ]
        widths = [10, 13, 12, max(8, cells - 10 - 13 - 12 - 3)]
        if node.name == "viewers":
            row[1:3] = [(), ()]
        lines.append(columns(row, widths))
        age = f", {fmt.ago(node.error_age_s)} ago" if node.error_age_s is not None else ""
        lines.append((Span(f"    {node.error}{age}", "dim"),) if node.error else ())
    return lines


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
        if error := last_error(view.status):
            bar = [bar[0], fit(error, inner)]
        body = [*links, *bar] if rows >= 6 else [links[0], bar[0], *bar[1:]] if rows == 5 else [links[0], bar[0]]
    lines = framed([Span("a frame's way", "title")], [], body, cells, rows, glyphs)
    return stale(lines) if view.stale else lines
