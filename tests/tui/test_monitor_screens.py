"""The app's behaviour, with Textual's pilot and scripted publishers."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from rich.console import RenderableType
from textual._compositor import LayoutUpdate
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from tests.tui.scenes import (
    NOW_S,
    NOW_US,
    URL,
    Scripted,
    connecting,
    disconnected,
    healthy,
    many,
    status,
    troubled,
    viewer,
    welcome,
)
from zlfeed.errors import StartError
from zlfeed.model import CameraInfo, Event, Part
from zlfeed.monitor.app import MonitorApp
from zlfeed.monitor.lines import ASCII
from zlfeed.monitor.screens.camera import CameraScreen
from zlfeed.monitor.screens.dialogs import AddressesDialog, HelpDialog, ViewersDialog
from zlfeed.monitor.screens.log import LogScreen
from zlfeed.monitor.screens.overview import OverviewScreen
from zlfeed.monitor.state import MonitorState
from zlfeed.monitor.themes import THEMES

LARGE, MEDIUM, COMPACT = (120, 40), (80, 24), (60, 18)
SIZES = [LARGE, MEDIUM, COMPACT]


@contextlib.asynccontextmanager
async def running(
    scene: Callable[[], MonitorState] | Scripted = healthy, size: tuple[int, int] = LARGE
) -> AsyncIterator[tuple[MonitorApp, Pilot[None]]]:
    """The app on a screen that nobody sees."""
    source = scene if isinstance(scene, Scripted) else Scripted(scene())
    app = MonitorApp(source)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        yield app, pilot


def text(app: MonitorApp) -> str:
    """What the screen shows; nothing in the moment between a change of what it holds and its layout."""
    try:
        return "\n".join(strip.text for strip in app.screen._compositor.render_strips())
    except IndexError:
        return ""


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_drawn_first_is_the_whole_picture(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not blank widgets that are filled by a second drawing: that was a twentieth of the time to the first picture."""
    drawn: list[str] = []
    display = MonitorApp._display

    def look(app: MonitorApp, screen: Screen[object], update: RenderableType | None) -> None:
        if screen.size.area and isinstance(update, LayoutUpdate):
            drawn.append(update.render_segments(app.console))
        display(app, screen, update)

    monkeypatch.setattr(MonitorApp, "_display", look)
    async with running(healthy, size) as (_, pilot):
        await until(pilot, lambda: bool(drawn))
        assert "Quit" in drawn[0]
        assert "pi-garage" in drawn[0]
        assert "activity" in drawn[0]


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Waits until that holds."""
    async with asyncio.timeout(20):
        while not holds():
            await pilot.pause(0.02)


async def shows(app: MonitorApp, pilot: Pilot[None], words: str) -> None:
    """Waits until the screen shows these words."""
    async with asyncio.timeout(20):
        while words not in text(app):
            await pilot.pause(0.02)


@pytest.mark.parametrize("size", SIZES)
async def test_every_size_shows_what_matters(size: tuple[int, int]) -> None:
    async with running(size=size) as (app, _):
        shown = text(app)
    for words in ("front", "live", "healthy", "8.1", "640×480", "787 kbit/s", "41 %", "1.62 Mbit/s", "52.1 °C"):
        assert words in shown
    assert "rtsp://192.168.1.7:8554/front" in shown
    assert "the encoder ended with code 137" in shown
    assert "latency" in shown


@pytest.mark.parametrize("scene", [healthy, troubled, disconnected, connecting, many])
async def test_no_size_breaks_any_scene(scene: Callable[[], MonitorState]) -> None:
    async with running(scene, (60, 18)) as (app, pilot):
        for size in [(61, 23), (79, 24), (80, 24), (109, 35), (110, 36), (250, 80), (20, 5), (60, 18)]:
            await pilot.resize_terminal(*size)
            await pilot.press("o", "1")
            lines = text(app).split("\n")
            assert len(lines) == size[1]
            assert {len(line) for line in lines} == {size[0]}


async def test_a_terminal_that_is_too_small_is_told_so_and_may_grow() -> None:
    async with running(size=(50, 12)) as (app, pilot):
        assert "50×12" in text(app)
        assert "60×18" in text(app)
        await pilot.resize_terminal(*MEDIUM)
        await pilot.pause()
        assert "healthy" in text(app)
        assert "60×18" not in text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_reasons_are_said_in_every_size(size: tuple[int, int]) -> None:
    async with running(troubled, size) as (app, _):
        shown = text(app)
    assert "trouble" in shown
    assert "latency p95 171 ms, limit 150 ms" in shown


async def test_out_of_contact_the_banner_says_since_when_and_what_next() -> None:
    async with running(Scripted(disconnected(), 32.0)) as (app, _):
        shown = text(app)
    assert "no contact with pi-garage" in shown
    assert "attempt 7" in shown
    assert "next in 1.2 s" in shown
    assert "figures are 32 s old" in shown
    assert "no contact for 32 s" in shown


async def test_before_the_first_contact_nothing_is_invented() -> None:
    async with running(connecting, MEDIUM) as (app, _):
        shown = text(app)
    assert "connecting to pi-garage:9000" in shown
    assert "no camera known yet" in shown
    assert "0.0" not in shown.replace("0.0 s", "")


async def test_unknown_figures_are_dashes() -> None:
    state = healthy()
    bare = status(
        fps=None, latency_ms=None, viewers=(), stages=(), cpu_percent=None, memory_percent=None, temperature_c=None,
        memory_used_mb=None, network_mbps=None, bitrate_kbps=None, encode_ms_avg=None, encode_ms_max=None, gop=None,
    )  # fmt: skip
    state.on_message(URL, bare, NOW_S)
    async with running(Scripted(state)) as (app, _):
        shown = text(app)
    for words in ("nobody is watching", "– kbit/s", "– °C", "– Mbit/s", "CPU", "no stage has been timed yet"):
        assert words in shown


async def test_figures_follow_the_source() -> None:
    state = healthy()
    async with running(Scripted(state)) as (app, pilot):
        state.on_message(URL, status(fps=24.9, bitrate_kbps=333.0), NOW_S)
        app.refresh_figures()
        await pilot.pause()
        assert "333 kbit/s" in text(app)


async def test_news_are_looked_at_at_once() -> None:
    state = healthy()
    source = Scripted(state)
    async with running(source) as (app, pilot):
        app.refresh_hz = 0.001
        state.on_message(URL, Event(NOW_US, "error", "camera_lost", "the camera went away", "front"), NOW_S)
        source.on_news()
        await shows(app, pilot, "the camera went away")


async def test_pause_holds_the_figures_and_ends() -> None:
    state = healthy()
    async with running(Scripted(state)) as (app, pilot):
        await pilot.press("p")
        state.on_message(URL, status(bitrate_kbps=333.0), NOW_S)
        app.refresh_figures()
        await pilot.pause()
        assert "paused" in text(app)
        assert "333 kbit/s" not in text(app)
        await pilot.press("p")
        await pilot.pause()
        assert "paused" not in text(app)
        assert "333 kbit/s" in text(app)


async def test_number_keys_and_enter_switch_the_camera() -> None:
    async with running(many) as (app, pilot):
        assert isinstance(app.screen, OverviewScreen)
        await pilot.press("2")
        assert isinstance(app.screen, CameraScreen)
        assert app.session.camera is not None
        assert app.session.camera.name == "back"
        await pilot.press("9")  # there is no ninth
        assert app.session.camera.name == "back"
        await pilot.press("o", "up", "up", "up", "up", "enter")
        assert isinstance(app.screen, CameraScreen)
        assert app.session.camera.name == "belly"  # the worst comes first


async def test_the_overview_sorts_and_keeps_its_camera() -> None:
    async with running(many) as (app, pilot):
        names = []
        for _ in range(8):
            shown = text(app)
            names.append([line.split()[3] for line in shown.split("\n") if "pi-garage  " in line and "fps" not in line])
            chosen = app.session.camera
            await pilot.press("s")
            await pilot.pause()
            assert app.session.camera is not None
            assert chosen is not None
            assert app.session.camera.key == chosen.key
        assert len({tuple(order) for order in names}) > 2


async def test_a_click_chooses_and_a_double_click_opens() -> None:
    async with running(many) as (app, pilot):
        row = next(y for y, line in enumerate(text(app).split("\n")) if " back " in line and "healthy" in line)
        await pilot.click(offset=(20, row))
        assert app.session.camera is not None
        assert app.session.camera.name == "back"
        await pilot.click(offset=(20, row), times=2)
        await pilot.pause()
        assert isinstance(app.screen, CameraScreen)


async def test_one_camera_needs_no_overview() -> None:
    async with running(healthy) as (app, pilot):
        assert isinstance(app.screen, CameraScreen)
        await pilot.press("o")
        assert isinstance(app.screen, OverviewScreen)
        await pilot.press("o")
        assert isinstance(app.screen, CameraScreen)


@pytest.mark.parametrize("size", SIZES)
async def test_help_names_every_key(size: tuple[int, int]) -> None:
    async with running(size=size) as (app, pilot):
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpDialog)
        shown = text(app)
        for words in (
            "Quit",
            "Overview",
            "Theme",
            "Pause",
            "Find in the log",
            "Log to a file",
            "Camera by number",
            "Bell",
        ):
            assert words in shown
        await pilot.press("escape")
        assert isinstance(app.screen, CameraScreen)


async def test_addresses_can_be_copied_by_key_and_mouse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    async with running() as (app, pilot):
        await pilot.press("u", "down", "enter")
        assert isinstance(app.screen, AddressesDialog)
        assert app.clipboard == "http://192.168.1.7:9000/front"
        await pilot.pause()
        assert "copied http" in text(app)


def scan(app: MonitorApp) -> str:
    """What a phone would read from the screen."""
    cv2 = pytest.importorskip("cv2")
    ground = app.session.palette.style("code").bgcolor
    rows = []
    for strip in app.screen._compositor.render_strips():
        if code := "".join(s.text for s in strip if s.style and s.style.bgcolor == ground):
            rows.append([char in "█▀" for char in code])
            rows.append([char in "█▄" for char in code])
    picture = np.where(np.pad(np.array(rows), 4), 0, 255).astype(np.uint8)
    picture = cv2.resize(picture, None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST)
    return str(cv2.QRCodeDetector().detectAndDecode(picture)[0])


@pytest.mark.parametrize("size", SIZES)
async def test_an_address_can_be_scanned(size: tuple[int, int]) -> None:
    async with running(size=size) as (app, pilot):
        await pilot.press("u", "r")  # the browser's page, as nothing was chosen
        await shows(app, pilot, "r back")
        async with asyncio.timeout(20):
            while scan(app) != "http://192.168.1.7:9000/front":
                await pilot.pause(0.05)
        await pilot.press("r")
        await shows(app, pilot, "Enter copies")


async def test_an_address_that_is_too_long_to_scan_is_said_so() -> None:
    state = healthy()
    long = CameraInfo("front", {"rtsp": "rtsp://" + "x" * 120})
    state.on_message(URL, replace(welcome(), cameras=(long,)), NOW_S)
    async with running(Scripted(state)) as (app, pilot):
        await pilot.press("u", "r")
        await shows(app, pilot, "too long for a QR code")


async def test_all_viewers_are_listed_with_what_they_report() -> None:
    state = healthy()
    state.on_message(URL, status(viewers=tuple(viewer(n, p50=4.0 + n) for n in range(1, 6))), NOW_S)
    async with running(Scripted(state)) as (app, pilot):
        await pilot.press("w")
        assert isinstance(app.screen, ViewersDialog)
        shown = text(app)
    assert all(f"192.168.1.{20 + n}:5{n}324" in shown for n in range(1, 6))
    assert "longest freeze 61.0 ms" in shown


async def test_the_log_filters_by_level_and_by_words() -> None:
    async with running() as (app, pilot):
        await pilot.press("f")
        await pilot.pause()
        assert "watches by tcp" not in text(app)
        assert "warning and worse" in text(app)
        await pilot.press("f", "f")
        await pilot.press("slash", *"encoder 137")
        await pilot.pause()
        assert isinstance(app.screen, LogScreen)
        assert "ended with code 137" in text(app)
        assert "watches by tcp" not in text(app)
        await pilot.press("enter", "escape")
        await pilot.pause()
        assert "watches by tcp" in text(app)
        assert not app.screen.query_one(Input).display
        await pilot.press("escape")
        assert isinstance(app.screen, CameraScreen)


async def test_a_search_for_nothing_there_says_so() -> None:
    async with running() as (app, pilot):
        await pilot.press("slash", *"zzzz")
        await pilot.pause()
        assert "nothing passes the filter" in text(app)


async def test_letters_typed_into_the_search_are_not_keys() -> None:
    async with running() as (app, pilot):
        await pilot.press("slash", *"qpo")
        assert app.is_running
        assert app.session.filter.words == "qpo"
        assert not app.session.paused


async def test_a_log_scrolled_up_stays_where_it_is_while_more_comes() -> None:
    state = healthy()
    for number in range(60):
        state.on_message(URL, Event(NOW_US + number, "info", "n", f"entry {number:03d}"), NOW_S)
    async with running(Scripted(state), MEDIUM) as (app, pilot):
        await pilot.press("l", "pageup", "pageup")
        await pilot.pause()
        before = [line for line in text(app).split("\n") if "entry" in line]
        for number in range(60, 75):
            state.on_message(URL, Event(NOW_US + number, "info", "n", f"entry {number:03d}"), NOW_S)
        app.refresh_figures()
        await pilot.pause()
        assert [line for line in text(app).split("\n") if "entry" in line] == before
        assert "35 newer below" in text(app)
        await pilot.press("end")
        await pilot.pause()
        assert "entry 074" in text(app)


def written(folder: Path) -> list[str]:
    """The lines of the log's one file."""
    (file,) = folder.glob("zlfeed-log-*.txt")
    return file.read_text(encoding="utf-8").splitlines()


