"""What can be set at a camera: one line a control."""

from __future__ import annotations

from collections.abc import Sequence

from zlfeed.model import Control
from zlfeed.monitor import format as fmt
from zlfeed.monitor.controls import Said, share
from zlfeed.monitor.lines import Glyphs, Line, Span, clip, columns, fit, width

NAME_CELLS, VALUE_CELLS = 21, 14


def slider_cells(cells: int) -> tuple[int, int]:
    """Where a line's slider begins, and how long it is."""
    return NAME_CELLS + 3, max(8, cells - NAME_CELLS - VALUE_CELLS - 5)


def line(control: Control, cells: int, glyphs: Glyphs, *, chosen: bool, pending: str | None, said: Said | None) -> Line:
    """Name, slider or choices, value; a value that is not confirmed yet is marked, and a refusal says why."""
    value = control.value if pending is None else pending
    _, room = slider_cells(cells)
    name = fit((Span(control.name.replace("_", " "), "strong" if chosen else ""),), NAME_CELLS)
    pointer = Span(f"{glyphs.arrow} " if chosen else "  ", "accent")
    if control.kind == "choice" and pending is None and said is None and width(_choices(control, value)) > room:
        return (pointer, *name, Span(" "), *fit(_choice(control, value), room + 1 + VALUE_CELLS))
    middle = fit(_middle(control, value, room, glyphs, live=pending is None), room)
    unit = f" {control.unit}" if control.unit and value is not None else ""
    shown = "" if control.kind == "action" else f"{_words(value)}{unit}"
    state = Span(f"{shown}{glyphs.ellipsis}", "warn") if pending is not None else Span(shown, "strong")
    if said is not None and said.ok:
        middle = (Span(clip(said.text, room), "good"),)
    elif said is not None:
        middle = (Span(f"{glyphs.bad} {clip(said.text, room - 2, glyphs.ellipsis)}", "bad"),)
    return (pointer, *columns([name, middle, (state,)], [NAME_CELLS, room, VALUE_CELLS], gap=1))


def _middle(control: Control, value: str | None, room: int, glyphs: Glyphs, *, live: bool) -> Sequence[Span]:
    if control.kind == "action":
        return [Span("[ Enter ]", "accent")]
    if control.kind == "bool":
        on = (value or "").lower() in ("on", "true", "1", "yes")
        return [Span(f"{glyphs.good if on else glyphs.unknown} ", "accent" if on else "dim")]
    if control.kind == "choice":
        spans = _choices(control, value)
        return spans if width(spans) <= room else _choice(control, value)
    at = share(control, value)
    if at is None:
        return []
    knob = round(at * (room - 1))
    style = "accent" if live else "warn"
    return [
        Span(glyphs.bar * knob, style),
        Span(glyphs.good, style),
        Span(glyphs.bar_rest * (room - 1 - knob), "faint"),
    ]


def _words(value: str | None) -> str:
    return fmt.UNKNOWN if value is None else value.replace("_", " ")


def _choices(control: Control, value: str | None) -> Sequence[Span]:
    """All choices, the one in force marked."""
    spans: list[Span] = []
    for choice in control.choices:
        spans += [Span(f" {_words(choice)} ", "tab-on" if choice == value else "dim"), Span(" ")]
    return spans


def _choice(control: Control, value: str | None) -> Sequence[Span]:
    """The choice in force, and its place, where all have no room."""
    place = next((at for at, choice in enumerate(control.choices, 1) if choice == value), 0)
    return [Span(f"< {_words(value)} >", "accent"), Span(f"  {place} of {len(control.choices)}", "dim")]
