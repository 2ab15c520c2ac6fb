"""The words around the picture: its title, its cost, and why there is none."""

from __future__ import annotations

from collections.abc import Sequence

from zlfeed.monitor import format as fmt
from zlfeed.monitor.lines import Glyphs, Line, Span, text_width
from zlfeed.monitor.preview import Shown
from zlfeed.monitor.snapshot import CameraView


def title(shown: Shown | None, glyphs: Glyphs) -> tuple[Sequence[Span], Sequence[Span]]:
    """What stands at the left and at the right of the frame's upper edge: the name, and what the pictures cost."""
    cost: list[Span] = []
    if shown is not None and shown.hz is not None and shown.bytes_per_s is not None:
        joint = f" {glyphs.middot} "
        cost = [Span(f"{shown.hz:.1f} Hz{joint}{fmt.kilobytes(shown.bytes_per_s)}/s", "dim")]
    return [Span("preview", "title")], cost


def missing(shown: Shown | None, camera: CameraView | None) -> str:
    """Why there is no picture, in words; empty when there is one."""
    if camera is None or shown is None:
        return "no camera known yet"
    if not camera.host.link.connected:
        return "no contact"
    if shown.thumbnail is None:
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
