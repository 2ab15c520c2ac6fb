"""What the person at the monitor has chosen, shared by all screens; and how the screens are to draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from zlfeed.monitor.limits import Thresholds
from zlfeed.monitor.lines import UNICODE, Glyphs
from zlfeed.monitor.preview import Shown
from zlfeed.monitor.snapshot import CameraView, Snapshot
from zlfeed.monitor.themes import DARK, Palette
from zlfeed.monitor.views.log import Filter

MIN_CELLS, MIN_ROWS = 60, 18


def layout(cells: int, rows: int) -> str:
    """Which layout a terminal of that size gets: large, medium, compact or too-small."""
    if cells < MIN_CELLS or rows < MIN_ROWS:
        return "too-small"
    if cells < 80 or rows < 24:
        return "compact"
    return "medium" if cells < 110 or rows < 36 else "large"


@dataclass
class Session:
    """Mutable, and the screens' only shared state; `snapshot` is replaced as a whole."""

    snapshot: Snapshot = field(default_factory=Snapshot)
    chosen: tuple[str, str] | None = None
    paused: bool = False
    readonly: bool = False
    bell: bool = False
    notify: str = "osc9"
    sort: int = 0
    filter: Filter = field(default_factory=Filter)
    previewing: bool = False
    preview_hz: float = 2.0
    preview: Shown | None = None
    graphics: str = ""
    """kitty or sixel where pictures are drawn in the terminal's own pixels; empty for half blocks."""
    cell: tuple[int, int] | None = None
    """A cell's width and height in pixels, where the terminal said so."""
    write: Callable[[str], None] | None = None
    """What writes to the terminal in Textual's order; None without one."""
    limits: Thresholds = field(default_factory=Thresholds)
    glyphs: Glyphs = UNICODE
    layout: str = "medium"
    """Of the terminal's size."""
    many_colors: bool = True
    """Whether a picture can be drawn in colours: 256 or more."""
    palette: Palette = field(default_factory=lambda: Palette(DARK.to_color_system().generate()))

    @property
    def read_only(self) -> str:
        """Why nothing can be set at the camera that is looked at; empty where something can."""
        from zlfeed.model import VIEW

        if self.readonly:
            return "read only: the monitor was started with --readonly"
        if self.camera is not None and self.camera.host.role == VIEW:
            return "read only: the token may look, and not set anything"
        return ""

    @property
    def camera(self) -> CameraView | None:
        """The camera that is looked at."""
        return self.snapshot.camera(self.chosen)