async def test_the_log_can_be_written_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with running() as (app, pilot):
        await pilot.press("f", "e")
        await pilot.pause()
        assert app.is_running
    lines = written(tmp_path)
    assert len(lines) == 2
    assert lines[1].endswith("encoder_restarted: the encoder ended with code 137 and runs again")


async def test_a_log_that_cannot_be_written_is_a_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    async with running() as (app, pilot):
        await pilot.press("e")
        await shows(app, pilot, "cannot be written")


async def test_all_themes_take_turns() -> None:
    async with running() as (app, pilot):
        seen = [app.theme]
        for _ in THEMES:
            await pilot.press("t")
            seen.append(app.theme)
        assert seen[0] == seen[-1]
        assert set(seen) == {theme.name for theme in THEMES}


async def test_foreign_themes_work_too() -> None:
    async with running() as (app, pilot):
        for name in ("gruvbox", "textual-light", "nord", "textual-ansi"):
            if name in app.available_themes:
                app.theme = name
                await pilot.pause()
        assert "healthy" in text(app)


async def test_without_unicode_only_ascii_is_drawn() -> None:
    async with running() as (app, pilot):
        app.session.glyphs = ASCII
        app.redraw()
        await pilot.pause()
        for key in ("w", "escape", "u", "escape", "question_mark"):
            await pilot.press(key)
            await pilot.pause()
            shown = text(app)
            assert shown.isascii(), {char for char in shown if not char.isascii()}


