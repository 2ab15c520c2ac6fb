"""The top of the screen: the header, the banner while out of contact, and the line that says it all."""

from __future__ import annotations

from collections.abc import Sequence

from zlfeed.monitor import format as fmt
from zlfeed.monitor.health import fps_level
from zlfeed.monitor.limits import Thresholds
from zlfeed.monitor.lines import Glyphs, Line, Span, clip, fit, framed, spread, text_width
from zlfeed.monitor.snapshot import CameraView, HostView, Snapshot
from zlfeed.monitor.views.common import badge, beside, joined, mark, split, stale

WORDS = {"good": "healthy", "warn": "look here", "bad": "trouble", "unknown": "waiting"}
_STATE_WORDS = {"live": "live", "no_signal": "no signal", "encoder_down": "encoder down"}


def state_word(view: CameraView) -> tuple[str, str]:
    """(level, word) of a feed's state, as far as the monitor knows."""
    if view.host.link.refused:
        return "bad", "refused"
    if not view.host.link.connected:
        return "bad", "no contact"
    if view.status is None:
        return "unknown", "waiting"
    state = view.status.state
    level = "good" if state == "live" else "warn" if state in ("starting", "private") else "bad"
    return level, _STATE_WORDS.get(state, state)


def header(
    snapshot: Snapshot, current: CameraView | None, cells: int, glyphs: Glyphs, *, paused: bool, here: bool = True
) -> list[Line]:
    """One line: the cameras as tabs, the state, stream time, the wall clock. `here` marks the tab of `current`."""
    left: list[Span] = [Span(" zlfeed ", "brand"), Span(" ")]
    many_hosts = len(snapshot.hosts) > 1
    for index, view in enumerate(snapshot.cameras[:9]):
        name = f"{view.host.name}/{view.name}" if many_hosts else view.name
        on = here and current is not None and view.key == current.key
        left.append(Span(f" {index + 1} {name} ", "tab-on" if on else "tab"))
    if len(snapshot.cameras) > 9:
        left.append(Span(f" +{len(snapshot.cameras) - 9} ", "tab"))
    if not many_hosts and snapshot.hosts and text_width("".join(s.text for s in left)) < cells - 40:
        left.append(Span(f"  {snapshot.hosts[0].name}", "dim"))
    right: list[Span] = []
    fresh = sum(not alert.acknowledged for alert in snapshot.alerts)
    if fresh:
        right += [Span(f" {glyphs.bad} {fresh} alert{'s' * (fresh != 1)} ", "badge-bad"), Span("  ")]
    elif snapshot.alerts:
        right += [Span(f"{len(snapshot.alerts)} seen", "dim"), Span("  ")]
    if paused:
        right += [Span(" paused ", "badge-warn"), Span("  ")]
    if current is not None and here:
        level, word = state_word(current)
        right += [mark(level, glyphs), Span(f" {word}", level), Span(f"  {fmt.duration(current.stream_s)}", "dim")]
    right.append(Span(f"  {fmt.clock(snapshot.time_us)} ", "strong"))
    return [spread(left, right, cells)]


def banner(hosts: Sequence[HostView], cells: int, glyphs: Glyphs) -> list[Line]:
    """What is known of the first publisher out of contact, and how many more there are; nothing when there is none."""
    lost = [host for host in hosts if not host.link.connected]
    if not lost:
        return []
    host, link = lost[0], lost[0].link
    if link.refused:
        return _painted(f" {glyphs.bad} {host.name}: {link.error or 'refused'}", cells, "banner")
    words = f"no contact with {host.name}" if link.ever else f"connecting to {host.name}"
    parts = [words]
    if link.attempt > 1 or link.error:
        parts.append(f"attempt {link.attempt}")
    if link.retry_in_s is not None:
        parts.append(f"next in {fmt.ago(link.retry_in_s)}")
    if link.ever:
        parts.append(f"figures are {fmt.ago(host.age_s)} old")
    if link.error:
        parts.append(link.error)
    if len(lost) > 1:
        parts.insert(1, f"and {len(lost) - 1} more")
    away = link.ever or link.error is not None
    text = f" {glyphs.bad if away else glyphs.unknown} " + f" {glyphs.middot} ".join(parts)
    return _painted(text, cells, "banner" if away else "banner-calm")


def _painted(text: str, cells: int, style: str) -> list[Line]:
    """A line with its style to the end."""
    shown = clip(text, cells)
    return [(Span(shown + " " * (cells - text_width(shown)), style),)]


def _figures(view: CameraView, limits: Thresholds) -> tuple[Span, Span, Span]:
    """fps, latency p50 and p95, coloured by their limits."""
    status = view.status
    latency = status.latency_ms if status else None
    p50, p95 = (latency.p50, latency.p95) if latency else (None, None)
    fps = status.fps if status else None
    asked = status.fps_asked if status else None
    return (
        Span(fmt.number(fps), fps_level(fps, asked, limits)),
        Span(fmt.ms(p50), limits.latency_ms.level(p50)),
        Span(fmt.ms(p95), limits.latency_ms.level(p95)),
    )


