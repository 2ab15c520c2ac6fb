"""Makes the README's pictures from a feed that really runs: docs/img/monitor*.svg, window.png and page.png.

    make screenshots                        # five minutes, so that the graphs are full
    python scripts/screenshots.py --seconds 30 --busy

The pictures are to show what people will see, so it waits for a machine that has nothing else to do, for ten minutes at
most, and says so when there is none; --busy takes it as it is.

A publisher with the test picture and two receivers run on this machine as their users run them; the monitor connects
late and has their history at once. The window's picture wants Xvfb and ImageMagick's `import`, the browser's page
Chromium and MediaMTX; without them it is left as it is.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
from textual.pilot import Pilot

from zlfeed.children import Command
from zlfeed.monitor.app import MonitorApp
from zlfeed.monitor.feeds import Feeds
from zlfeed.monitor.lines import UNICODE

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "img"
PICTURES = {
    "monitor": ((120, 40), "zlfeed-dark", ()),
    "monitor-small": ((80, 24), "zlfeed-dark", ()),
    "monitor-light": ((120, 40), "zlfeed-light", ()),
    "monitor-preview": ((120, 40), "zlfeed-dark", ("v",)),
    "monitor-viewers": ((100, 30), "zlfeed-dark", ("w",)),
}
READY_S = 30.0
QUIET_PERCENT = 25.0
QUIET_S = 600.0
WELL_S = 60.0


@contextlib.asynccontextmanager
async def zlfeed(*arguments: str) -> AsyncIterator[Command]:
    """One of our own commands."""
    command = await Command.start(*arguments, hear=True)
    try:
        yield command
    finally:
        await command.stop()


@contextlib.asynccontextmanager
async def display() -> AsyncIterator[str | None]:
    """The name of an X display of our own, or None where that cannot be."""
    if shutil.which("Xvfb") is None or shutil.which("import") is None:
        yield None
        return
    server = await asyncio.create_subprocess_exec(
        "Xvfb", "-displayfd", "1", "-screen", "0", "960x720x24", "-nolisten", "tcp",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        async with asyncio.timeout(READY_S):
            number = (await server.stdout.readline()).decode().strip()
        yield f":{number}"
    finally:
        server.terminate()
        await server.wait()


async def quiet() -> None:
    """Waits until others leave the processor alone for five seconds. Exits where they do not."""
    deadline = asyncio.get_running_loop().time() + QUIET_S
    psutil.cpu_percent()
    while asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(5)
        if psutil.cpu_percent() < QUIET_PERCENT:
            return
    sys.exit(f"this machine was busy for {QUIET_S / 60:g} minutes: try again later, or take it as it is with --busy")


async def well(app: MonitorApp, pilot: Pilot[None]) -> None:
    """Waits a while for a moment in which others leave the machine enough."""
    deadline = asyncio.get_running_loop().time() + WELL_S
    while asyncio.get_running_loop().time() < deadline:
        camera = app.session.camera
        if camera is not None and camera.health.level == "good":
            return
        await pilot.pause(0.1)


async def monitor_pictures(url: str) -> None:
    """The monitor in every size, connected to `url`."""
    for name, (size, theme, keys) in PICTURES.items():
        app = MonitorApp(Feeds({url: ""}, timeout_s=2.0))
        app.session.glyphs = UNICODE
        app.session.many_colors = True
        async with asyncio.timeout(READY_S + WELL_S), app.run_test(size=size) as pilot:
            while not (app.session.camera and app.session.camera.status and app.session.camera.host.link.round_trip_ms):
                await pilot.pause(0.1)
            app.theme = theme
            await pilot.press(*keys)
            await pilot.pause(5.0 if keys == ("v",) else 1.5)  # the preview's cost is known after some pictures
            await well(app, pilot)
            picture = app.export_screenshot(title="zlfeed monitor")
        (FOLDER / f"{name}.svg").write_text(picture, encoding="utf-8")
        print(f"docs/img/{name}.svg")


async def window_picture(name: str | None) -> None:
    """What is on that display, cut to the window."""
    if name is None:
        print("docs/img/window.png is left as it is: that wants Xvfb and ImageMagick's import")
        return
    target = FOLDER / "window.png"
    shot = await asyncio.create_subprocess_exec(
        "import", "-display", name, "-window", "root", "-trim", "+repage", str(target)
    )
    code = await shot.wait()
    print("docs/img/window.png" if code == 0 else f"import ended with code {code}")


def page_picture(url: str) -> None:
    """The page in a browser, once it has figures; in a thread of its own."""
    sys.path.insert(0, str(ROOT))
    from tests.support.browser import browsing

    with browsing() as page:
        page.call("Emulation.setDeviceMetricsOverride", width=700, height=565, deviceScaleFactor=1, mobile=False)
        page.open(url)
        page.until("/ ms ±/.test(document.getElementById('figures').textContent)")
        page.until("new Promise((done) => setTimeout(() => done(true), 3000))")
        picture = base64.b64decode(page.call("Page.captureScreenshot")["data"])
    (FOLDER / "page.png").write_bytes(picture)
    print("docs/img/page.png")


async def main() -> None:
    """Runs everything, waits, takes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=305.0, help="how long to gather history (default 305)")
    parser.add_argument("--busy", action="store_true", help="do not wait for a quiet machine")
    arguments = parser.parse_args()
    seconds = arguments.seconds
    if not arguments.busy:
        await quiet()
    FOLDER.mkdir(parents=True, exist_ok=True)
    ports = ("--host=localhost", *(f"--{name}-port=0" for name in ("rtsp", "websocket", "webrtc", "hls")))
    async with contextlib.AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(
            zlfeed("publish", "--camera", "test", "--no-auth", *ports, "--json")
        )
        urls = (await publisher.line("ready", READY_S))["urls"]
        where = (urls["rtsp"], "--status-url", urls["websocket"])
        children = [publisher, await stack.enter_async_context(zlfeed("receive", *where, "--headless", "--json"))]
        screen = await stack.enter_async_context(display())
        if screen is not None:
            os.environ["DISPLAY"] = screen
            children.append(await stack.enter_async_context(zlfeed("receive", *where, "--display", "--json")))
        drains = [asyncio.create_task(child.drain()) for child in children]
        stack.callback(lambda: [task.cancel() for task in drains])
        await asyncio.sleep(seconds)
        await window_picture(screen)
        await monitor_pictures(urls["websocket"])
        # Last: a browser is work for the machine, which the monitor would show.
        if "webrtc" in urls and shutil.which("chromium"):
            await asyncio.to_thread(page_picture, urls["page"])
        else:
            print("docs/img/page.png is left as it is: that wants MediaMTX and Chromium")


if __name__ == "__main__":
    asyncio.run(main())
