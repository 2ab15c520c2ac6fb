"""The activity log over the whole screen, with search."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from zlfeed.monitor.screens.base import View
from zlfeed.monitor.session import Session
from zlfeed.monitor.views.log import Filter
from zlfeed.monitor.widgets.canvas import Canvas
from zlfeed.monitor.widgets.key_bar import KeyBar
from zlfeed.monitor.widgets.log_pane import LogPane


class LogScreen(View):
    """The log; `/` finds words, Escape clears them and then leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "find", "Find"),
        Binding("escape", "back", "Back"),
    ]

    def __init__(self, session: Session, *, find: bool = False) -> None:
        super().__init__(session)
        self._find = find

    def content(self) -> ComposeResult:
        """Header, banner, log, the search line."""
        yield Canvas(self.session, self.header, id="header")
        yield Canvas(self.session, self.banner, id="banner")
        yield LogPane(self.session, id="log")
        yield Input(self.session.filter.words, placeholder="words to find", id="find", compact=True)
        yield KeyBar(self.session)

    def on_mount(self) -> None:
        """Begins with the search when it was asked for."""
        self.query_one(Input).display = self._find or bool(self.session.filter.words)
        self.query_one(Input if self._find else LogPane).focus()

    def action_find(self) -> None:
        """Opens the search line."""
        line = self.query_one(Input)
        line.display = True
        line.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Finds while typing."""
        self.session.filter = Filter(self.session.filter.level, event.value)
        self.query_one(LogPane).update()

    def on_input_submitted(self, _event: Input.Submitted) -> None:
        """Enter keeps the words and goes back to the log."""
        self.query_one(LogPane).focus()

    def action_back(self) -> None:
        """Clears the search, or leaves."""
        line = self.query_one(Input)
        if line.display:
            line.value = ""
            line.display = False
            self.query_one(LogPane).focus()
        else:
            self.dismiss()
