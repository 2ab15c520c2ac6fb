"""The relay behind TLS: what lies in the buffer below it counts too: a slow reader loses frames, and not time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.relay_kit import Feed, until
from tests.support.rtsp_client import LIMIT_S, RtspClient
from zlfeed import certificates, tls
from zlfeed.net import unsent
from zlfeed.rtsp.server import Relay
from zlfeed.rtsp.tcp_reader import TcpReader
from zlfeed.tls import Pair, Trust

pytestmark = pytest.mark.timeout(60)


@contextlib.asynccontextmanager
async def relaying(folder: Path) -> AsyncIterator[Feed]:
    files = Pair(folder / "cert.pem", folder / "key.pem")
    certificates.make(files, ["localhost"])
    relay = Relay()
    relay.secure.tls = tls.server_context(files)
    relay.secure.bind(("127.0.0.1",), 0)
    for sock in relay.secure._sockets:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)  # connections inherit it: the kernel takes little
    await relay.secure.serve()
    upkeep = asyncio.create_task(relay.run())
    try:
        yield Feed(relay)
    finally:
        upkeep.cancel()
        await asyncio.gather(upkeep, return_exceptions=True)
        await relay.close()


@contextlib.asynccontextmanager
async def connected(relay: Relay) -> AsyncIterator[RtspClient]:
    """A client with little room for what it has not read."""
    port = relay.secure.port
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    async with asyncio.timeout(LIMIT_S):
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(
            sock=sock, ssl=Trust().context("127.0.0.1"), server_hostname="localhost", limit=4096
        )
    try:
        yield RtspClient(reader, writer, f"rtsps://127.0.0.1:{port}/cam", "h264")
    finally:
        writer.transport.abort()


async def test_a_slow_reader_loses_frames_and_never_time(tmp_path: Path) -> None:
    async with relaying(tmp_path) as feed, connected(feed.relay) as client:
        feed.frame(keyframe=True)
        await client.play()
        await client.picture()
        (reader,) = feed.relay.readers.values()
        assert isinstance(reader, TcpReader)
        below = 0
        ends = time.monotonic() + LIMIT_S
        for index in itertools.count():  # read by nobody
            feed.frame(keyframe=index % 20 == 0, size=20_000)
            transport = reader._transport
            below = max(below, unsent(transport) - transport.get_write_buffer_size())
            await asyncio.sleep(0.002)
            if reader.delivery.frames_dropped > 100:
                break
            assert time.monotonic() < ends, "what is not acknowledged grows old, and is dropped"
        assert below > 0, "asyncio has a buffer below TLS, and we see into it"
        left = reader.delivery.bytes_sent - reader._acknowledged()
        assert left >= unsent(transport) > 0, "a client that reads nothing has not got it"
        # It reads again: what was under way, and then frames of now.
        reading = asyncio.create_task(client.pictures(10_000))
        try:
            await until(lambda: reader.delivery.bytes_sent - reader._acknowledged() < 20_000)
            before = client.received.gaps
            for _ in range(3):
                feed.frame(keyframe=True, size=2_000)
                await asyncio.sleep(0.05)
            assert reader.delivery.frames_sent > 0
            assert client.received.gaps >= before
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def test_who_says_nothing_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zlfeed.rtsp.server.HANDSHAKE_S", 0.3)
    async with relaying(tmp_path) as feed:
        reader, writer = await asyncio.open_connection("127.0.0.1", feed.relay.secure.port)
        async with asyncio.timeout(LIMIT_S):
            assert await reader.read() == b"", "closed without a word"
        writer.close()
        assert not feed.relay.connections
