"""What several views draw with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from zlfeed.monitor.lines import Glyphs, Line, Span, fit, width

_KEEP = ("frame", "title", "faint")


def field(label: str, *value: Span, label_cells: int = 9) -> Line:
    """A dim label and its value."""
    return (Span(label.ljust(label_cells), "dim"), *value)


def gauge(share: float | None, cells: int, role: str, glyphs: Glyphs) -> tuple[Span, ...]:
    """A thin bar, `share` (0–1) of it in colour. Unknown is an empty bar."""
    full = 0 if share is None else round(max(0.0, min(1.0, share)) * cells)
    return (Span(glyphs.bar * full, role), Span(glyphs.bar_rest * (cells - full), "faint"))


def badge(role: str, text: str, glyphs: Glyphs) -> Span:
    """A word on a coloured ground, with its mark."""
    return Span(f" {glyphs.level(role)} {text} ", f"badge-{role}")


def mark(role: str, glyphs: Glyphs) -> Span:
    """The mark of a level."""
    return Span(glyphs.level(role), role)


def stale(lines: Iterable[Line]) -> list[Line]:
    """The same lines with every value dimmed: these figures are old."""
    return [tuple(Span(span.text, _dimmed(span.style)) for span in line) for line in lines]


def _dimmed(style: str) -> str:
    if style in _KEEP:
        return style
    if style.startswith("on-"):
        return f"{style}@30"
    # A graph keeps its layers: "good@60 on bad@20" becomes the same in grey.
    return " on ".join("stale" + part[part.find("@") :] if "@" in part else "stale" for part in style.split(" on "))


def beside(blocks: Sequence[tuple[Sequence[Line], int]], gap: int = 1) -> list[Line]:
    """Blocks of lines side by side; each comes with its width in cells."""
    rows: list[Line] = []
    for lines in zip_longest(*(block for block, _ in blocks), fillvalue=()):
        out: list[Span] = []
        for index, (line, (_, cells)) in enumerate(zip(lines, blocks, strict=True)):
            if index:
                out.append(Span(" " * gap))
            out.extend(line if width(line) == cells else fit(line, cells))
        rows.append(tuple(out))
    return rows


def joined(parts: Iterable[Sequence[Span]], separator: Span) -> Line:
    """Parts with a separator between them; empty parts are left out."""
    out: list[Span] = []
    for part in parts:
        if not part:
            continue
        if out:
            out.append(separator)
        out.extend(part)
    return tuple(out)


def split(cells: int, shares: Sequence[float], gap: int = 1) -> list[int]:
    """Widths by shares that together with the gaps fill `cells` exactly."""
    room = cells - gap * (len(shares) - 1)
    total = sum(shares)
    widths = [int(room * share / total) for share in shares]
    widths[-1] += room - sum(widths)
    return widths