async def test_names_from_outside_cannot_write_to_the_terminal() -> None:
    state = MonitorState([URL])
    state.on_message(URL, welcome("evil\x1b[2J\x07", ("fr\nont",)), NOW_S)
    state.on_message(
        URL, status("fr\nont", encoder="\x1b]0;x\x07", viewers=(replace(viewer(), agent="\x9b1m"),)), NOW_S
    )
    state.on_message(URL, Event(NOW_US, "error\x1b", "x", "line one\r\nline \x1b[31mtwo", "\x1b"), NOW_S)
    async with running(Scripted(state)) as (app, pilot):
        for key in ("w", "escape", "o"):
            shown = text(app)
            assert all(char.isprintable() or char == "\n" for char in shown)
            await pilot.press(key)


class Refused(Scripted):
    """A publisher that does not want us."""

    async def run(self) -> None:
        """Refuses."""
        raise StartError("the token is refused")


async def test_a_refusal_ends_the_app_with_its_reason() -> None:
    app = MonitorApp(Refused(connecting()))
    async with app.run_test() as pilot:
        async with asyncio.timeout(10):
            while app.is_running and app.failure is None:
                await pilot.pause(0.02)
    assert str(app.failure) == "the token is refused"
    assert app.return_code == 3


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("ctrl+c", 130)])
async def test_keys_that_end_it(key: str, code: int) -> None:
    app = MonitorApp(Scripted(healthy()))
    async with app.run_test() as pilot:
        await pilot.press(key)
    assert app.return_code == code


