"""A status client that never reads: what waits for it is bounded, and nobody else notices."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
import socket
import time
from urllib.parse import urlsplit

import psutil
import pytest

from tests.faults.kit import BUSY, wait_until
from tests.support import figures
from tests.support.commands import publishing
from tests.support.rtsp_client import connected
from tests.support.status_tap import StatusTap
from tests.support.watching import Watcher, ffmpeg
from zlfeed.model import CameraStatus, Hello
from zlfeed.wire.convert import encode

pytestmark = [pytest.mark.needs("ffmpeg"), pytest.mark.timeout(120)]
SMALL = ("--server", "embedded", "--size", "320x240")
CLIENTS = 5
BUSY_S = 6.0


def never_reading(url: str) -> socket.socket:
    """A status client that has said Hello (RFC 6455: a masked binary frame), and reads nothing from then on."""
    port = urlsplit(url).port
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    sock.settimeout(10)
    sock.connect(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(
        f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    hello = encode(Hello(kind="other"))
    assert len(hello) < 126
    sock.sendall(bytes((0x82, 0x80 | len(hello), 0, 0, 0, 0)) + hello)
    return sock


async def come_and_go(url: str, seconds: float) -> None:
    """Viewers that join and leave at once, each of which every status client is told of."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        async with connected(url) as client:
            await client.play()
        await asyncio.sleep(0.03)


def test_clients_that_never_read_cost_nobody_anything() -> None:
    with publishing(*SMALL) as publisher:
        urls = publisher.line("ready")["urls"]
        process = psutil.Process(publisher.process.pid)
        with Watcher(ffmpeg(urls["rtsp"])) as viewer, StatusTap(urls["websocket"]) as monitor:
            viewer.first()
            monitor.until(CameraStatus, lambda status: status.viewers)
            asyncio.run(come_and_go(urls["rtsp"], 2.0))
            memory = process.memory_info().rss
            with contextlib.ExitStack() as stack:
                for _ in range(CLIENTS):
                    stack.enter_context(never_reading(urls["websocket"]))
                began = time.monotonic()
                asyncio.run(come_and_go(urls["rtsp"], BUSY_S))
                cut = "not cut off yet"
                if figures.wanted():
                    at = wait_until(lambda: publisher.words.count("status_client_left") >= CLIENTS, 60)
                    cut = f"cut off {at - began:.0f} s later"
            ended = time.monotonic()
            grown = (process.memory_info().rss - memory) / (1 << 20)
            missed = viewer.missed(began, ended)
            own = [heard.at for heard in monitor.heard if isinstance(heard.message, CameraStatus) and heard.at > began]
            waited = max(later - earlier for earlier, later in itertools.pairwise(own))
            figures.record(
                f"{CLIENTS} status clients that never read",
                f"{cut}; {grown:+.1f} MB; a monitor waited {waited:.1f} s at the longest, "
                f"a viewer missed {missed} frames",
            )
            assert grown < 10
            assert waited < 3
            assert missed <= BUSY
