"""What the keys do, and what is made from that: the help, and the command palette's entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.binding import Binding, BindingType

BINDINGS: list[BindingType] = [
    Binding("q", "quit", "Quit"),
    Binding("question_mark", "help", "Help", key_display="?"),
    Binding("o", "overview", "Overview"),
    Binding("l", "log", "Log"),
    Binding("w", "dialog('ViewersDialog')", "Viewers"),
    Binding("u", "dialog('AddressesDialog')", "URLs"),
    Binding("x", "dialog('ChainDialog')", "Chain", show=False),
    Binding("c", "controls", "Controls"),
    Binding("v", "preview", "Preview"),
    Binding("p,space", "pause", "Pause", key_display="p"),
    Binding("t", "next_theme", "Theme"),
    Binding("a", "acknowledge", "Alerts seen", show=False),
    Binding("b", "ringing", "Bell on alerts", show=False),
    Binding("f", "filter", "Log level", show=False),
    Binding("slash", "log(True)", "Find in the log", show=False, key_display="/"),
    Binding("e", "export", "Log to a file", show=False),
    *[Binding(str(n), f"camera({n})", f"Camera {n}", show=False) for n in range(1, 10)],
    Binding("ctrl+c", "interrupt", "Quit", show=False, priority=True),
]

_NUMBERS = "camera("
_UNTOLD = (_NUMBERS, "interrupt", "move(")


def helped(bindings: Sequence[BindingType]) -> list[tuple[str, str]]:
    """(key, what it does) of every binding, the numbers as one."""
    keys = [("1 … 9", "Camera by number"), ("ctrl+p", "All commands")]
    for binding in bindings:
        if isinstance(binding, Binding) and not binding.action.startswith(_UNTOLD):
            keys.append((_shown(binding), binding.description))
    return keys


def commands(cameras: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """(title, help, action) of everything that a key does, of the cameras by name, and of what has no key."""
    for binding in BINDINGS:
        if isinstance(binding, Binding) and not binding.action.startswith(_UNTOLD):
            yield binding.description, f"Key {_shown(binding)}", binding.action
    for number, name in enumerate(cameras, 1):
        yield f"Camera {name}", f"Key {number}" if number < 10 else "No key", f"camera({number})"
    yield "Choose a theme", "Of all that there are", "change_theme"
    yield "Screenshot", "An SVG file in the working folder", "save_screen"


def _shown(binding: Binding) -> str:
    return binding.key_display or binding.key.split(",")[0]
