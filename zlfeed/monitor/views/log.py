"""The activity log: levels, filter, search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from zlfeed.monitor import format as fmt
from zlfeed.monitor.lines import Glyphs, Line, Span, clean, fit
from zlfeed.monitor.snapshot import LogEntry

NARROW = 40
"""Cells below which a line has no room for whose entry it is."""
LEVELS = ("info", "warning", "error")
_ROLES = {"info": "info", "warning": "warn", "error": "bad"}


class Filter(NamedTuple):
    """What of the log is shown: entries of at least this level that hold the words, whatever their case."""

    level: str = "info"
    words: str = ""

    def louder(self) -> Filter:
        """The same with the next level, round about."""
        return Filter(LEVELS[(LEVELS.index(self.level) + 1) % len(LEVELS)], self.words)

    def passes(self, entry: LogEntry) -> bool:
        """Whether an entry is shown."""
        rank = LEVELS.index(entry.level) if entry.level in LEVELS else 0
        if rank < LEVELS.index(self.level):
            return False
        hay = f"{entry.host} {entry.camera} {entry.code} {entry.text}".lower()
        return all(word in hay for word in self.words.lower().split())

    @property
    def active(self) -> bool:
        """Whether anything can be hidden by it."""
        return self.level != "info" or bool(self.words.strip())


def select(entries: Iterable[LogEntry], chosen: Filter) -> list[LogEntry]:
    """The entries that pass."""
    return [entry for entry in entries if chosen.passes(entry)]


def entry_line(entry: LogEntry, glyphs: Glyphs, *, with_host: bool, with_where: bool = True) -> Line:
    """Time, level, where unless there is little room, what."""
    role = _ROLES.get(entry.level, "info")
    mark = {"good": glyphs.good, "warn": glyphs.warn, "bad": glyphs.bad}.get(role, glyphs.middot)
    where = "/".join(part for part in (entry.host if with_host else "", entry.camera) if part and with_where)
    return (
        Span(fmt.clock(entry.time_us), "dim"),
        Span(f" {mark} ", role),
        Span(f"{where}  " if where else "", "faint"),
        Span(_text(entry), "" if role == "info" else role),
    )


def _text(entry: LogEntry) -> str:
    """What happened, without the camera's name, which stands before it."""
    return entry.text.removeprefix(f"camera {entry.camera}: ") or entry.code


def window(
    entries: Sequence[LogEntry], cells: int, rows: int, offset: int, glyphs: Glyphs, *, with_host: bool
) -> list[Line]:
    """`rows` lines that end `offset` entries before the newest one, which is at the bottom."""
    end = len(entries) - max(0, min(offset, len(entries) - rows))
    shown = entries[max(0, end - rows) : end]
    return [fit(entry_line(entry, glyphs, with_host=with_host, with_where=cells >= NARROW), cells) for entry in shown]


def export(entries: Iterable[LogEntry]) -> str:
    """The log as lines of text with full times, for a file."""

    def line(entry: LogEntry) -> str:
        where = "/".join(part for part in (entry.host, entry.camera) if part) or "-"
        return f"{fmt.stamp(entry.time_us)} {entry.level:<7} {where} {entry.code}: {clean(entry.text)}\n"

    return "".join(map(line, entries))
