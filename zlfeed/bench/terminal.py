"""What the monitor costs: a real one in a pseudo-terminal, over a real feed with a viewer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil

from zlfeed.bench.measure import CpuClock
from zlfeed.bench.plan import Feed, Format
from zlfeed.bench.senders import Tools, command, sending
from zlfeed.errors import StartError, ZlfeedError

CELLS, ROWS = 120, 40
SETTLE_S = 8.0
"""Not measured: the first picture, imports that come with the first status, the clock's burst of pings."""
_DRAWN = b"Quit"
"""In the line of keys, which is in the first picture."""
_FIGURES = b" live"
_ASKED, _ATTRIBUTES = b"\x1b[c", b"\x1b[?62;22c"
"""What every terminal answers when it is asked what it is: a VT220 with colours."""
_READY_S = 30.0
_STOP_S = 4.0


@dataclass(frozen=True, slots=True)
class Watching:
    """What a run of the monitor cost. `first_paint_ms`, `figures_ms`: from its start; CPU in percent of a core."""

    number: int
    first_paint_ms: float | None = None
    figures_ms: float | None = None
    cpu: float | None = None
    terminal_kb_s: float | None = None
    memory_mb: float | None = None
    growth_kb_min: float | None = None
    status_bytes_s: float | None = None
    error: str = ""


class Relayed:
    """A TCP proxy on loopback that counts what the publisher says and what it hears."""

    def __init__(self) -> None:
        self.bytes = 0

    @contextlib.asynccontextmanager
    async def to(self, host: str, port: int) -> AsyncIterator[int]:
        """Serves on a free port, until the block ends."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection(host, port)
            with contextlib.suppress(ConnectionError):
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pass(reader, far_writer))
                    group.create_task(self._pass(far_reader, writer))

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                self.bytes += len(data)
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


class Screen:
    """A program in a pseudo-terminal that nobody looks at: what it writes is counted."""

    def __init__(self, arguments: list[str]) -> None:
        import fcntl
        import pty
        import termios

        self.bytes = 0
        self.seen_s: dict[bytes, float] = {}
        self._tail = b""
        self._master, slave = pty.openpty()
        try:
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, CELLS, 0, 0))
            environ = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
            # As after pip's installation: compiled code is kept, so that the runs after the first have it.
            for name in ("NO_COLOR", "COLUMNS", "LINES", "TMUX", "PYTHONDONTWRITEBYTECODE"):
                environ.pop(name, None)
            self._began = time.monotonic()
            # Not by asyncio: the child needs the terminal as its controlling one.
            self.process = psutil.Popen(
                arguments, stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True
            )
        finally:
            os.close(slave)
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:  # the program ended
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._master)
            return
        self.bytes += len(data)
        text = self._tail + data
        if _ASKED in data:
            os.write(self._master, _ATTRIBUTES)
        for word in (_DRAWN, _FIGURES):
            if word in text and word not in self.seen_s:
                self.seen_s[word] = time.monotonic() - self._began
        self._tail = text[-200:]

    async def shows(self, word: bytes) -> float:
        """Seconds from the start until it showed that. Raises StartError."""
        deadline = time.monotonic() + _READY_S
        while word not in self.seen_s:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise StartError(f"the monitor did not show {word.decode().strip()!r}: {self._tail[-100:]!r}")
            await asyncio.sleep(0.005)
        return self.seen_s[word]

    async def close(self) -> None:
        """Ends the program, and reaps it."""
        for end in (self.process.terminate, self.process.kill):
            with contextlib.suppress(psutil.NoSuchProcess):
                end()
            with contextlib.suppress(psutil.TimeoutExpired):
                await asyncio.to_thread(self.process.wait, _STOP_S)
                break
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)


async def run_monitor(wanted: Format, number: int, seconds: float, tools: Tools) -> Watching:
    """Everything on but the preview, at 120×40 and two pictures a second, for so many seconds after it has settled."""
    if sys.platform == "win32":
        return Watching(number, error="there are no pseudo-terminals here")
    try:
        async with sending(Feed(), wanted, tools) as feed:
            where = ("--status-url", feed.status_url, "--headless", "--json")
            async with command("receive", feed.url, *where) as viewer:
                await viewer.line("second", _READY_S)
                hearing = asyncio.create_task(viewer.drain())
                try:
                    return await _watch(feed.status_url, number, seconds)
                finally:
                    hearing.cancel()
    except ZlfeedError as error:
        return Watching(number, error=str(error))


async def _watch(url: str, number: int, seconds: float) -> Watching:
    parts, relayed = urlsplit(url), Relayed()
    assert parts.hostname is not None
    assert parts.port is not None
    async with relayed.to(parts.hostname, parts.port) as port:
        screen = Screen([sys.executable, "-P", "-m", "zlfeed", "monitor", f"ws://127.0.0.1:{port}/"])
        try:
            drawn, figures = await screen.shows(_DRAWN), await screen.shows(_FIGURES)
            await asyncio.sleep(SETTLE_S)
            clock, began = CpuClock([[screen.process.pid]]), time.monotonic()
            terminal, status, memory = screen.bytes, relayed.bytes, screen.process.memory_info().rss
            await asyncio.sleep(seconds)
            elapsed = time.monotonic() - began
            grown = screen.process.memory_info().rss
            return Watching(
                number,
                drawn * 1000,
                figures * 1000,
                clock.percent()[0],
                (screen.bytes - terminal) / elapsed / 1000,
                grown / 2**20,
                (grown - memory) / 1024 / elapsed * 60,
                (relayed.bytes - status) / elapsed,
            )
        except psutil.NoSuchProcess:
            raise StartError("the monitor ended by itself") from None
        finally:
            await screen.close()
