"""The line of keys at the bottom, from the bindings that are active; a click on one is the key.

Textual's Footer is a widget a key: a third of the time to the first paint went into their styles.
"""

from __future__ import annotations

from collections.abc import Iterator

from textual import events

from zlfeed.monitor.lines import Line, Span, text_width
from zlfeed.monitor.session import Session
from zlfeed.monitor.widgets.canvas import Canvas


class KeyBar(Canvas):
    """Whole entries only: what has no room is in the help."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, self._draw, id="keys")

    def _entries(self) -> Iterator[tuple[str, str, str]]:
        """(key as shown, what it does, action) of the bindings to show."""
        seen: set[str] = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show and active.enabled and binding.action not in seen:
                seen.add(binding.action)
                yield self.app.get_key_display(binding), binding.description, binding.action

    def _draw(self, cells: int, _rows: int) -> list[Line]:
        spans: list[Span] = []
        room = cells
        for key, what, _ in self._entries():
            room -= text_width(key) + text_width(what) + 3
            if room < 0:
                break
            spans += [Span(f" {key} ", "key"), Span(f"{what} ")]
        return [tuple(spans)]

    async def on_click(self, event: events.Click) -> None:
        """Does what the key does."""
        x = 0
        for key, what, action in self._entries():
            x += text_width(key) + text_width(what) + 3
            if event.x < x:
                await self.run_action(action)
                return
