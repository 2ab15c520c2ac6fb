"""Lines of styled text that know nothing of a terminal: what the views make and the widgets draw.

A style is the name of a role ("good", "dim"), or "role on role" for a background; the theme gives roles their colours.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """A piece of a line in one style."""

    text: str
    style: str = ""


Line = tuple[Span, ...]


class Glyphs(NamedTuple):
    """The characters that drawings are made of.

    `eighths` has nine: empty to full, from the bottom. `shade` fills what lies behind when colour cannot tell it.
    """

    eighths: str = " ▁▂▃▄▅▆▇█"
    bar: str = "━"
    bar_rest: str = "─"
    block: str = "█"
    good: str = "●"
    warn: str = "▲"
    bad: str = "✖"
    unknown: str = "○"
    arrow: str = "▸"
    flow: str = "─"
    separator: str = "│"
    middot: str = "·"
    tick: str = "┴"
    axis: str = "─"
    side: str = "┤"
    ellipsis: str = "…"
    frame: str = "╭─╮│╰╯"
    shade: str = ""
    unicode: bool = True
    color: bool = True

    def level(self, role: str) -> str:
        """The mark of a level, so that nothing is said by colour alone."""
        return {"good": self.good, "warn": self.warn, "bad": self.bad}.get(role, self.unknown)


UNICODE = Glyphs()
MONO = Glyphs(shade="░", color=False)
ASCII = Glyphs(
    eighths="  ..::###",
    bar="=",
    bar_rest="-",
    block="#",
    good="*",
    warn="!",
    bad="X",
    unknown="o",
    arrow=">",
    flow="-",
    separator="|",
    middot="-",
    tick="+",
    axis="-",
    side="|",
    ellipsis="~",
    frame="+-+|++",
    shade=".",
    unicode=False,
)


def glyphs_for(encoding: str | None, environ: Mapping[str, str], *, color: bool) -> Glyphs:
    """Which characters a terminal of that encoding and of these variables can show.

    Who says LC_ALL=C means ASCII; Python then takes UTF-8 all the same (PEP 540).
    """
    plain_locale = environ.get("LC_ALL") in ("C", "POSIX")
    few = environ.get("TERM", "") in ("linux", "dumb", "vt100", "vt220")
    if "utf" not in (encoding or "").lower() or plain_locale or few:
        return ASCII
    return UNICODE if color else MONO


# What the views say in Unicode, for terminals that have only ASCII.
_PLAIN = str.maketrans("–×±°·→…µ↻▸", "-x~'->~ur>")


def clean(text: str) -> str:
    """Text from outside without control characters: an escape sequence in a name must not reach the terminal."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "·" for char in text)


def to_ascii(text: str) -> str:
    """`text` for a terminal without Unicode, every character one cell wide as before."""
    if text.isascii():
        return text
    return "".join(c if c.isascii() else "?" * char_width(c) for c in text.translate(_PLAIN))


def char_width(char: str) -> int:
    """Cells that one character takes (Unicode UAX #11): 0, 1 or 2."""
    if char.isascii():
        return 1
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def text_width(text: str) -> int:
    """Cells that `text` takes."""
    return len(text) if text.isascii() else sum(map(char_width, text))


def width(line: Iterable[Span]) -> int:
    """Cells that a line takes."""
    return sum(text_width(span.text) for span in line)


def clip(text: str, cells: int, ellipsis: str = "…") -> str:
    """`text` cut to at most `cells` cells, with an ellipsis where something is missing."""
    text = clean(text)
    if text_width(text) <= cells:
        return text
    if cells <= 0:
        return ""
    taken, used = [], 0
    for char in text:
        used += char_width(char)
        if used > cells - 1:
            break
        taken.append(char)
    return "".join(taken) + ellipsis


def fit(line: Sequence[Span], cells: int) -> Line:
    """The line made exactly `cells` wide: cut, or filled with spaces."""
    out: list[Span] = []
    left = cells
    for span in line:
        if left <= 0:
            break
        text = clip(span.text, left)
        out.append(Span(text, span.style))
        left -= text_width(text)
    if left > 0:
        out.append(Span(" " * left))
    return tuple(out)


def spread(left: Sequence[Span], right: Sequence[Span], cells: int) -> Line:
    """`left` and `right` at the two ends of a line; the left gives way."""
    room = cells - width(right)
    if room <= 0:
        return fit(right, cells)
    return (*fit(left, room), *right)


def columns(cells: Sequence[Sequence[Span]], widths: Sequence[int], gap: int = 1) -> Line:
    """Cells side by side, each in its width."""
    out: list[Span] = []
    for index, (cell, cell_width) in enumerate(zip(cells, widths, strict=True)):
        if index:
            out.append(Span(" " * gap))
        out.extend(fit(cell, cell_width))
    return tuple(out)


def framed(
    title: Sequence[Span],
    right: Sequence[Span],
    body: Sequence[Sequence[Span]],
    cells: int,
    rows: int,
    glyphs: Glyphs = UNICODE,
    style: str = "frame",
) -> list[Line]:
    """A box `cells` × `rows` around `body`, with a title and something at the right of its upper edge."""
    corner, edge, corner_right, side, low, low_right = tuple(glyphs.frame)
    inner = max(0, cells - 4)
    caption = [Span(" "), *title, Span(" ")] if title else []
    value = [Span(" "), *right, Span(" ")] if right else []
    if width(value) > cells - 4:
        value = []
    room = max(0, cells - 4 - width(value))
    caption = list(fit(caption, room)) if width(caption) > room else caption
    fill = max(0, room - width(caption))
    top: Line = (
        Span(corner + edge, style),
        *caption,
        Span(edge * fill, style),
        *value,
        Span(edge + corner_right, style),
    )
    out = [top]
    for index in range(max(0, rows - 2)):
        line = body[index] if index < len(body) else ()
        out.append((Span(side + " ", style), *fit(line, inner), Span(" " + side, style)))
    out.append((Span(low + edge * max(0, cells - 2) + low_right, style),))
    return out


def plain(line: Iterable[Span]) -> str:
    """The text of a line alone."""
    return "".join(span.text for span in line)
