"""The main screen: everything about one camera."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from zlfeed.monitor.lines import Line, Span
from zlfeed.monitor.screens.base import View
from zlfeed.monitor.session import Session
from zlfeed.monitor.views import top
from zlfeed.monitor.views.common import field
from zlfeed.monitor.widgets.canvas import Canvas
from zlfeed.monitor.widgets.key_bar import KeyBar
from zlfeed.monitor.widgets.log_pane import LogPane
from zlfeed.monitor.widgets.preview_pane import PreviewPane

LARGE = (("latency", "rate"), ("bitrate", "cpu"))
MEDIUM = (("latency", "rate"),)
COMPACT = (("latency",),)


class CameraScreen(View):
    """Header, figures, the frame's way, graphs, cards, log: what of it depends on the layout.

    What only a camera has is not in the first picture, and is imported with the first camera.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._picture = PreviewPane(session, id="preview")

    def content(self) -> ComposeResult:
        """The canvases in reading order; monitor.tcss arranges them."""
        session = self.session
        yield Canvas(session, self.header, id="header")
        yield Canvas(session, self.banner, id="banner")
        yield Canvas(session, self._hero, id="hero")
        yield Canvas(session, self._way, id="way")
        with Horizontal(id="middle"):
            with Vertical(id="left"):
                yield Canvas(session, self._graphs, id="graphs")
                yield Canvas(session, self._facts, id="facts")
                with Horizontal(id="below"):
                    yield self._picture
                    yield LogPane(session, id="log")
            yield Canvas(session, self._cards, id="cards")
        yield KeyBar(self.session)

    def show(self) -> None:
        """Draws the session's snapshot, and the picture when it is wanted."""
        self.set_class(self.session.previewing, "-preview")
        self._picture.update()
        super().show()

    def on_screen_suspend(self) -> None:
        """Something lies over it: a picture in the terminal's own pixels would lie over that."""
        self._picture.erase()

    def on_screen_resume(self) -> None:
        """The picture is wanted again."""
        self._picture.paint_soon()

    def show_picture(self) -> int:
        """Draws the picture alone; how many pixels across it has."""
        self._picture.update()
        return self._picture.wanted_width

    def _hero(self, cells: int, rows: int) -> Sequence[Line]:
        camera = self.session.camera
        if camera is None:
            return [(Span(" "), Span("no camera known yet", "dim"))]
        draw = top.hero if rows >= 5 else top.hero_small
        return draw(camera, cells, self.session.limits, self.session.glyphs)

    def _way(self, cells: int, rows: int) -> Sequence[Line]:
        camera = self.session.camera
        if camera is None:
            return []
        from zlfeed.monitor.views import way

        return way.way(camera, cells, rows, self.session.glyphs)

    def _graphs(self, cells: int, rows: int) -> Sequence[Line]:
        session, camera = self.session, self.session.camera
        if camera is None:
            return []
        from zlfeed.monitor.views import graphs

        kinds: Sequence[Sequence[str]] = MEDIUM
        if self.has_class("-compact"):
            kinds = COMPACT
        elif self.has_class("-large") and not session.previewing:
            kinds = LARGE
        return graphs.grid(kinds, camera, session.snapshot.now_s, cells, rows, session.limits, session.glyphs)

    def _facts(self, cells: int, rows: int) -> Sequence[Line]:
        session, camera = self.session, self.session.camera
        if camera is None:
            return []
        from zlfeed.monitor.views import cards

        if self.has_class("-compact"):
            return cards.brief(camera, session.limits, session.glyphs)
        lines = cards.row(camera, cells, rows - 1, session.limits, session.glyphs)
        url = next(iter(camera.urls.values()), None)
        return [*lines, (Span(" "), *field("watch", Span(url, "link")))] if url else lines

    def _cards(self, cells: int, rows: int) -> Sequence[Line]:
        session, camera = self.session, self.session.camera
        if camera is None:
            return []
        from zlfeed.monitor.views import cards

        return cards.column(camera, cells, rows, session.limits, session.glyphs)
