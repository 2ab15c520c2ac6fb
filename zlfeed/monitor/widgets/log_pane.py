"""The activity log as a pane that scrolls, follows, filters and finds."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from zlfeed.monitor.lines import Line, Span, framed
from zlfeed.monitor.session import Session
from zlfeed.monitor.views import log as view
from zlfeed.monitor.widgets.canvas import Canvas


class LogPane(Canvas, can_focus=True):
    """Follows the newest entry until it is scrolled up; End follows again."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_by(1)", "Older", show=False),
        Binding("down,j", "scroll_by(-1)", "Newer", show=False),
        Binding("pageup", "scroll_by(10)", "Ten older", show=False),
        Binding("pagedown", "scroll_by(-10)", "Ten newer", show=False),
        Binding("end", "follow", "Follow the newest", show=False),
        Binding("home", "oldest", "The oldest", show=False),
    ]

    def __init__(self, session: Session, *, id: str | None = None) -> None:
        super().__init__(session, self._draw, id=id)
        self._newest = 0  # log_total at the newest shown entry, while not following
        self._offset = 0

    def _draw(self, cells: int, rows: int) -> list[Line]:
        snapshot, chosen = self.session.snapshot, self.session.filter
        entries = view.select(snapshot.log, chosen)
        if self._offset:
            # Held still: what has come since pushes the view back by as many entries.
            self._offset += len(view.select(snapshot.log[len(snapshot.log) - self._since() :], chosen))
        self._newest = snapshot.log_total
        inner = max(1, rows - 2)
        self._offset = max(0, min(self._offset, len(entries) - inner))
        lines = view.window(
            entries, cells - 4, inner, self._offset, self.session.glyphs, with_host=len(snapshot.hosts) > 1
        )
        if not lines:
            text = "nothing passes the filter" if chosen.active and snapshot.log else "nothing has happened yet"
            lines = [(Span(text, "dim"),)]
        right = [Span(f"{self._offset} newer below", "warn")] if self._offset else []
        title = [Span("activity", "title"), *self._filter_words()]
        style = "frame-focus" if self.has_focus else "frame"
        return framed(title, right, lines, cells, rows, self.session.glyphs, style)

    def _since(self) -> int:
        log = self.session.snapshot.log
        return min(len(log), self.session.snapshot.log_total - self._newest)

    def _filter_words(self) -> list[Span]:
        chosen = self.session.filter
        words = []
        if chosen.level != "info":
            words.append(f" {chosen.level} and worse")
        if chosen.words.strip():
            words.append(f' "{chosen.words.strip()}"')
        return [Span(word, "accent") for word in words]

    def action_scroll_by(self, entries: int) -> None:
        """Scrolls towards older entries."""
        self._offset = max(0, self._offset + entries)
        self.update()

    def action_follow(self) -> None:
        """Back to the newest entry, and stays there."""
        self._offset = 0
        self.update()

    def action_oldest(self) -> None:
        """To the oldest entry that passes."""
        self._offset = len(self.session.snapshot.log)
        self.update()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel scrolls by three entries."""
        event.stop()
        self.action_scroll_by(3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel scrolls by three entries."""
        event.stop()
        self.action_scroll_by(-3)

    def on_focus(self) -> None:
        """The frame shows the focus."""
        self.update()

    def on_blur(self) -> None:
        """The frame shows the focus."""
        self.update()
