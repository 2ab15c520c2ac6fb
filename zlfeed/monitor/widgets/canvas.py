"""A widget that draws lines of spans and repaints only the cells that changed.

Textual repaints whole widgets. At two frames a second over a thin link the difference is most of the traffic: a clock
that moves costs twenty bytes instead of its whole line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from zlfeed.monitor.lines import Line, Span, fit, text_width, to_ascii, width
from zlfeed.monitor.session import Session
from zlfeed.monitor.themes import Palette

BRIDGE = 6
"""Unchanged cells between two changes that are repainted too: cheaper than moving the cursor."""

Make = Callable[[int, int], Sequence[Line]]


class Canvas(Widget):
    """Shows what `make(cells, rows)` gives, asked anew by every `update()` and after a resize."""

    DEFAULT_CSS = "Canvas { width: 1fr; height: 1fr; }"

    def __init__(self, session: Session, make: Make, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.session = session
        self._make = make
        self._lines: list[Line] = []
        self._strips: list[Strip] = []
        self._drawn_for: tuple[Size, Palette, bool] | None = None

    def update(self) -> None:
        """Draws anew; cells that stay the same are not sent to the terminal."""
        if not self.content_size or not self.display:
            return
        if self._drawn_for != self._look():
            self._draw_all()
            self.refresh()
            return
        dirty: list[Region] = []
        before, self._lines = self._lines, self._fitted()
        for y, (old, new) in enumerate(zip(before, self._lines, strict=True)):
            if old != new:
                self._strips[y] = self._strip(new)
                dirty += [Region(left, y, right - left, 1) for left, right in changes(old, new)]
        if dirty:
            self.refresh(*dirty)

    def _look(self) -> tuple[Size, Palette, bool]:
        """What everything is drawn anew for."""
        return self.content_size, self.session.palette, self.session.glyphs.unicode

    def _draw_all(self) -> None:
        self._drawn_for, self._lines = self._look(), self._fitted()
        self._strips = [self._strip(line) for line in self._lines]

    def _fitted(self) -> list[Line]:
        cells, rows = self.content_size
        made = self._make(cells, rows)
        return [fit(made[y], cells) if y < len(made) else (Span(" " * cells),) for y in range(rows)]

    def on_resize(self, _event: events.Resize) -> None:
        """The lines were made for another size."""
        self.update()

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines, as Textual asks for them. At a new size it asks for all, and tells of the size only after that."""
        if self.content_size and (self._drawn_for is None or self._drawn_for[0] != self.content_size):
            self._draw_all()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """One line."""
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self.rich_style)

    def _strip(self, line: Line) -> Strip:
        return strip(line, self.rich_style, self.session)


def strip(line: Line, base: Style, session: Session) -> Strip:
    """A line as the terminal gets it, in the session's colours and characters."""
    style, unicode = session.palette.style, session.glyphs.unicode
    segments = [Segment(text if unicode else to_ascii(text), base + style(role)) for text, role in line]
    return Strip(segments, width(line))


def changes(old: Line, new: Line) -> list[tuple[int, int]]:
    """Where two lines of the same width differ, as (first cell, cell behind the last); near ones are joined."""
    out: list[tuple[int, int]] = []
    for x, (before, after) in enumerate(zip(_cells(old), _cells(new), strict=False)):
        if before == after:
            continue
        if out and x - out[-1][1] <= BRIDGE:
            out[-1] = (out[-1][0], x + 1)
        else:
            out.append((x, x + 1))
    return out


def _cells(line: Line) -> list[tuple[str, str]]:
    cells: list[tuple[str, str]] = []
    for text, style in line:
        for char in text:
            wide = text_width(char)
            if wide:
                cells.append((char, style))
                cells.extend([("", style)] * (wide - 1))
            elif cells:
                cells[-1] = (cells[-1][0] + char, style)
    return cells
