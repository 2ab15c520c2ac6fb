"""The preview on the screen, and snapshots."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.tui.scenes import NOW_S, URL, Scripted, healthy, many
from tests.tui.test_monitor_command import Publisher, publishing
from tests.tui.test_monitor_screens import LARGE, SIZES, running, shows, text, until
from tests.unit.test_monitor_preview import jpeg
from zlfeed.model import Thumbnail
from zlfeed.monitor.app import MonitorApp
from zlfeed.monitor.asking import QUESTION
from zlfeed.monitor.feeds import Feeds
from zlfeed.monitor.lines import ASCII, UNICODE, Glyphs
from zlfeed.monitor.widgets.preview_pane import PreviewPane


def picture(camera: str = "front", data: bytes | None = None) -> Thumbnail:
    return Thumbnail(camera, 1, 64, 48, jpeg() if data is None else data)


def colours(app: MonitorApp) -> set[str]:
    """The foregrounds of the half blocks on the screen."""
    strips = app.screen._compositor.render_strips()
    styles = [s.style for strip in strips for s in strip if "▀" in s.text]
    return {str(style.color.triplet) for style in styles if style and style.color}


@pytest.mark.parametrize("size", SIZES)
async def test_it_is_off_until_v_and_asks_for_what_it_draws(size: tuple[int, int]) -> None:
    source = Scripted(healthy())
    async with running(source, size) as (app, pilot):
        app.session.many_colors = True
        assert source.asked == []
        assert "preview" not in text(app)
        await pilot.press("v")
        await shows(app, pilot, "waiting for a picture")
        app.refresh_figures()
        asked = source.asked[-1]
        assert asked is not None
        assert asked.key == (URL, "front")
        assert 16 <= asked.width <= 64
        assert asked.hz == 2.0
        source.pictures.on_thumbnail(URL, picture(), NOW_S + 1.0)
        source.on_picture()
        await shows(app, pilot, "▀▀▀▀▀▀▀▀")
        assert "0.5 Hz" in text(app)
        assert "kB/s" in text(app)
        assert {len(line) for line in text(app).split("\n")} == {size[0]}
        await pilot.press("v")
        await pilot.pause()
        assert source.asked[-1] is None
        assert "preview" not in text(app)


async def test_red_is_red_and_a_new_picture_is_drawn() -> None:
    source = Scripted(healthy())
    async with running(source) as (app, pilot):
        app.session.many_colors = True
        await pilot.press("v")
        await shows(app, pilot, "waiting for a picture")
        before = colours(app)
        source.pictures.on_thumbnail(URL, picture(), NOW_S + 1.0)
        source.on_picture()
        await shows(app, pilot, "▀▀▀▀▀▀▀▀")
        red = colours(app) - before
        assert red
        source.pictures.on_thumbnail(URL, picture(data=jpeg(colour=(0, 0, 250))), NOW_S + 1.5)
        source.on_picture()
        await pilot.pause()
        assert colours(app) - before != red
        source.pictures.on_thumbnail(URL, picture(data=b"garbage"), NOW_S + 1.6)
        source.on_picture()
        await shows(app, pilot, "sent what is no")


@pytest.mark.parametrize(("glyphs", "many", "drawn"), [(ASCII, True, ""), (ASCII, False, "--"), (UNICODE, False, "░░")])
async def test_without_colours_or_unicode_it_is_drawn_all_the_same(glyphs: Glyphs, many: bool, drawn: str) -> None:
    source = Scripted(healthy())
    async with running(source) as (app, pilot):
        app.session.glyphs, app.session.many_colors = glyphs, many
        await pilot.press("v")
        source.pictures.on_thumbnail(URL, picture(), NOW_S + 1.0)
        await shows(app, pilot, "preview")
        app.refresh_figures()
        if drawn:
            await shows(app, pilot, drawn * 4)
        await pilot.pause()
        assert text(app).isascii() == (glyphs is ASCII)


@pytest.mark.parametrize(("way", "begins", "width"), [("kitty", "\x1b_Ga=T", 4), ("sixel", "\x1bP", 8)])
async def test_in_the_terminals_own_pixels(way: str, begins: str, width: int) -> None:
    source, written = Scripted(healthy()), list[str]()
    async with running(source) as (app, pilot):
        app.session.graphics, app.session.cell, app.session.write = way, (8, 16), written.append
        await pilot.press("v")
        await shows(app, pilot, "waiting for a picture")
        app.refresh_figures()
        asked = source.asked[-1]
        assert asked is not None
        pane = app.screen.query_one(PreviewPane)
        assert asked.width == min(pane._extent[0] * width, 160 if way == "kitty" else 240)
        source.pictures.on_thumbnail(URL, picture(), NOW_S + 1.0)
        source.on_picture()
        await until(pilot, lambda: bool(written) and begins in written[-1])
        x, y = pane.region.offset
        assert written[-1].startswith(f"\x1b7\x1b[{y + 2};{x + 2}H")
        assert not colours(app) & {"(250, 0, 0)", "(0, 0, 250)"}
        assert "▀" * 8 not in text(app)
        # What lies over it is not drawn over, and when that has gone it is there again.
        await pilot.press("question_mark")
        await shows(app, pilot, "Log to a file")
        await until(pilot, lambda: way != "kitty" or "a=d" in written[-1])
        await pilot.pause()
        hidden = len(written)
        source.on_picture()
        app.redraw()
        await pilot.pause()
        assert len(written) == hidden
        assert (way == "kitty") == ("a=d" in written[-1])
        await pilot.press("escape")
        app.refresh_figures()
        source.pictures.on_thumbnail(URL, picture(data=jpeg(colour=(0, 0, 250))), NOW_S + 1.5)
        source.on_picture()
        await until(pilot, lambda: len(written) > hidden and begins in written[-1])
        await pilot.press("v")
        await until(pilot, lambda: not pane.display and (way != "kitty" or "a=d" in written[-1]))
        await pilot.pause()
        count = len(written)
        app.redraw()
        await pilot.pause()
        assert len(written) == count


async def test_another_camera_and_another_screen() -> None:
    source = Scripted(many())
    async with running(source) as (app, pilot):
        await pilot.press("2", "v")
        app.refresh_figures()
        await pilot.pause()
        await pilot.press("1")
        app.refresh_figures()
        await pilot.press("o")
        app.refresh_figures()
        await pilot.pause()
    names = [asked.key[1] if asked else None for asked in source.asked]
    assert list(dict.fromkeys(names)) == ["back", "front", None]


def written(folder: Path) -> list[tuple[str, bytes]]:
    """The files there, without the time in their names."""
    return [(file.name[:-20], file.read_bytes()) for file in folder.iterdir()]


async def test_a_snapshot_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = Scripted(healthy())
    async with running(source) as (app, pilot):
        source.on_snapshot(Thumbnail("fro/nt %d", 1, 64, 48, jpeg(), snapshot=True))
        await shows(app, pilot, "64×48 pixels are in")
    assert written(tmp_path) == [("zlfeed-fro-nt--d", jpeg())]


TERMINALS = [
    ({"KITTY_WINDOW_ID": "1"}, b"", b"\x1b_Ga=T,f=100"),
    ({}, b"\x1b[6;18;9t\x1b[?62;4;22c", b'"1;1;'),
    ({"TMUX": "/tmp/x,1,0", "KITTY_WINDOW_ID": "1"}, b"\x1b[?1;2;4c", "▀▀▀▀▀▀▀▀".encode()),
]


@pytest.mark.parametrize(("environ", "answer", "drawn"), TERMINALS, ids=["kitty", "sixel", "tmux"])
async def test_what_goes_to_a_real_terminal(environ: dict[str, str], answer: bytes, drawn: bytes) -> None:
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 110, 0, 0))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NO_COLOR", "TMUX", "COL"))}
    kept |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8", **environ}
    os.set_blocking(ours, False)
    said, answered = b"", False
    async with publishing(Showing()) as server:
        command = [sys.executable, "-m", "zlfeed", "monitor", f"127.0.0.1:{server.port}"]
        monitor = await asyncio.to_thread(
            subprocess.Popen, command, stdin=its, stdout=its, stderr=its, env=kept, start_new_session=True
        )

        async def seen(words: bytes) -> None:
            nonlocal said, answered
            async with asyncio.timeout(25):
                while words not in said:
                    with contextlib.suppress(BlockingIOError):
                        said += os.read(ours, 1 << 16)
                    if QUESTION in said and not answered:
                        answered = True
                        os.write(ours, answer)
                    await asyncio.sleep(0.02)

        try:
            await seen(b"healthy")
            assert answered == bool(answer)
            os.write(ours, b"v")
            await seen(drawn)
            assert (drawn.startswith(b"\x1b_G")) == (b"\x1b_G" in said)
            assert (drawn.startswith(b'"1')) == (b"\x1bP" in said)
        finally:
            monitor.terminate()
            await asyncio.to_thread(monitor.wait, 25)
            os.close(ours)
            os.close(its)


class Showing(Publisher):
    """A publisher that has pictures."""

    made = 0

    async def thumbnail(self, camera: str, width: int) -> Thumbnail | None:
        self.made += 1
        return Thumbnail(camera, 1, width, width * 3 // 4, jpeg(width, width * 3 // 4))


async def test_the_publisher_makes_pictures_only_while_somebody_looks() -> None:
    source = Showing(cameras=["front", "back"])
    async with publishing(source) as server:
        app = MonitorApp(Feeds({f"ws://127.0.0.1:{server.port}/": ""}, timeout_s=5.0))
        app.session.preview_hz = 5.0
        app.session.many_colors = True
        async with app.run_test(size=LARGE) as pilot:
            await shows(app, pilot, "● live")
            assert source.made == 0
            await pilot.press("v")
            await shows(app, pilot, "▀▀▀▀▀▀▀▀")
            await shows(app, pilot, " Hz")
            await pilot.press("v")
            async with asyncio.timeout(20):
                while any(listener.subscribe.thumbnails for listener in server.hub.listeners):
                    await pilot.pause(0.05)
            made = source.made
            await pilot.pause(0.6)
            assert source.made <= made + 1