async def test_a_duration_ends_it() -> None:
    app = MonitorApp(Scripted(healthy()), duration_s=0.2)
    async with asyncio.timeout(20), app.run_test() as pilot:
        while app.is_running:
            await pilot.pause(0.05)
    assert app.return_code == 0


async def test_alerts_are_counted_until_they_are_seen_and_ring_when_asked() -> None:
    state = troubled()
    source = Scripted(state)
    hot = state.hosts[URL].cameras["front"].status
    assert hot is not None
    async with running(source) as (app, pilot):
        rung = []
        app.bell = lambda: rung.append(True)  # type: ignore[method-assign]
        await pilot.press("b")
        for after in (1.0, 2.0, 4.0, 5.0):
            source.after_s = after
            state.on_message(URL, hot, NOW_S + after)
            app.refresh_figures()
        await pilot.pause()
        assert rung == [True]
        assert "5 alerts" in text(app)
        await pilot.press("a")
        await pilot.pause()
        assert "5 seen" in text(app)
        assert "alert_raised" in {entry.code for entry in app.session.snapshot.log}


async def test_a_publisher_that_refuses_is_told_of_beside_others() -> None:
    state = many()
    state.on_refused("ws://door:9000/", "door:9000 refuses the token", NOW_US)
    async with running(Scripted(state)) as (app, _):
        shown = text(app)
    assert "no contact with drone · and 1 more" in shown
    assert "refused" in shown


