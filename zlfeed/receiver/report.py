"""What `receive` says on stdout: JSON lines, or for people a line a second (on a terminal one that renews itself)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from zlfeed.model import Event
from zlfeed.receiver.figures import Figures
from zlfeed.receiver.state import State
from zlfeed.terminal import GAP, RenewingLine, write


class Report(Protocol):
    """Where the receiver tells its progress. Any method may raise BrokenPipeError: nobody reads any more."""

    def second(self, figures: Figures, state: State, extra: Mapping[str, Any]) -> None: ...

    def event(self, event: Event) -> None: ...

    def summary(self, figures: Figures, extra: Mapping[str, Any]) -> None: ...

    def lines(self, lines: list[str]) -> None: ...


class JsonReport:
    """One JSON object a line, "type" first (design 4.1)."""

    def second(self, figures: Figures, state: State, extra: Mapping[str, Any]) -> None:
        self._print("second", {**figures.as_json(), "state": state.code, **extra})

    def event(self, event: Event) -> None:
        self._print("event", asdict(event))

    def summary(self, figures: Figures, extra: Mapping[str, Any]) -> None:
        self._print("summary", {**figures.as_json(), **extra})

    def lines(self, lines: list[str]) -> None:
        """Words are for people."""

    def _print(self, kind: str, fields: Mapping[str, Any]) -> None:
        write(json.dumps({"type": kind, **fields}, ensure_ascii=False, allow_nan=False) + "\n")


class TextReport:
    """For people. Events are in the log, on stderr."""

    def __init__(self) -> None:
        self._foot = RenewingLine()

    def second(self, figures: Figures, state: State, extra: Mapping[str, Any]) -> None:
        parts = second_words(figures, state)
        if self._foot.live:
            self._foot.show(parts)
        else:
            write(GAP.join(parts) + "\n")

    def event(self, event: Event) -> None:
        """Is in the log."""

    def summary(self, figures: Figures, extra: Mapping[str, Any]) -> None:
        self._foot.show(())
        self.lines(summary_words(figures, extra))

    def lines(self, lines: list[str]) -> None:
        """Lines of their own, above the one that renews itself."""
        self._foot.above(lines)


def number(value: float | None, digits: int = 1) -> str:
    """A figure for people, a dash when it is unknown."""
    return "–" if value is None else f"{value:.{digits}f}"


def second_words(figures: Figures, state: State) -> list[str]:
    """One second in one line, what matters most first: a narrow terminal shows its beginning."""
    parts = [", ".join(state.banner) or state.words]
    if figures.frames:
        latency = figures.latency_ms
        parts += [_latency(figures), f"{number(figures.fps)} fps", f"missed {figures.missed}"]
        parts += [f"p95 {number(latency.p95)}, p99 {number(latency.p99)}, max {number(latency.max)}"] if latency else []
        parts.append(f"{figures.width}×{figures.height}")
    return parts


def summary_words(figures: Figures, extra: Mapping[str, Any]) -> list[str]:
    """The run in a few lines."""
    if not figures.frames:
        return ["no picture was received"]
    reconnects = f"{figures.reconnects} reconnect{'' if figures.reconnects == 1 else 's'}"
    latency = figures.latency_ms
    tail = f" (p95 {number(latency.p95)}, p99 {number(latency.p99)}, max {number(latency.max)})" if latency else ""
    lines = [
        f"{figures.frames} pictures, {number(figures.fps)} fps, {figures.missed} missed, {reconnects}, "
        f"longest freeze {number(figures.longest_freeze_ms, 0)} ms",
        _latency(figures) + tail,
        f"first picture after {number(figures.first_picture_ms, 0)} ms, live after {number(figures.live_ms, 0)} ms",
    ]
    if figures.unread_timecodes:
        lines.append(f"{figures.unread_timecodes} pictures without a readable timecode")
    if extra.get("saved"):
        dropped = f", {extra['save_dropped']} dropped" if extra["save_dropped"] else ""
        lines.append(f"{extra['saved_pictures']} pictures saved in {extra['saved']}{dropped}")
    return lines


def _latency(figures: Figures) -> str:
    if figures.latency_ms is None:
        return "latency unknown"
    return f"latency {number(figures.latency_ms.p50)} ±{number(max(0.1, figures.latency_error_ms or 0))} ms"
