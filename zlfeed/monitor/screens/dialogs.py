"""The boxes over the screens: help, addresses, viewers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import zip_longest
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from zlfeed.monitor import clipboard, qr
from zlfeed.monitor import format as fmt
from zlfeed.monitor.lines import Line, Span, columns, framed
from zlfeed.monitor.screens.base import Dialog
from zlfeed.monitor.session import Session
from zlfeed.monitor.views import cards, code, way
from zlfeed.monitor.views.common import split, stale
from zlfeed.monitor.widgets.canvas import Canvas


class HelpDialog(Dialog):
    """All keys, from the bindings themselves."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark", "dismiss", "Close", show=False)]

    def __init__(self, session: Session, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__(session)
        self._keys = keys

    def compose(self) -> ComposeResult:
        """One canvas in a box of the right height."""
        with Container(classes="dialog") as box:
            box.styles.height = len(self._keys) + 6
            yield Canvas(self.session, self._draw)

    def _draw(self, cells: int, rows: int) -> list[Line]:
        inner = cells - 4
        entries: list[Line] = [(Span(key.rjust(8), "accent"), Span(f" {what}")) for key, what in self._keys]
        if len(entries) > rows - 2:  # in two columns
            half = (len(entries) + 1) // 2
            widths = split(inner, (1, 1))
            pairs = zip_longest(entries[:half], entries[half:], fillvalue=())
            entries = [columns(pair, widths) for pair in pairs]
        notes = [
            "Latency is what viewers report: capture to picture in hand.",
            "A dash means: nobody has measured it.",
            "Graphs: five minutes; latency p50 stands in front of p95.",
        ]
        lines = [*entries, (), *[(Span(note, "dim"),) for note in notes]]
        return framed([Span("help", "title")], [Span("Esc", "dim")], lines, cells, rows, self.session.glyphs)


class AddressesDialog(Dialog):
    """Where the feed can be watched; Enter or a click copies an address (OSC 52, in tmux by tmux)."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "dismiss", "Close", show=False),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("enter,y", "copy", "Copy", show=False),
        Binding("r", "code", "QR code", show=False),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._cursor = 0
        self._moved = False
        self._said = ""
        self._code: qr.Modules | None = None

    def compose(self) -> ComposeResult:
        """One canvas in a box of the right height."""
        with Container(classes="dialog wide"):
            yield Canvas(self.session, self._draw)

    def on_mount(self) -> None:
        """The box fits what is in it."""
        self._fit()

    def show(self) -> None:
        """Draws the session's snapshot; addresses may come later."""
        self._fit()
        super().show()

    def _fit(self) -> None:
        rows = code.size(self._code, self.session.glyphs)[1] + 3 if self._code else len(self._urls()) + 4
        for box in self.query(".dialog"):  # none while the dialog is being made
            box.styles.height = rows

    def _urls(self) -> list[tuple[str, str]]:
        camera = self.session.camera
        return list(camera.urls.items()) if camera else []

    def _draw(self, cells: int, rows: int) -> list[Line]:
        glyphs = self.session.glyphs
        if self._code:
            url = self._urls()[min(self._cursor, len(self._urls()) - 1)][1]
            margin = Span(" " * max(0, (cells - 4 - code.size(self._code, glyphs)[0]) // 2))
            body: list[Line] = [(margin, *line) for line in code.lines(self._code, glyphs)]
            return framed(
                [Span("scan", "title")], [Span("r back", "dim")], [*body, (Span(url, "link"),)], cells, rows, glyphs
            )
        lines: list[Line] = []
        for index, (kind, url) in enumerate(self._urls()):
            pointer = glyphs.arrow if index == self._cursor else " "
            lines.append((Span(f"{pointer} ", "accent"), Span(kind.ljust(10), "dim"), Span(url, "link")))
        if not lines:
            lines = [(Span("no address is known yet", "dim"),)]
        lines += [(), (Span(self._said or "Enter copies, r shows a QR code", "good" if self._said else "dim"),)]
        return framed([Span("watch at", "title")], [Span("Esc", "dim")], lines, cells, rows, glyphs)

    def action_move(self, by: int) -> None:
        """Moves the cursor."""
        self._cursor = max(0, min(len(self._urls()) - 1, self._cursor + by))
        self._moved = True
        self.show()

    def action_copy(self) -> None:
        """Copies the address under the cursor."""
        urls = self._urls()
        if urls:
            url = urls[min(self._cursor, len(urls) - 1)][1]
            if not clipboard.by_tmux(url, os.environ):
                self.app.copy_to_clipboard(url)
            self._said = f"copied {url}"
        self.show()

    def action_code(self) -> None:
        """The address under the cursor for a phone's camera, or back; the browser's page where none was chosen."""
        urls = self._urls()
        if not self._moved:
            kinds = [kind for kind, _ in urls]
            # An older publisher has no page of its own.
            self._cursor = next((kinds.index(kind) for kind in ("page", "webrtc") if kind in kinds), self._cursor)
        if self._code or not urls:
            self._code = None
        else:
            self._code = qr.encode(urls[min(self._cursor, len(urls) - 1)][1])
            room = self.app.size
            if self._code is None:
                self._said = "this address is too long for a QR code here"
            elif (needed := code.size(self._code, self.session.glyphs))[1] + 3 > room.height or needed[0] > room.width:
                self._code = None
                self._said = f"the QR code needs {needed[1] + 3} rows"
        self._fit()
        self.call_after_refresh(self.show)

    def on_click(self, event: events.Click) -> None:
        """A click on an address copies it."""
        if not self._code and isinstance(event.widget, Canvas) and 0 <= event.y - 1 < len(self._urls()):
            self._cursor = event.y - 1
            self.action_copy()


class ChainDialog(Dialog):
    """The parts that frames pass, each with its state, restarts and last error."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("x", "dismiss", "Close", show=False)]

    def compose(self) -> ComposeResult:
        """One canvas in a box of the right height."""
        with Container(classes="dialog wide") as box:
            box.styles.height = 12
            yield Canvas(self.session, self._draw)

    def _draw(self, cells: int, rows: int) -> list[Line]:
        camera = self.session.camera
        lines: list[Line] = [(Span("no status yet", "dim"),)]
        if camera is not None and camera.status is not None:
            lines = way.table(camera.status, cells - 4, self.session.glyphs)
            lines = stale(lines) if camera.stale else lines
        title = [Span("chain", "title"), Span(f" {camera.name}" if camera else "", "dim")]
        return framed(title, [Span("Esc", "dim")], lines, cells, rows, self.session.glyphs)


class ViewersDialog(Dialog):
    """Every viewer with all that is known of it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("w", "dismiss", "Close", show=False)]

    def compose(self) -> ComposeResult:
        """One canvas over most of the screen."""
        with Container(classes="dialog tall"):
            yield Canvas(self.session, self._draw)

    def _draw(self, cells: int, rows: int) -> list[Line]:
        camera, glyphs = self.session.camera, self.session.glyphs
        status = camera.status if camera else None
        lines: list[Line] = []
        if status is None or not status.viewers:
            lines = [(Span("nobody is watching", "dim"),)]
        else:
            for viewer in status.viewers:
                report = viewer.report
                lines.append(cards.viewer_line(viewer, cells - 4, self.session.limits))
                parts = []  # what matters most first: the end is cut where there is little room
                if report:
                    parts.append(f"p95 {fmt.ms(report.latency_p95_ms)} ±{fmt.ms(report.latency_error_ms)} ms")
                    parts.append(f"longest freeze {fmt.ms(report.longest_freeze_ms)} ms")
                if viewer.transport != "tcp" or viewer.loss_percent is not None:  # over TCP there is none to be told
                    parts.append(f"loss {fmt.percent(viewer.loss_percent)}")
                    parts.append(f"jitter {fmt.ms(viewer.jitter_ms)} ms")
                parts += [f"{fmt.count(viewer.frames_sent)} frames sent", viewer.agent]
                joint = f" {glyphs.middot} "
                lines.append((Span("   " + joint.join(part for part in parts if part), "dim"),))
        right = [Span("Esc", "dim")]
        return framed([Span("viewers", "title")], right, lines, cells, rows, glyphs)
