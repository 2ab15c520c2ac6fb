"""The picture in half blocks, of which only cells that changed are sent to the terminal; or in its own pixels."""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from time import monotonic

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from zlfeed.monitor import graphics, preview
from zlfeed.monitor.lines import Line, framed
from zlfeed.monitor.preview import Pixel, Pixels
from zlfeed.monitor.session import Session
from zlfeed.monitor.views import preview as view
from zlfeed.monitor.widgets.canvas import strip

LOG_CELLS = 26
"""What the log beside it keeps at least."""
RAMP, ASCII_RAMP = " ░▒▓█", " .:-=+*#%@"


@lru_cache(maxsize=4096)
def _style(upper: Pixel, lower: Pixel | None) -> Style:
    ground = Color.from_rgb(*upper if lower is None else lower)
    return Style(bgcolor=ground) if lower is None else Style(color=Color.from_rgb(*upper), bgcolor=ground)


class PreviewPane(Widget):
    """A frame around the picture, with its cost; as wide as the picture's shape wants at this height."""

    DEFAULT_CSS = "PreviewPane { height: 1fr; width: 20; }"

    def __init__(self, session: Session, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.session = session
        self._pixels: Pixels | None = None
        self._cells: list[list[tuple[str, Style]]] = []
        self._frame: list[Line] = []
        self._extent = (0, 0)
        self._shape = (4, 3)
        self._jpeg: bytes | None = None
        self._data = ""
        """The picture in the terminal's own pixels."""
        self._lies: object = None
        """Which picture kitty shows, and where."""
        self._painting = False
        self._sixel: graphics.Sixel | None = None
        self._written: deque[tuple[float, int]] = deque(maxlen=64)

    @property
    def wanted_width(self) -> int:
        """How many pixels across are drawn."""
        session, cells = self.session, self._extent[0]
        if session.graphics == graphics.SIXEL and session.cell:
            return cells * session.cell[0]
        return min(4 * cells, graphics.KITTY_ACROSS) if session.graphics else cells

    def update(self) -> None:
        """Draws the session's picture anew."""
        cells, rows = self.size
        if not self.display or cells < 4 or rows < 3:
            return
        shown = self.session.preview
        if shown is not None and shown.thumbnail is not None:
            self._shape = (shown.thumbnail.width, shown.thumbnail.height)
        self._fit(rows)
        text, changed = view.missing(shown, self.session.camera), []
        if shown is not None and shown.thumbnail is not None and not text:
            try:
                changed = self._take(shown.thumbnail.jpeg)
            except preview.NoPicture as error:
                text = str(error)
        if text:
            self._cells, self._jpeg = [], None
            self.erase()
            self._data = ""
        before, glyphs = self._frame, self.session.glyphs
        self._frame = framed(
            *view.title(shown, glyphs, cells, *self._drawn()),
            view.words(text, cells - 4, rows - 2),
            cells,
            rows,
            glyphs,
        )
        if len(before) != rows or before[1:-1] != self._frame[1:-1]:
            changed = [Region(0, 0, cells, rows)]
        elif before != self._frame:
            changed += [Region(0, 0, cells, 1)]
        if changed:
            self.refresh(*changed)

    def _fit(self, rows: int) -> None:
        """Takes the width that the picture wants; asks for a layout when that is another one."""
        parent = self.parent
        room = parent.size.width - LOG_CELLS if isinstance(parent, Widget) else self.size.width
        most = max(8, room - 2)
        if self.session.graphics == graphics.SIXEL and self.session.cell:
            most = min(most, graphics.SIXEL_ACROSS // self.session.cell[0])
        size = preview.fit(*self._shape, most, rows - 2)
        if size != self._extent:
            self._extent, self._pixels, self._jpeg = size, None, None
            self.styles.width = size[0] + 2

    def _take(self, jpeg: bytes) -> list[Region]:
        """The cells that change with a new picture, as they lie in the widget. Raises NoPicture."""
        if jpeg is self._jpeg and self._cells:
            return []
        cells, rows = self._extent
        if self.session.graphics and self.session.write is not None:
            return self._take_pixels(jpeg)
        halves = self.session.many_colors and self.session.glyphs.unicode
        self._pixels = preview.pixels(jpeg, cells, 2 * rows if halves else rows, self._pixels)
        self._jpeg = jpeg
        before, self._cells = self._cells, [self._row(y, halves) for y in range(rows)]
        if len(before) != rows or len(before[0]) != cells:
            return [Region(1, 1, cells, rows)]
        changed = []
        for y, (old, new) in enumerate(zip(before, self._cells, strict=True)):
            first = next((x for x in range(cells) if old[x] != new[x]), None)
            while first is not None:
                last = first
                while last + 1 < cells and old[last + 1] != new[last + 1]:
                    last += 1
                changed.append(Region(1 + first, 1 + y, last - first + 1, 1))
                first = next((x for x in range(last + 1, cells) if old[x] != new[x]), None)
        return changed

    def _take_pixels(self, jpeg: bytes) -> list[Region]:
        """The same in the terminal's own pixels, under which the cells are blank. Raises NoPicture."""
        cells, rows = self._extent
        image, session = preview.image(jpeg), self.session
        if session.graphics == graphics.SIXEL and session.cell:
            self._sixel = self._sixel or graphics.Sixel(session.cell)
            self._data = self._sixel.encode(image, cells, rows)
        else:
            self._data = graphics.kitty(image, cells, rows)
        self._jpeg = jpeg
        before, self._cells = self._cells, [[(" ", Style())] * cells] * rows
        self.paint_soon()
        return [] if before else [Region(1, 1, cells, rows)]

    def paint_soon(self) -> None:
        """Writes the picture after what Textual is about to draw."""
        if self._data and not self._painting:
            self._painting = True
            self.call_after_refresh(self._paint)

    def _paint(self) -> None:
        self._painting = False
        session, (x, y) = self.session, self.region.offset
        if not (self._data and self._cells and session.write and self.display and self.screen.is_active):
            return
        lies = (self._jpeg, x, y)
        if session.graphics == graphics.KITTY and lies == self._lies:
            return  # text written under it does not wipe it away
        self._lies = lies
        sequence = f"\x1b7\x1b[{y + 2};{x + 2}H{self._data}\x1b8"
        self._written.append((monotonic(), len(sequence)))
        session.write(sequence)

    def erase(self) -> None:
        """Takes a picture that lies over the cells away; sixels go with the cells."""
        if self._lies is not None and self.session.write and self.session.graphics == graphics.KITTY:
            self.session.write(graphics.kitty_gone())
        self._lies = None

    def _drawn(self) -> tuple[str, float | None]:
        """How the picture is drawn, and the bytes a second that go to the terminal for it, where they are counted."""
        recent = [size for at_s, size in self._written if monotonic() - at_s < 4.0]
        return self.session.graphics, sum(recent) / 4 if len(recent) > 1 else None

    def render_lines(self, crop: Region) -> list[Strip]:
        """What Textual draws; over blank cells come the pixels again."""
        if self._data and crop.y <= len(self._cells) and crop.bottom > 1:
            self.paint_soon()
        return super().render_lines(crop)

    def on_hide(self) -> None:
        """The preview was closed."""
        self.erase()
        self._data, self._jpeg, self._cells = "", None, []

    def _row(self, y: int, halves: bool) -> list[tuple[str, Style]]:
        assert self._pixels is not None
        if halves:
            return [
                ("▀", _style(upper, lower))
                for upper, lower in zip(self._pixels[2 * y], self._pixels[2 * y + 1], strict=True)
            ]
        if self.session.many_colors:
            return [(" ", _style(pixel, None)) for pixel in self._pixels[y]]
        # Few colours or none: brightness by characters.
        ramp = RAMP if self.session.glyphs.unicode else ASCII_RAMP
        plain = Style()
        return [
            (ramp[(299 * r + 587 * g + 114 * b) * len(ramp) // 255_001], plain) for r, g, b in self._pixels[y]
        ]  # fmt: skip

    def on_resize(self, _event: events.Resize) -> None:
        """The picture was made for another size."""
        self.erase()
        self._cells, self._frame, self._pixels, self._jpeg, self._data = [], [], None, None, ""
        self.update()

    def render_line(self, y: int) -> Strip:
        """One line, as Textual asks for it."""
        if y >= len(self._frame):
            return Strip.blank(self.size.width, self.rich_style)
        line = strip(self._frame[y], self.rich_style, self.session)
        if not self._cells or not 1 <= y <= len(self._cells):
            return line
        inner = Strip([Segment(text, style) for text, style in self._cells[y - 1]], len(self._cells[y - 1]))
        left, right = line.crop(0, 1), line.crop(1 + inner.cell_length)
        return Strip.join([left, inner.simplify(), right])
