"""A day of running, quickly: state, screens and preview keep no more than they did half-way."""

from __future__ import annotations

import asyncio
import functools
import gc
import sys

from textual.cache import FIFOCache, LRUCache

from tests.tui.scenes import NOW_S, NOW_US, URL, Scripted, healthy, status, viewer
from tests.tui.test_monitor_screens import running
from tests.unit.test_monitor_preview import jpeg
from zlfeed.model import Event, Latency, Thumbnail
from zlfeed.status_client import LinkState

STEP_S = 480.0
LOOKS = 200
LEAK = 1.0
"""Blocks a look; without what the caches keep, which have a bound each, hardly any is seen."""


def forget() -> None:
    """Empties every cache that has a bound."""
    for thing in gc.get_objects():
        kind = type(thing)  # isinstance asks a proxy for what it stands for, which may be gone
        if issubclass(kind, functools._lru_cache_wrapper):
            if thing.cache_info().maxsize is not None:
                thing.cache_clear()
        elif issubclass(kind, LRUCache | FIFOCache):
            thing.clear()
    gc.collect()


async def test_a_day_adds_nothing() -> None:
    """Looks eight minutes apart; figures, viewers, events, contact and the picture change with every one."""
    state = healthy()
    source = Scripted(state)
    pictures = [Thumbnail("front", 1, 64, 48, jpeg(colour=(shade, 90, 255 - shade))) for shade in range(0, 250, 50)]
    blocks = []
    for number in range(1000):  # as many as are kept
        state.on_message(URL, Event(NOW_US - number, "warning", "n", f"event {number} before", "front"), NOW_S)
    async with running(source, (60, 18)) as (app, _):
        app.session.previewing = True
        for step in range(LOOKS):
            now_s, now_us = NOW_S + step * STEP_S, NOW_US + round(step * STEP_S * 1e6)
            source.after_s = now_s - NOW_S
            if step % 50 == 0:
                state.on_link(URL, LinkState(URL, False, 1, 0.5, "lost"), now_s, now_us)
                state.on_link(URL, LinkState(URL, True, 0, None, None), now_s, now_us)
            late = 4.0 + step % 97
            viewers = (viewer(1 + step % 7, p50=late), viewer(1 + step % 5, p50=None, loss=step % 9))
            figures = status(fps=30 - step % 11 / 10, latency_ms=Latency(late, late * 2), viewers=viewers)
            state.on_message(URL, figures, now_s)
            for number in range(4):
                state.on_message(URL, Event(now_us, "warning", "n", f"event {number} of {step}", "front"), now_s)
            source.pictures.on_thumbnail(URL, pictures[step % len(pictures)], NOW_S + 1.5)
            app.refresh_figures()
            await asyncio.sleep(0.001)  # the screen is drawn
            if step in (LOOKS // 2, LOOKS - 1):
                forget()
                blocks.append(sys.getallocatedblocks())
        assert len(app.session.snapshot.cameras[0].samples) < 400
        assert len(app.session.snapshot.log) <= 1000
    early, end = blocks
    assert end - early < LEAK * LOOKS / 2, f"{early} blocks after half of the looks, {end} after all"
