"""The cards: viewers, picture, machine, where to watch."""

from __future__ import annotations

from collections.abc import Sequence

from zlfeed.model import CameraStatus, Viewer
from zlfeed.monitor import format as fmt
from zlfeed.monitor.limits import Thresholds
from zlfeed.monitor.lines import Glyphs, Line, Span, columns, fit, framed
from zlfeed.monitor.snapshot import CameraView
from zlfeed.monitor.views.common import field, gauge, joined, split, stale

REPORT_OLD_S = 5.0
"""A viewer's report older than this is no longer shown as its latency."""

CLOCK_APART_S = 2.0
"""From here on the difference of the two wall clocks is shown: times in the log are by the publisher's."""


def viewer_line(viewer: Viewer, cells: int, limits: Thresholds) -> Line:
    """Address, transport, what it reports, what it lost."""
    report = viewer.report
    if report is not None and viewer.report_age_s is not None and viewer.report_age_s > REPORT_OLD_S:
        report = None
    p50 = report.latency_p50_ms if report else None
    lost = viewer.frames_dropped + (report.missed if report else 0)
    cellsets: list[tuple[Span, ...]] = [
        (Span(viewer.address, "strong"),),
        (Span(viewer.transport, "dim"),),
        (Span(fmt.ms(p50).rjust(5), limits.latency_ms.level(p50)), Span(" ms", "dim")),
        (Span(f"{lost:>4}", "warn" if lost else "dim"), Span(" lost", "dim")),
    ]
    widths = [max(8, cells - 4 - 8 - 9 - 3), 4, 8, 9]
    if cells >= 64:
        cellsets += [
            (Span(fmt.number(report.fps if report else None).rjust(5), "strong"), Span(" fps", "dim")),
            (Span(fmt.duration(viewer.connected_s), "dim"),),
        ]
        widths = [max(8, cells - 4 - 8 - 9 - 9 - 10 - 5), 4, 8, 9, 9, 10]
    return columns(cellsets, widths)


def viewers(status: CameraStatus, cells: int, rows: int, limits: Thresholds) -> list[Line]:
    """One line a viewer, the slowest first, and how many more there are."""
    if not status.viewers:
        return [(Span("nobody is watching", "dim"),)]

    def slowness(viewer: Viewer) -> float:
        return (viewer.report.latency_p95_ms or 0.0) if viewer.report else -1.0

    ordered = sorted(status.viewers, key=slowness, reverse=True)
    shown = ordered if len(ordered) <= rows else ordered[: max(0, rows - 1)]
    lines: list[Line] = [viewer_line(viewer, cells, limits) for viewer in shown]
    if len(ordered) > len(shown):
        lines.append((Span(f"and {len(ordered) - len(shown)} more (w shows all)", "dim"),))
    return lines


def picture(status: CameraStatus, glyphs: Glyphs) -> list[Line]:
    """Size, codec, bitrate, keyframes, encoding, what was dropped."""
    dot = Span(f" {glyphs.middot} ", "faint")
    asked = status.bitrate_asked_kbps
    words = [[Span(text, "strong")] for text in (fmt.size(status.width, status.height), status.codec or "") if text]
    gop = f"every {status.gop} frames" if status.gop else fmt.UNKNOWN
    if status.gop and status.fps_asked:
        gop += f", {status.gop / status.fps_asked:.1f} s"
    dropped = ", ".join(
        f"{fmt.count(n)} {reason.replace('_', ' ')}" for reason, n in sorted(status.frames_dropped.items()) if n
    )
    return [
        field("picture", *joined([*words, [Span(status.encoder or "", "dim")] if status.encoder else []], dot)),
        field(
            "bitrate",
            Span(fmt.rate(status.bitrate_kbps), "strong"),
            Span(f", asked {fmt.rate(asked)}" if asked is not None else "", "dim"),
        ),
        field("keyframe", Span(gop, "strong" if status.gop else "dim")),
        field(
            "encoding",
            Span(fmt.ms(status.encode_ms_avg), "strong"),
            Span(" ms, at most ", "dim"),
            Span(fmt.ms(status.encode_ms_max), "strong"),
            Span(" ms", "dim"),
        ),
        field("dropped", Span(dropped or "0", "strong")),
    ]


_OF_CORE = " of a core"


