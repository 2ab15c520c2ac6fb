"""The words around the picture: its title, its cost, and why there is none."""

from __future__ import annotations

from collections.abc import Sequence

from zlfeed.monitor import format as fmt
from zlfeed.monitor.lines import Glyphs, Line, Span, text_width
from zlfeed.monitor.preview import Shown
from zlfeed.monitor.snapshot import CameraView


def title(
    shown: Shown | None, glyphs: Glyphs, cells: int, drawn: str = "", drawn_bytes_per_s: float | None = None
) -> tuple[Sequence[Span], Sequence[Span]]:
    """What stands at the left and at the right of the frame's upper edge: the name, and what the pictures cost.

    That is those that come; where they are drawn in the terminal's own pixels, those that it gets, too, or alone where
    there is little room.
    """
    left = [Span("preview", "title")]
    if shown is None or shown.hz is None or shown.bytes_per_s is None:
        return left, []
    joint = f" {glyphs.middot} "
    words = [f"{shown.hz:.1f} Hz", f"{fmt.kilobytes(shown.bytes_per_s)}/s"]
    forms = [joint.join(words)]
    if drawn_bytes_per_s is not None:
        terminal = f"{fmt.kilobytes(drawn_bytes_per_s)}/s"
        forms = [joint.join([*words, f"{drawn} {terminal}"]), joint.join([words[0], terminal]), terminal]
    room = cells - len("preview") - 8
    return left, [Span(next((form for form in forms if text_width(form) <= room), forms[-1]), "dim")]


def missing(shown: Shown | None, camera: CameraView | None) -> str:
    """Why there is no picture, in words; empty when there is one."""
    if camera is None:
        return "no camera known yet"
    if not camera.host.link.connected:
        return "no contact"
    if shown is None or shown.thumbnail is None:
        return "waiting for a picture"
    return f"no picture for {fmt.ago(shown.age_s)}" if shown.old else ""


def words(text: str, cells: int, rows: int) -> list[Line]:
    """Words in the middle, broken where they must be."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(lines[-1]) + 1 + text_width(word) <= cells:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    above = max(0, (rows - len(lines)) // 2)
    blank: list[Line] = [()] * above
    return blank + [(Span(" " * ((cells - text_width(line)) // 2)), Span(line, "dim")) for line in lines]
