"""The monitor's Textual app: draws a snapshot a few times a second and turns keys into deeds."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.filter import Monochrome, NoColor
from textual.reactive import Reactive
from textual.screen import Screen
from textual.theme import Theme

from zlfeed import startup
from zlfeed.errors import ExitCode, StartError
from zlfeed.monitor import files, keys, notify
from zlfeed.monitor.ending import Ending
from zlfeed.monitor.lines import glyphs_for
from zlfeed.monitor.preview import Asked
from zlfeed.monitor.screens.base import Dialog, View
from zlfeed.monitor.screens.camera import CameraScreen
from zlfeed.monitor.session import Session, layout
from zlfeed.monitor.snapshot import Snapshot
from zlfeed.monitor.source import Source
from zlfeed.monitor.themes import DARK, THEMES, Palette
from zlfeed.monitor.views import log as log_view

if TYPE_CHECKING:  # screens that are not in the first picture are imported by who opens them
    from zlfeed.model import Thumbnail
    from zlfeed.monitor.screens.overview import Table

NEWS_DELAY_S = 0.04
"""News that come together are drawn together."""


class MonitorApp(App[None]):
    """One session: the screens' stack, the timer, the connection's task, signals."""

    theme: Reactive[str] = Reactive(DARK.name, init=False)  # Textual's own would be replaced, and all styles made twice
    TITLE = "zlfeed monitor"
    CSS_PATH = "monitor.tcss"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = keys.BINDINGS

    def __init__(
        self,
        source: Source,
        session: Session | None = None,
        *,
        refresh_hz: float = 2.0,
        duration_s: float | None = None,
    ) -> None:
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        variables = self.get_css_variables()
        self.stylesheet.set_variables(variables)
        self.source = source
        self.refresh_hz = refresh_hz
        self.duration_s = duration_s
        self.session = session or Session()
        self.failure: StartError | None = None
        self._looking = False
        self._ringer = notify.Ringer()
        self._ending = Ending()
        if self.no_color:
            # Textual answers NO_COLOR with greys; those are colours too.
            self._filters = [NoColor() if isinstance(f, Monochrome) else f for f in self._filters]
        self.session.many_colors = not self.no_color and self.console.color_system in ("truecolor", "256", "windows")
        encoding = getattr(sys.__stdout__, "encoding", None)
        self.session.glyphs = glyphs_for(encoding, os.environ, color=not self.no_color)
        self.session.palette = Palette(variables, mono=self.no_color)

    def get_default_screen(self) -> CameraScreen:
        """The first screen, in the layout that the terminal's size will have."""
        self.session.layout = layout(*self.size)
        return CameraScreen(self.session)

    def on_mount(self) -> None:
        """Signals, what the source tells, the timer."""
        self.theme_changed_signal.subscribe(self, self._on_theme)
        self._catch_signals()
        if self._driver is not None and not self.is_headless:
            self.session.write = self._driver.write
        self.source.on_news = self._look_soon
        self.source.on_picture = self._show_picture
        self.source.on_snapshot = self._keep_snapshot
        self.set_interval(1 / self.refresh_hz, self.refresh_figures)
        if self.duration_s is not None:
            self.set_timer(self.duration_s, self.exit)
        self.refresh_figures()

    def on_ready(self) -> None:
        """The first picture stands: the connections are made. No garbage is among what was imported until now."""
        # Not called here: where the app ends before the worker begins, nothing is left that nobody awaits.
        self.run_worker(self._follow, name="feeds")  # type: ignore[arg-type]
        startup.loaded()

    async def _follow(self) -> None:
        try:
            await self.source.run()
        except StartError as error:
            self.failure = error
            self.exit(return_code=ExitCode.NOT_STARTED)

    def _catch_signals(self) -> None:
        """A signal ends the app in order: dying by it would leave the terminal raw and on the other screen."""
        loop = asyncio.get_running_loop()
        self._ending.catch(lambda code: loop.call_soon_threadsafe(partial(self.exit, return_code=code)))

    def on_unmount(self) -> None:
        """Signals are no more its business."""
        self._ending.release()

    def refresh_figures(self) -> None:
        """Takes a new snapshot, unless paused, and draws it."""
        snapshot = self.source.snapshot()
        self._ring(snapshot)
        if not self.session.paused:
            first = not self.session.snapshot.cameras
            self.session.snapshot = snapshot
            if first and len(self.session.snapshot.hosts) > 1 and isinstance(self.screen, CameraScreen):
                self.action_overview()
            self._ask_picture()
            self.session.preview = self.source.preview()
        self.redraw()

    def _ask_picture(self) -> None:
        """Wants the pictures of the camera that is looked at, as wide as they are drawn, or none."""
        camera, screen = self.session.camera, self.screen_stack[-1]
        asked = None
        if self.session.previewing and camera is not None and isinstance(screen, CameraScreen):
            asked = Asked(camera.key, max(16, screen.show_picture()), self.session.preview_hz)
        self.source.watch(asked)

    def _show_picture(self) -> None:
        """A picture has come: it alone is drawn."""
        if not self.session.paused and isinstance(self.screen, CameraScreen):
            self.session.preview = self.source.preview()
            self.screen.show_picture()

    def _keep_snapshot(self, picture: Thumbnail) -> None:
        """Writes a picture in full size to a file in the working folder."""
        self._write(files.name(picture.camera, "jpg"), picture.jpeg, f"{picture.width}×{picture.height} pixels are in")

    def _ring(self, snapshot: Snapshot) -> None:
        """Tells of alerts that were raised since the last look: the terminal's bell and notification."""
        text = self._ringer.text(snapshot)
        if text and self.session.bell:
            self.bell()
            if self.session.write is not None:
                self.session.write(notify.sequence(self.session.notify, text, in_tmux="TMUX" in os.environ))

    def _look_soon(self) -> None:
        """Looks once for all the news of this moment."""
        if not self._looking:
            self._looking = True
            self.set_timer(NEWS_DELAY_S, self._look)

    def _look(self) -> None:
        self._looking = False
        self.refresh_figures()

    def redraw(self) -> None:
        """Draws every screen that can be seen."""
        for screen in self.screen_stack[-2:]:
            if isinstance(screen, View | Dialog):
                screen.show()

    def _on_theme(self, theme: Theme) -> None:
        self.session.palette = Palette(self.get_css_variables(), mono=self.no_color)
        self.call_after_refresh(self.redraw)

    def action_interrupt(self) -> None:
        """Ctrl+C, as everywhere."""
        self.exit(return_code=ExitCode.SIGINT)

    def action_help(self) -> None:
        """All keys."""
        from zlfeed.monitor.screens.dialogs import HelpDialog
        from zlfeed.monitor.screens.overview import Table

        self.push_screen(HelpDialog(self.session, keys.helped([*keys.BINDINGS, *Table.BINDINGS])))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What the command palette offers."""
        cameras = [view.name for view in self.session.snapshot.cameras]
        for title, words, action in keys.commands(cameras):
            yield SystemCommand(title, words, partial(self.run_action, action))

    def action_overview(self) -> None:
        """The table of all cameras, or back from it."""
        from zlfeed.monitor.screens.overview import OverviewScreen

        if isinstance(self.screen, OverviewScreen):
            self.pop_screen()
        else:
            self._base()
            self.push_screen(OverviewScreen(self.session))

    def action_log(self, find: bool = False) -> None:
        """The log over the whole screen, or back from it; or to find words in it."""
        from zlfeed.monitor.screens.log import LogScreen

        if isinstance(self.screen, LogScreen) and not find:
            self.pop_screen()
        else:
            self.push_screen(LogScreen(self.session, find=find))

    def action_dialog(self, name: str) -> None:
        """A box over the screen: every viewer, the chain's parts, addresses."""
        from zlfeed.monitor.screens import dialogs

        self.push_screen(getattr(dialogs, name)(self.session))

    def action_controls(self) -> None:
        """What can be set at the camera."""
        from zlfeed.monitor.screens.controls import ControlsDialog

        self.push_screen(ControlsDialog(self.session, self.source.setter, self.source.set_control))

    def action_preview(self) -> None:
        """The picture in the terminal, or not any more."""
        self._base()
        self.session.previewing = not self.session.previewing
        self.redraw()
        self.call_after_refresh(self.refresh_figures)

    def action_pause(self) -> None:
        """Holds the picture still; the figures go on coming."""
        self.session.paused = not self.session.paused
        self.refresh_figures()

    def action_next_theme(self) -> None:
        """Dark, light, high contrast."""
        names = [theme.name for theme in THEMES]
        self.theme = names[(names.index(self.theme) + 1) % len(names)] if self.theme in names else names[0]

    def action_acknowledge(self) -> None:
        """The alerts have been seen."""
        self.source.acknowledge()
        self.refresh_figures()

    def action_ringing(self) -> None:
        """Whether new alerts ring."""
        self.session.bell = not self.session.bell
        self.notify("New alerts ring and notify." if self.session.bell else "New alerts are silent.", timeout=3)

    def action_filter(self) -> None:
        """Info, warnings, errors."""
        self.session.filter = self.session.filter.louder()
        self.redraw()

    def action_export(self) -> None:
        """Writes what the filter lets through to a file in the working folder."""
        entries = log_view.select(self.session.snapshot.log, self.session.filter)
        said = "1 line is in" if len(entries) == 1 else f"{len(entries)} lines are in"
        self._write(files.name("log", "txt"), log_view.export(entries).encode(), said)

    def action_save_screen(self) -> None:
        """Writes what the screen shows to a file in the working folder, when the command palette has gone."""
        self.set_timer(
            0.2, lambda: self._write(files.name("screen", "svg"), self.export_screenshot().encode(), "It is in")
        )

    def _write(self, name: str, data: bytes, said: str) -> None:
        done, words = files.write(name, data)
        self.notify(f"{said} {words}" if done else words, severity="information" if done else "error", markup=False)

    def action_camera(self, number: int) -> None:
        """The camera of that number."""
        cameras = self.session.snapshot.cameras
        if number <= len(cameras):
            self._open(cameras[number - 1].key)

    def on_table_opened(self, message: Table.Opened) -> None:
        """Enter or a double click in the overview."""
        self._open(message.key)

    def _open(self, key: tuple[str, str]) -> None:
        self.session.chosen = key
        self._base()
        self.redraw()

    def _base(self) -> None:
        """Back to the camera's screen."""
        while not isinstance(self.screen, CameraScreen):
            self.pop_screen()