def machine(view: CameraView, cells: int, limits: Thresholds, glyphs: Glyphs) -> list[Line]:
    """CPU, memory, temperature, network of the publisher's machine; without bars when `cells` is 0."""
    status = view.status
    if status is None:
        return []
    bar = max(4, min(16, cells - 9 - 7 - 24)) if cells else 0

    def metered(label: str, value: float | None, role: str, *more: Span) -> Line:
        share = None if value is None else value / 100
        return field(label, *gauge(share, bar, role, glyphs), Span(f" {fmt.percent(value).rjust(5)} ", "strong"), *more)

    own = "" if status.process_cpu_percent is None else f"zlfeed {fmt.percent(status.process_cpu_percent)}"
    if own and (not cells or 9 + bar + 7 + len(own) + len(_OF_CORE) <= cells):
        own += _OF_CORE
    where = f" out, {status.network_interface}" if status.network_interface else " out"
    link = view.host.link
    clock: tuple[Span, ...] = ()
    if link.clock_ahead_s is not None and abs(link.clock_ahead_s) >= CLOCK_APART_S:
        word = "ahead" if link.clock_ahead_s > 0 else "behind"
        clock = (Span(f", its clock is {fmt.ago(abs(link.clock_ahead_s))} {word}", "warn"),)
    return [
        metered("CPU", status.cpu_percent, limits.cpu_percent.level(status.cpu_percent), Span(own, "dim")),
        metered(
            "memory",
            status.memory_percent,
            limits.memory_percent.level(status.memory_percent),
            Span(fmt.memory(status.memory_used_mb, status.memory_total_mb), "dim"),
        ),
        field(
            "heat",
            Span(
                fmt.temperature(status.temperature_c),
                "dim" if status.temperature_c is None else limits.temperature_c.level(status.temperature_c),
            ),
        ),
        field("network", Span(fmt.megabits(status.network_mbps), "strong"), Span(where, "dim")),
        field("contact", Span(fmt.ms(link.round_trip_ms), "strong"), Span(" ms round trip", "dim"), *clock),
    ]


def watch(view: CameraView, cells: int) -> list[Line]:
    """Where the feed can be watched; where the kind has no room, the address alone."""
    urls = {kind: url for kind, url in view.urls.items() if kind != "websocket"}
    if not urls:
        return [(Span("no address known yet", "dim"),)]
    room = max(map(len, urls)) + 2
    named = all(room + len(url) <= cells for url in urls.values())
    return [field(kind if named else "", Span(url, "link"), label_cells=room * named) for kind, url in urls.items()]


def _card(title: str, right: Sequence[Span], body: Sequence[Line], cells: int, rows: int, glyphs: Glyphs) -> list[Line]:
    return framed([Span(title, "title")], right, body, cells, rows, glyphs)


def column(view: CameraView, cells: int, rows: int, limits: Thresholds, glyphs: Glyphs) -> list[Line]:
    """All cards under one another; viewers get what room the others leave."""
    inner, status = cells - 4, view.status
    if status is None:
        return _card("status", [], [(Span("no status yet", "dim"),)], cells, rows, glyphs)
    body, shape, links = machine(view, inner, limits, glyphs), picture(status, glyphs), watch(view, inner)
    room = rows - len(body) - len(shape) - len(links) - 6
    lines = [
        *_card(
            "viewers",
            [Span(str(len(status.viewers)), "strong")],
            viewers(status, inner, max(1, room - 2), limits),
            cells,
            room,
            glyphs,
        ),
        *_card("quality", [], shape, cells, len(shape) + 2, glyphs),
        *_card("machine", [], body, cells, len(body) + 2, glyphs),
        *_card("watch", [], links, cells, len(links) + 2, glyphs),
    ]
    return stale(lines) if view.stale else lines


def brief(view: CameraView, limits: Thresholds, glyphs: Glyphs) -> list[Line]:
    """The most important facts in five lines, for 60 cells."""
    status = view.status
    if status is None:
        return [(Span(" no status yet", "dim"),)]
    dot = Span(f" {glyphs.middot} ", "faint")
    size = fmt.size(status.width, status.height)
    shape = joined([[Span(text, "strong")] for text in (size, status.codec or "", status.encoder or "") if text], dot)
    bits = (Span(fmt.rate(status.bitrate_kbps), "strong"),)
    heat = (Span(fmt.temperature(status.temperature_c), limits.temperature_c.level(status.temperature_c)),)
    load = joined(
        [
            (Span("CPU ", "dim"), Span(fmt.percent(status.cpu_percent), limits.cpu_percent.level(status.cpu_percent))),
            (
                Span("memory ", "dim"),
                Span(fmt.percent(status.memory_percent), limits.memory_percent.level(status.memory_percent)),
            ),
            heat if status.temperature_c is not None else (),
            (Span(f"{fmt.megabits(status.network_mbps)} out", "strong"),),
        ],
        dot,
    )
    slowest = viewers(status, 56, max(2, len(status.viewers)), limits)[:1] if status.viewers else []
    url = next(iter(view.urls.values()), fmt.UNKNOWN)
    lines: list[Line] = [
        (Span(" "), *joined([shape, bits], dot)),
        (Span(" "), *load),
        (Span(" "), *field("viewers", Span(str(len(status.viewers)), "strong"))),
        *[(Span("  "), *line) for line in slowest],
        (Span(" "), *field("watch", Span(url, "link"))),
    ]
    return stale(lines) if view.stale else lines


def row(view: CameraView, cells: int, rows: int, limits: Thresholds, glyphs: Glyphs) -> list[Line]:
    """Two columns of facts without frames, for 80 cells and `rows` rows."""
    status = view.status
    if status is None:
        return [fit((Span(" no status yet", "dim"),), cells)]
    left_cells, right_cells = split(cells - 2, (1, 1), gap=2)
    left = picture(status, glyphs)
    right = machine(view, right_cells, limits, glyphs)
    lines: list[Line] = []
    for index in range(min(rows, max(len(left), len(right)))):
        lines.append((Span(" "), *columns([left[index], right[index]], [left_cells, right_cells], gap=2), Span(" ")))
    return stale(lines) if view.stale else lines
