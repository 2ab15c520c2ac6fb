"""What `receive` says on stdout: JSON lines, or for people a line a second (on a terminal one that renews itself)."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from zlfeed import logs
from zlfeed.model import Event
from zlfeed.receiver.figures import Figures
from zlfeed.receiver.state import State


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
        self._renews = sys.stdout is not None and sys.stdout.isatty()
        self._line = ""
        if self._renews:
            logs.around_writes(self._clear, self._redraw)

    def second(self, figures: Figures, state: State, extra: Mapping[str, Any]) -> None:
        line = second_words(figures, state)
        if self._renews:
            self._clear()
            self._line = line
            self._redraw()
        else:
            write(line + "\n")

    def event(self, event: Event) -> None:
        """Is in the log."""

    def summary(self, figures: Figures, extra: Mapping[str, Any]) -> None:
        self._clear()
        self._line = ""
        self.lines(summary_words(figures, extra))

    def lines(self, lines: list[str]) -> None:
        """Lines of their own, above the one that renews itself."""
        self._clear()
        write("".join(f"{line}\n" for line in lines))
        self._redraw()

    def _clear(self) -> None:
        if self._renews and self._line:
            write("\r\x1b[K")

    def _redraw(self) -> None:
        if self._renews and self._line:
            write(self._line[: shutil.get_terminal_size().columns - 1])


def number(value: float | None, digits: int = 1) -> str:
    """A figure for people, a dash when it is unknown."""
    return "–" if value is None else f"{value:.{digits}f}"


def second_words(figures: Figures, state: State) -> str:
    """One second in one line, what matters most first: a narrow terminal shows its beginning."""
    parts = [", ".join(state.banner) or state.words]
    if figures.frames:
        parts.append(f"{number(figures.fps)} fps")
        parts.append(_latency(figures))
        parts.append(f"missed {figures.missed}")
        parts.append(f"{figures.width}×{figures.height}")
    return "  ".join(parts)


def summary_words(figures: Figures, extra: Mapping[str, Any]) -> list[str]:
    """The run in a few lines."""
    if not figures.frames:
        return ["no picture was received"]
    reconnects = f"{figures.reconnects} reconnect{'' if figures.reconnects == 1 else 's'}"
    lines = [
        f"{figures.frames} pictures, {number(figures.fps)} fps, {figures.missed} missed, {reconnects}, "
        f"longest freeze {number(figures.longest_freeze_ms, 0)} ms",
        _latency(figures),
        f"first picture after {number(figures.first_picture_ms, 0)} ms, live after {number(figures.live_ms, 0)} ms",
    ]
    if figures.unread_timecodes:
        lines.append(f"{figures.unread_timecodes} pictures without a readable timecode")
    if extra.get("saved"):
        dropped = f", {extra['save_dropped']} dropped" if extra["save_dropped"] else ""
        lines.append(f"{extra['saved_pictures']} pictures saved in {extra['saved']}{dropped}")
    return lines


def _latency(figures: Figures) -> str:
    latency = figures.latency_ms
    if latency is None:
        return "latency unknown"
    return (
        f"latency {number(latency.p50)} ±{number(max(0.1, figures.latency_error_ms or 0))} ms "
        f"(p95 {number(latency.p95)}, p99 {number(latency.p99)}, max {number(latency.max)})"
    )


def write(text: str) -> None:
    """Writes to stdout at once."""
    if sys.stdout is not None:
        sys.stdout.write(text)
        sys.stdout.flush()
