"""A day of running, quickly: state, screens and preview keep no more than they did after its first hours."""

from __future__ import annotations

import asyncio
import gc
import sys

from tests.tui.scenes import NOW_S, NOW_US, URL, Scripted, healthy, status, viewer
from tests.tui.test_monitor_screens import running
from tests.unit.test_monitor_preview import jpeg
from zlfeed.model import Event, Latency, Thumbnail
from zlfeed.status_client import LinkState

STEP_S = 480.0


async def test_a_day_adds_nothing() -> None:
    """180 looks, eight minutes apart; figures, viewers, events, contact and the picture change with every one."""
    state = healthy()
    source = Scripted(state)
    pictures = [Thumbnail("front", 1, 64, 48, jpeg(colour=(shade, 90, 255 - shade))) for shade in range(0, 250, 50)]
    blocks = []
    async with running(source) as (app, _):
        app.session.previewing = True
        for step in range(180):
            now_s, now_us = NOW_S + step * STEP_S, NOW_US + round(step * STEP_S * 1e6)
            source.after_s = now_s - NOW_S
            if step % 50 == 0:
                state.on_link(URL, LinkState(URL, False, 1, 0.5, "lost"), now_s, now_us)
                state.on_link(URL, LinkState(URL, True, 0, None, None), now_s, now_us)
            for second in range(3):
                late = 4.0 + step % 97 + second / 3
                viewers = (viewer(1 + step % 7, p50=late), viewer(1 + step % 5, p50=None, loss=step % 9))
                state.on_message(
                    URL,
                    status(fps=30 - step % 11 / 10, latency_ms=Latency(late, late * 2), viewers=viewers),
                    now_s + second - 3,
                )
            for number in range(12):
                text = f"event {number} of look {step}"
                state.on_message(URL, Event(now_us, "warning", "n", text, "front"), now_s)
            source.pictures.on_thumbnail(URL, pictures[step % len(pictures)], NOW_S + 1.5)
            app.refresh_figures()
            await asyncio.sleep(0.002)  # the screen is drawn
            if step in (100, 179):
                gc.collect()
                blocks.append(sys.getallocatedblocks())
        assert len(app.session.snapshot.cameras[0].samples) < 400
        assert len(app.session.snapshot.log) <= 1000
    middle, end = blocks
    assert end - middle < 3_000, f"{middle} blocks after half a day, {end} after the whole"
