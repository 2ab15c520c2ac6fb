"""Setting what the camera and the encoder let one set, by keyboard and mouse."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from zlfeed.model import Control
from zlfeed.monitor.controls import Key, Setter, at_share, changed
from zlfeed.monitor.lines import Line, Span, clean, framed
from zlfeed.monitor.screens.base import Dialog
from zlfeed.monitor.session import Session
from zlfeed.monitor.views import controls as view
from zlfeed.monitor.widgets.canvas import Canvas


class ControlsDialog(Dialog):
    """A slider a control. The value shown is the one read back; a wish is marked until it is confirmed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "dismiss", "Close", show=False),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("left,h,minus", "change(-1)", "Less", show=False),
        Binding("right,l,plus", "change(1)", "More", show=False),
        Binding("shift+left,pageup", "change(-10)", "Much less", show=False),
        Binding("shift+right,pagedown", "change(10)", "Much more", show=False),
        Binding("enter,space", "act", "Do, switch, next", show=False),
        Binding("d", "default", "As delivered", show=False),
    ]

    def __init__(self, session: Session, setter: Setter, set_control: Callable[[Key, str], None]) -> None:
        super().__init__(session)
        self._setter = setter
        self._set_control = set_control
        self._cursor = 0
        self._dragging = False

    def compose(self) -> ComposeResult:
        """One canvas in a box of the right height."""
        with Container(classes="dialog wide"):
            yield Canvas(self.session, self._draw)

    def on_mount(self) -> None:
        """The box has the right height."""
        self.show()

    def show(self) -> None:
        """Draws the session's snapshot; controls may come later."""
        for box in self.query(".dialog"):  # none while the dialog is being made
            box.styles.height = max(5, len(self._controls()) + 4)
        super().show()

    def _controls(self) -> tuple[Control, ...]:
        camera = self.session.camera
        return camera.controls if camera else ()

    def _key(self, control: Control) -> Key:
        camera = self.session.camera
        assert camera is not None  # it has controls
        return (*camera.key, control.name)

    def _draw(self, cells: int, rows: int) -> list[Line]:
        controls, glyphs = self._controls(), self.session.glyphs
        first = max(0, self._cursor - (rows - 5))
        lines: list[Line] = []
        for index, control in enumerate(controls[first:], first):
            key = self._key(control)
            chosen = index == self._cursor
            pending, said = self._setter.pending(key), self._setter.said(key)
            lines.append(view.line(control, cells - 4, glyphs, chosen=chosen, pending=pending, said=said))
        if not lines:
            lines = [(Span("this camera has nothing to set", "dim"),)]
        lines = [*lines[: max(1, rows - 4)], *self._below(cells - 4)]
        name = self.session.camera.name if self.session.camera else ""
        title = [Span("controls", "title"), Span(f" {name}", "dim")]
        return framed(title, [Span("Esc", "dim")], lines, cells, rows, glyphs)

    def _below(self, cells: int) -> list[Line]:
        """Two lines: why the chosen control was refused, in full; else what the keys do."""
        control = self._chosen()
        said = self._setter.said(self._key(control)) if control else None
        if said is None or said.ok:
            keys = self.session.read_only or "arrows change, Shift by ten, Enter does, d default"
            return [(), (Span(keys, "dim"),)]
        words = textwrap.wrap(f"{self.session.glyphs.bad} {clean(said.text)}", cells, max_lines=2, placeholder=" …")
        return [(Span(text, "bad"),) for text in words]

    def _wish(self, control: Control, value: str | None) -> None:
        if value is not None and not self.session.read_only:
            self._set_control(self._key(control), value)
        self.show()

    def _chosen(self) -> Control | None:
        controls = self._controls()
        return controls[min(self._cursor, len(controls) - 1)] if controls else None

    def action_move(self, by: int) -> None:
        """Moves the cursor."""
        self._cursor = max(0, min(len(self._controls()) - 1, self._cursor + by))
        self.show()

    def action_change(self, steps: int) -> None:
        """Changes the chosen control, from what is wished already."""
        if control := self._chosen():
            value = self._setter.pending(self._key(control)) or control.value
            self._wish(control, changed(control, value, steps))

    def action_act(self) -> None:
        """Does an action, switches a switch, takes the next choice."""
        if (control := self._chosen()) is None:
            return
        if control.kind == "action":
            self._wish(control, "")
        elif control.kind in ("bool", "choice"):
            self.action_change(1)

    def action_default(self) -> None:
        """Back to the default."""
        if (control := self._chosen()) and control.default_value is not None:
            self._wish(control, f"{control.default_value:g}")

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A press on a slider sets it; on another line it chooses."""
        self._point(event, choose=True)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """A slider that is dragged follows."""
        self._dragging = self._dragging and bool(event.button)
        if self._dragging:
            self._point(event, choose=False)

    def on_mouse_up(self) -> None:
        """The slider stays where it was let go."""
        self._dragging = False

    def _point(self, event: events.MouseEvent, *, choose: bool) -> None:
        canvas = self.query_one(Canvas)
        place = event.screen_offset - canvas.region.offset
        controls = self._controls()
        first = max(0, self._cursor - (canvas.size.height - 5))
        index = place.y - 1 + first
        if choose:
            if not (canvas.region.contains_point(event.screen_offset) and 0 <= index < len(controls)):
                return
            self._cursor = index
        control = self._chosen()
        begin, length = view.slider_cells(canvas.size.width - 4)
        where = (place.x - 2 - begin) / max(1, length - 1)
        if control is None or not -0.05 <= where <= 1.05:
            self.show()
        elif control.kind in ("int", "float"):
            self._dragging = True
            self._wish(control, at_share(control, where))
        elif choose:
            self.action_act()
