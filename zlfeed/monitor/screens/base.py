"""What all screens of the monitor have in common."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from zlfeed.monitor.lines import Line
from zlfeed.monitor.session import MIN_CELLS, MIN_ROWS, Session, layout
from zlfeed.monitor.snapshot import HostView
from zlfeed.monitor.views import top
from zlfeed.monitor.widgets.canvas import Canvas

LAYOUTS = ("large", "medium", "compact", "too-small")


class View(Screen[None]):
    """A full screen of canvases: draws them anew when told, and lays them out by the terminal's size."""

    def __init__(self, session: Session) -> None:
        super().__init__(classes=f"-{session.layout}")
        self.session = session

    def compose(self) -> ComposeResult:
        """The notice for terminals that are too small, over what the screen itself has."""
        yield Static(id="too-small")
        yield from self.content()

    def content(self) -> ComposeResult:
        """The screen's own widgets."""
        yield from ()

    def show(self) -> None:
        """Draws the session's snapshot."""
        banners = self.query("#banner")
        if banners:
            wanted = any(not host.link.connected for host in self.banner_hosts())
            banners.first(Canvas).display = wanted
        for canvas in self.query(Canvas):
            canvas.update()

    def header(self, cells: int, _rows: int) -> Sequence[Line]:
        """The header's line."""
        session = self.session
        return top.header(
            session.snapshot,
            session.camera,
            cells,
            session.glyphs,
            paused=session.paused,
            here=self.about_one_camera,
        )

    @property
    def about_one_camera(self) -> bool:
        """Whether the screen shows one camera, so that its tab is lit."""
        return True

    def banner_hosts(self) -> Sequence[HostView]:
        """The publishers whose loss of contact this screen tells of."""
        camera = self.session.camera
        return [camera.host] if camera else list(self.session.snapshot.hosts[:1])

    def banner(self, cells: int, _rows: int) -> Sequence[Line]:
        """The banner's line."""
        return top.banner(self.banner_hosts(), cells, self.session.glyphs)

    def on_resize(self, event: events.Resize) -> None:
        """Chooses the layout."""
        cells, rows = event.size
        chosen = self.session.layout = layout(cells, rows)
        if not self.has_class(f"-{chosen}"):
            self.remove_class(*(f"-{name}" for name in LAYOUTS))
            self.add_class(f"-{chosen}")
        if chosen == "too-small":
            notice = f"This terminal has {cells}×{rows} cells; the monitor needs {MIN_CELLS}×{MIN_ROWS}."
            self.query_one("#too-small", Static).update(notice)
        self.call_after_refresh(self.show)


class Dialog(ModalScreen[None]):
    """A box over the screen; Escape or its own key closes it."""

    BINDINGS = [("escape,q", "dismiss", "Close")]  # noqa: RUF012 – Textual reads it so

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def show(self) -> None:
        """Draws the session's snapshot."""
        for canvas in self.query(Canvas):
            canvas.update()
