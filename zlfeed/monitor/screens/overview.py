"""All cameras of all publishers in one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from zlfeed.monitor.lines import Line, Span, framed
from zlfeed.monitor.screens.base import View
from zlfeed.monitor.session import Session
from zlfeed.monitor.snapshot import HostView
from zlfeed.monitor.views import overview as view
from zlfeed.monitor.widgets.canvas import Canvas
from zlfeed.monitor.widgets.key_bar import KeyBar
from zlfeed.monitor.widgets.log_pane import LogPane


class Table(Canvas, can_focus=True):
    """The table with a cursor that stays on its camera when the order changes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("enter", "open", "Open"),
        Binding("s", "sort", "Sort"),
    ]

    class Opened(Message):
        """A camera was chosen."""

        def __init__(self, key: tuple[str, str]) -> None:
            super().__init__()
            self.key = key

    def __init__(self, session: Session, *, id: str | None = None) -> None:
        super().__init__(session, self._draw, id=id)
        self._first = 0

    def _rows(self) -> list[view.Row]:
        return view.rows(self.session.snapshot, self.session.sort)

    def _cursor(self, rows: Sequence[view.Row]) -> int:
        keys = [row.view.key if row.view else None for row in rows]
        camera = self.session.camera
        return keys.index(camera.key) if camera else 0

    def _draw(self, cells: int, rows: int) -> list[Line]:
        session, table = self.session, self._rows()
        cursor, inner = self._cursor(table), max(1, rows - 3)
        self._first = max(0, min(self._first, cursor, len(table) - inner), cursor - inner + 1)
        body = [view.head(cells - 4, session.sort, session.glyphs)]
        for index, row in list(enumerate(table))[self._first : self._first + inner]:
            chosen = index == cursor and self.has_focus
            body.append(
                view.line(row, cells - 4, session.snapshot.now_s, session.limits, session.glyphs, chosen=chosen)
            )
        hosts, cameras = len(session.snapshot.hosts), len(session.snapshot.cameras)
        right = [Span(f"{cameras} cameras, {hosts} publisher{'s' * (hosts != 1)}", "dim")]
        style = "frame-focus" if self.has_focus else "frame"
        return framed([Span("overview", "title")], right, body, cells, rows, session.glyphs, style)

    def _choose(self, index: int) -> None:
        rows = self._rows()
        if rows and (row := rows[max(0, min(index, len(rows) - 1))]).view:
            self.session.chosen = row.view.key
            self.update()

    def action_move(self, by: int) -> None:
        """Moves the cursor."""
        self._choose(self._cursor(self._rows()) + by)

    def action_open(self) -> None:
        """Opens the camera under the cursor."""
        if camera := self.session.camera:
            self.post_message(self.Opened(camera.key))

    def action_sort(self) -> None:
        """Sorts by the next column."""
        self.session.sort = (self.session.sort + 1) % len(view.COLUMNS)
        self.update()

    def on_click(self, event: events.Click) -> None:
        """A click chooses, a second one on the same row opens."""
        index = self._first + event.y - 2
        if not 0 <= index < len(self._rows()):
            return
        if index == self._cursor(self._rows()) and event.chain > 1:
            self.action_open()
        else:
            self._choose(index)

    def on_focus(self) -> None:
        """The frame shows the focus."""
        self.update()

    def on_blur(self) -> None:
        """The frame shows the focus."""
        self.update()


class OverviewScreen(View):
    """The table over the log of all publishers."""

    def content(self) -> ComposeResult:
        """Header, banner, table, log."""
        yield Canvas(self.session, self.header, id="header")
        yield Canvas(self.session, self.banner, id="banner")
        yield Table(self.session, id="table")
        yield LogPane(self.session, id="log")
        yield KeyBar(self.session)

    @property
    def about_one_camera(self) -> bool:
        """No tab is lit here."""
        return False

    def banner_hosts(self) -> Sequence[HostView]:
        """Every publisher: the first one without contact is told of."""
        return self.session.snapshot.hosts
