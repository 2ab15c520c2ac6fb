"""Pictures in the terminal's own pixels, where it takes them: kitty's graphics protocol, and sixel. No Textual, no I/O.

Sixel is textual-image's. Its kitty picture is not used: it goes to stdout past Textual's writer, which may be in the
midst of another sequence, and what it writes to free a picture frees none (seen in 0.12).
"""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import io
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from zlfeed.imports import without

if TYPE_CHECKING:
    from PIL import Image

KITTY, SIXEL = "kitty", "sixel"
KITTY_ACROSS = 160
"""Pixels across that are sent at most; kitty draws them over all the cells."""
SIXEL_ACROSS = 240
COLOURS = 64
"""A camera's noise in all its colours would be most of the bytes: 160×120 pixels are 29 KB as RGB, 2 KB so."""
_NUMBER = 0x7A6C66
_CHUNK = 4096


def kind(said: str, environ: Mapping[str, str]) -> str:
    """kitty, empty for half blocks, or sixel, of which the terminal is to be asked where `said` is auto.

    Inside tmux and screen there is no kitty picture: they know nothing of it, and would scroll the text beneath it.
    """
    inside = "TMUX" in environ or "STY" in environ
    if said == KITTY:
        return "" if inside else KITTY
    if said == "auto":
        names = ("KITTY_WINDOW_ID", "GHOSTTY_RESOURCES_DIR")
        native = environ.get("TERM") in ("xterm-kitty", "xterm-ghostty") or any(name in environ for name in names)
        if native and not inside:
            return KITTY
    mute = environ.get("TERM", "") in ("", "dumb", "linux") or sys.platform == "win32"
    return SIXEL if said in ("auto", SIXEL) and not mute and _can_sixel() else ""


def _can_sixel() -> bool:
    """Whether the extra is installed."""
    return importlib.util.find_spec("textual_image") is not None


def kitty(image: Image.Image, cells: int, rows: int) -> str:
    """What shows a picture over so many cells from the cursor on, which stays; the one shown before is gone.

    Rule: the kitty graphics protocol, "Transferring pixel data" (f=100, chunks of 4096) and "Controlling displayed
    image layout" (c, r, C=1); q=2 keeps the terminal's answers away from the keyboard.
    """
    written = io.BytesIO()
    image.quantize(COLOURS, method=2).save(written, "PNG")  # 2 is FASTOCTREE
    data = base64.standard_b64encode(written.getvalue()).decode("ascii")
    chunks = [data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK)]
    first = f"a=T,f=100,i={_NUMBER},p=1,c={cells},r={rows},C=1,q=2,"
    return "".join(
        f"\x1b_G{first if not n else ''}m={int(n + 1 < len(chunks))};{chunk}\x1b\\" for n, chunk in enumerate(chunks)
    )


def kitty_gone() -> str:
    """What takes the picture away and frees its memory."""
    return f"\x1b_Ga=d,d=I,i={_NUMBER},q=2\x1b\\"


class Sixel:
    """textual-image's encoder for one size of cells, in pixels."""

    def __init__(self, cell: tuple[int, int]) -> None:
        with _unasked():
            # Not before the first picture: a sixth of a second.
            from textual_image.renderable import sixel
        from rich.console import Console

        self._image: Any = sixel.Image
        self._options = sixel.SixelOptions(colors=COLOURS)
        self._cell = cell
        self._console = Console(file=io.StringIO(), force_terminal=True, width=200, height=100)

    def encode(self, image: Image.Image, cells: int, rows: int) -> str:
        """What shows a picture over so many cells from the cursor on."""
        from textual_image import _terminal

        # It asks the terminal for the size of cells once, and of a cell drawn since it would know nothing.
        _terminal.get_cell_size._result = _terminal.CellSize(*self._cell)  # type: ignore[attr-defined]
        drawn = self._image(image, cells, rows, sixel_options=self._options)
        options = self._console.options.update(width=cells, height=rows)
        return "".join(part.text for part in self._console.render(drawn, options) if part.text.startswith("\x1bP"))


@contextlib.contextmanager
def _unasked() -> Iterator[None]:
    """textual-image asks the terminal when it is imported, and takes NumPy where there is one (25 MB): neither here."""
    stdout = sys.__stdout__
    sys.__stdout__ = io.StringIO()  # type: ignore[misc,assignment]
    try:
        with without("numpy"):
            yield
    finally:
        sys.__stdout__ = stdout  # type: ignore[misc]