def reasons(view: CameraView, rows: int) -> list[Line]:
    """Why health is what it is, the worst first, in at most `rows` lines."""
    health = view.health
    if health.level == "unknown":
        return [(Span("no figures yet", "dim"),)]
    if not health.reasons:
        return [(Span("every figure is within its limits", "dim"),)]
    shown: list[Line] = [(Span(reason.text, reason.level),) for reason in health.reasons[:rows]]
    if len(health.reasons) > rows > 0:
        more = len(health.reasons) - rows
        shown[-1] = (*shown[-1], Span(f"  +{more}", "dim"))
    return shown


def hero(view: CameraView, cells: int, limits: Thresholds, glyphs: Glyphs) -> list[Line]:
    """Five rows with large digits: frames a second, latency, health."""
    fps, p50, p95 = _figures(view, limits)
    status = view.status
    fps_cells, latency_cells, health_cells = split(cells, (26, 46, 46))
    asked = f"of {status.fps_asked:g}" if status and status.fps_asked else ""
    fps_body = _large(fps, ("fps", "", asked), glyphs)
    error = view.latency_error_ms
    maximum = status.latency_ms.max if status and status.latency_ms else None
    notes: list[Line] = [
        (Span("p95 ", "dim"), p95, Span(" ms", "dim")),
        (Span("  ± ", "dim"), Span(fmt.ms(error), "strong"), Span(" ms", "dim")),
        (Span("max ", "dim"), Span(fmt.ms(maximum), "strong"), Span(" ms", "dim")) if maximum is not None else (),
    ]
    if p50.text == fmt.UNKNOWN:
        notes = [(Span("nobody", "dim"),), (Span("reports", "dim"),), (Span("one yet", "dim"),)]
    latency_body = [
        (*line, Span("  "), *note)
        for line, note in zip(_large(p50, ("ms p50", "", ""), glyphs), notes, strict=True)
    ]  # fmt: skip
    level = view.health.level
    old = stale if view.stale else list
    blocks = [
        (old(framed([Span("rate", "title")], [], fps_body, fps_cells, 5, glyphs)), fps_cells),
        (
            old(
                framed(
                    [Span("latency", "title"), Span(" capture → picture in hand", "faint")],
                    [],
                    latency_body,
                    latency_cells,
                    5,
                    glyphs,
                )
            ),
            latency_cells,
        ),
        (
            framed(
                [Span("health", "title")],
                [badge(level, WORDS[level], glyphs)],
                reasons(view, 3),
                health_cells,
                5,
                glyphs,
                style=f"frame-{level}" if level in ("warn", "bad") else "frame",
            ),
            health_cells,
        ),
    ]
    return beside(blocks)


def _large(figure: Span, notes: tuple[str, str, str], glyphs: Glyphs) -> list[Line]:
    """A figure in three rows of digits with small words behind."""
    if not glyphs.unicode:
        return [
            (Span(f"  {figure.text:>6} ", f"{figure.style}"), Span(notes[0], "dim")),
            (Span(" " * 9), Span(notes[1] or notes[2], "dim")),
            (),
        ]
    rows = fmt.big(figure.text)
    return [(Span(f" {row} ", figure.style), Span(note.ljust(6), "dim")) for row, note in zip(rows, notes, strict=True)]


def hero_line(view: CameraView, cells: int, limits: Thresholds, glyphs: Glyphs) -> Line:
    """Rate and latency in one line."""
    fps, p50, p95 = _figures(view, limits)
    status = view.status
    error = view.latency_error_ms
    asked = f" of {status.fps_asked:g}" if status and status.fps_asked else ""
    return joined(
        [
            (fps, Span(f"{asked} fps", "dim")),
            (Span("latency " if cells >= 60 else "", "dim"), p50, Span(" ms p50  ", "dim"), p95, Span(" p95", "dim"))
            + ((Span(f" ±{fmt.ms(error)}", "dim"),) if error is not None else ()),
        ],
        Span(f"  {glyphs.separator}  ", "faint"),
    )


def hero_small(view: CameraView, cells: int, limits: Thresholds, glyphs: Glyphs) -> list[Line]:
    """Two lines without a frame: the figures with the state of health, and the reason."""
    level = view.health.level
    figures = (Span(" "), *hero_line(view, cells - 12, limits, glyphs))
    return [
        spread(stale([figures])[0] if view.stale else figures, (badge(level, WORDS[level], glyphs),), cells),
        fit((Span(" "), *reasons(view, 1)[0]), cells),
    ]
