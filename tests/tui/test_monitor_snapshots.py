"""Pictures of the screens, compared with the ones that were looked at and found good.

ZLFEED_UPDATE_SNAPSHOTS=1 writes them anew: look at them in a browser before committing.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.tui.scenes import NOW_S, URL, Scripted, disconnected, healthy, many, troubled
from zlfeed.model import Thumbnail
from zlfeed.monitor.app import MonitorApp
from zlfeed.monitor.lines import ASCII, UNICODE
from zlfeed.monitor.state import MonitorState
from zlfeed.monitor.themes import CONTRAST, DARK, LIGHT

FOLDER = Path(__file__).parent / "snapshots"


@pytest.fixture(autouse=True)
def fixed_look(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same hour and the same terminal everywhere."""
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone cannot be set here")
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def blocks() -> bytes:
    """A picture whose every JPEG block is of one colour, so that all decoders agree on it."""
    picture = Image.new("RGB", (64, 48))
    for y in range(0, 48, 8):
        for x in range(0, 64, 8):
            picture.paste((40 + 3 * x, 60 + 3 * y, 200 - 2 * x), (x, y, x + 8, y + 8))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=95, subsampling=0)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "scene", "size", "keys", "theme"),
    [
        ("large", healthy, (120, 40), (), DARK.name),
        ("medium", healthy, (80, 24), (), DARK.name),
        ("compact", healthy, (60, 18), (), DARK.name),
        ("trouble-light", troubled, (120, 40), (), LIGHT.name),
        ("no-contact", disconnected, (100, 30), (), DARK.name),
        ("many", many, (100, 24), (), DARK.name),
        ("viewers-contrast", troubled, (100, 30), ("w",), CONTRAST.name),
        ("preview", healthy, (120, 40), ("v",), DARK.name),
        ("ascii", troubled, (80, 24), (), DARK.name),
    ],
)
async def test_the_screen_looks_as_it_did(
    name: str, scene: Callable[[], MonitorState], size: tuple[int, int], keys: tuple[str, ...], theme: str
) -> None:
    source = Scripted(scene(), 32.0 if scene is disconnected else 0.4)
    app = MonitorApp(source)
    async with app.run_test(size=size) as pilot:
        app.session.glyphs = ASCII if name == "ascii" else UNICODE
        app.session.many_colors = True
        app.theme = theme
        await pilot.press(*keys)
        await pilot.pause()
        source.pictures.on_thumbnail(URL, Thumbnail("front", 1, 64, 48, blocks()), NOW_S + 1.0)
        app.refresh_figures()
        await pilot.pause()
        picture = app.export_screenshot(title="zlfeed monitor")
    compare(FOLDER / f"{name}.svg", picture)


def compare(golden: Path, picture: str) -> None:
    """Fails with the first line that differs."""
    if os.environ.get("ZLFEED_UPDATE_SNAPSHOTS") == "1":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(picture, encoding="utf-8")
        return
    expected, found = golden.read_text(encoding="utf-8").splitlines(), picture.splitlines()
    for number, (before, after) in enumerate(zip(expected, found, strict=False), 1):
        assert after == before, f"{golden.name} line {number} differs"
    assert len(found) == len(expected)