class Broken(Scripted):
    """A source with a bug."""

    async def run(self) -> None:
        """Breaks."""
        raise RuntimeError("a bug")


async def test_a_bug_is_not_hidden() -> None:
    app = MonitorApp(Broken(healthy()))
    with pytest.raises(Exception, match="a bug"):
        async with app.run_test() as pilot:
            await pilot.pause(1.0)
    assert app.return_code == 1


def chosen(app: MonitorApp, camera: str) -> bool:
    """Whether that camera is looked at."""
    return app.session.chosen is not None and app.session.chosen[1] == camera


async def test_the_command_palette_has_what_the_keys_do_and_the_cameras() -> None:
    async with running(many) as (app, pilot):
        await pilot.press("ctrl+p")
        await shows(app, pilot, "Search")
        await shows(app, pilot, "Bell on alerts")
        await pilot.press("escape")
        await shows(app, pilot, "overview")
        for typed, camera in (("printer", "printer"), ("belly", "belly")):
            await pilot.press("ctrl+p", *typed)
            await shows(app, pilot, f"Camera {camera}")
            await pilot.press("enter")
            await until(pilot, partial(chosen, app, camera))


async def test_the_screen_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with running() as (app, pilot):
        await pilot.press("ctrl+p", *"screenshot")
        await shows(app, pilot, "An SVG file in the working folder")
        await pilot.press("enter")
        await shows(app, pilot, "It is in")
    (saved,) = os.listdir(tmp_path)
    assert saved.endswith(".svg")


async def test_the_chain_says_what_failed_and_when() -> None:
    state = healthy()
    parts = (
        Part("camera", "running"),
        Part("encoder", "backing_off", 3, 2, "the encoder ended with code 137", 4.2, 1.5),
        Part("relay", "running"),
        Part("mediamtx", "given_up", 9, 9, "MediaMTX ended with code 1", 300.0),
    )
    state.on_message(URL, status(state="encoder_down", parts=parts), NOW_S)
    async with running(Scripted(state)) as (app, pilot):
        shown = text(app)
        for words in ("again in 1.5 s", "↻ 3", "given up", "encoder 4.2 s ago: the encoder ended with code 137"):
            assert words in shown
        await pilot.press("x")
        await pilot.pause()
        shown = text(app)
        for words in ("backing off", "3 restarts", "9 restarts", "MediaMTX ended with code 1, 5 min ago"):
            assert words in shown


async def test_a_publisher_that_says_nothing_of_its_parts_has_a_chain_all_the_same() -> None:
    state = healthy()
    state.on_message(URL, status(parts=(), encoder_restarts=2), NOW_S)
    async with running(Scripted(state)) as (app, pilot):
        assert "↻ 2" in text(app)
        await pilot.press("x")
        await shows(app, pilot, "2 restarts")
