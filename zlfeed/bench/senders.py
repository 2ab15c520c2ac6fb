"""Starts what sends: a publisher and its server, each a process of its own, behind a URL that anyone can open."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from zlfeed.bench import mediamtx
from zlfeed.bench.plan import Feed, Format, Plain
from zlfeed.bench.rtsp import describe
from zlfeed.children import Command
from zlfeed.errors import StartError

_READY_S = 30.0
_ANSWER_S = 2.0
PLAIN_GOP = 10
_PROGRAMS = "zlfeed.bench.programs"


@dataclass(frozen=True, slots=True)
class Tools:
    """Programs that are there: FFmpeg, and MediaMTX if it is."""

    ffmpeg: Path
    mediamtx: Path | None


@dataclass(slots=True)
class Sending:
    """A stream on the air. `publisher` holds the processes that make it, `server` those that serve it elsewhere.

    `stages` is what the publisher last said of its own stages (`zlfeed publish` only): name → mean, ms.
    """

    url: str
    publisher: list[int]
    server: list[int] = field(default_factory=list)
    stages: dict[str, float | None] = field(default_factory=dict)
    status_url: str = ""


def program(name: str) -> tuple[str, ...]:
    """How one of the bench's own programs is started."""
    return (sys.executable, "-P", "-m", f"{_PROGRAMS}.{name}")


@contextlib.asynccontextmanager
async def command(name: str, *arguments: str, start: tuple[str, ...] | None = None) -> AsyncIterator[Command]:
    """A command that is heard, and ended when the block ends."""
    running = await Command.start(name, *arguments, hear=True, program=start)
    try:
        yield running
    finally:
        await running.stop()


@contextlib.asynccontextmanager
async def sending(sender: Feed | Plain, wanted: Format, tools: Tools) -> AsyncIterator[Sending]:
    """A stream that can be described, until the block ends. Raises StartError."""
    started = _feed(sender, wanted) if isinstance(sender, Feed) else _plain(sender, wanted, tools)
    async with started as stream:
        yield stream


@contextlib.asynccontextmanager
async def _feed(sender: Feed, wanted: Format) -> AsyncIterator[Sending]:
    arguments = [
        "--camera", "test", "--size", f"{wanted.width}x{wanted.height}", "--fps", f"{wanted.fps:g}",
        "--bitrate", str(wanted.bitrate), "--codec", wanted.codec, "--server", "embedded",
        "--no-auth", "--host", "localhost",
        "--rtsp-port", "0", "--websocket-port", "0", "--json", "--log-format", "text",
        *(("--gop", str(wanted.gop)) if wanted.gop else ()), *sender.publish,
    ]  # fmt: skip
    async with command("publish", *arguments) as publisher:
        ready = await publisher.line("ready", _READY_S)
        stream = Sending(ready["urls"]["rtsp"], [publisher.pid], status_url=ready["urls"]["websocket"])
        listening = asyncio.create_task(_note_stages(publisher, stream))
        try:
            yield stream
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def _note_stages(publisher: Command, stream: Sending) -> None:
    """Hears the publisher's seconds, so that its pipe never fills, and keeps the newest."""
    while True:
        second = await publisher.line("second", _READY_S)
        stream.stages = {stage["name"]: stage["avg_ms"] for stage in second["stages"]}


@contextlib.asynccontextmanager
async def _plain(sender: Plain, wanted: Format, tools: Tools) -> AsyncIterator[Sending]:
    served = _mediamtx(tools) if sender.server == "mediamtx" else _push_relay(sender)
    async with served as (server, push, url):
        arguments = [
            str(tools.ffmpeg), push, str(wanted.width), str(wanted.height), f"{wanted.fps:g}", str(wanted.bitrate),
            str(wanted.gop or PLAIN_GOP), wanted.codec, sender.pixels,
        ]  # fmt: skip
        async with command("plain publisher", *arguments, start=program("plain_publisher")) as publisher:
            await _until(_describes, url, publisher)
            yield Sending(url, [publisher.pid], [server.pid])


@contextlib.asynccontextmanager
async def _push_relay(sender: Plain) -> AsyncIterator[tuple[Command, str, str]]:
    async with command("push relay", *sender.improvements, start=program("push_relay")) as relay:
        ready = await relay.line("ready", _READY_S)
        yield relay, ready["push"], ready["url"]


@contextlib.asynccontextmanager
async def _mediamtx(tools: Tools) -> AsyncIterator[tuple[Command, str, str]]:
    if tools.mediamtx is None:
        raise StartError("there is no MediaMTX here: put it on PATH, or name it with --mediamtx-path")
    ports = mediamtx.free_ports()
    url = f"rtsp://{mediamtx.HOST}:{ports.rtsp}/live"
    with mediamtx.configured(ports) as file:
        async with command("mediamtx", str(file), start=(str(tools.mediamtx),)) as server:
            await _until(_listens, url, server)
            yield server, url, url


async def _until(check: Callable[[str], Awaitable[bool]], url: str, owner: Command) -> None:
    ended = asyncio.ensure_future(owner.wait())
    deadline = asyncio.get_running_loop().time() + _READY_S
    try:
        while not await check(url):
            await asyncio.wait((ended,), timeout=0.1)
            if ended.done():
                raise owner.failure(ended.result())
            if asyncio.get_running_loop().time() > deadline:
                raise StartError(f"{url} did not come within {_READY_S:g} s")
    finally:
        ended.cancel()
        await asyncio.gather(ended, return_exceptions=True)


async def _listens(url: str) -> bool:
    return await _answer(url, None) is not None


async def _describes(url: str) -> bool:
    answer = await _answer(url, describe(url))
    return answer is not None and answer.startswith(b"RTSP/1.0 200")


async def _answer(url: str, request: bytes | None) -> bytes | None:
    """The first line of what the server answers, empty without a request; None when there is no server."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                if request is None:
                    return b""
                writer.write(request)
                return await reader.readline()
            finally:
                writer.close()
                await writer.wait_closed()
    except (OSError, TimeoutError):
        return None
