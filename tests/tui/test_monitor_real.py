"""The monitor in tmux over a publisher and a receiver that really run."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.tui.test_monitor_terminal import COMMAND, terminal
from zlfeed.children import Command

pytestmark = [pytest.mark.needs("tmux", "ffmpeg")]


@contextlib.asynccontextmanager
async def command(*arguments: str) -> AsyncIterator[Command]:
    """One of our own commands, ended when left."""
    child = await Command.start(*arguments, hear=True)
    try:
        yield child
    finally:
        await child.stop()


async def test_a_real_feed_is_seen_with_its_true_latency(tmp_path: Path) -> None:
    ports = ("--host", "localhost", "--rtsp-port", "0", "--websocket-port", "0", "--server", "embedded")
    async with command("publish", "--camera", "test", "--no-auth", *ports, "--json") as publisher:
        urls = (await publisher.line("ready", 30))["urls"]
        heard = asyncio.create_task(publisher.drain())
        async with terminal(tmp_path) as term:
            term.type(shlex.join([*COMMAND, urls["websocket"]]))
            shown = await term.shows("● live", "nobody is watching", "640×480", "libx264", urls["rtsp"])
            assert re.search(r"latency .*– / – ms|latency .*– ms", shown), shown
            async with command(
                "receive", urls["rtsp"], "--status-url", urls["websocket"], "--headless", "--json"
            ) as one:
                await one.line("second", 30)
                hearing = asyncio.create_task(one.drain())
                await term.shows("1 watching", "127.0.0.1:", like=r"latency .*\d+(\.\d)? / \d+(\.\d)? ms")
                hearing.cancel()
            await term.shows("nobody is watching")
            term.tmux("send-keys", "q")
        heard.cancel()
