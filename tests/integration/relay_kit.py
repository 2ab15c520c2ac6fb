"""A relay with one stream, which gets a frame when the test says so."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import struct
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from tests.support.depacketize import Picture
from tests.support.rtsp_client import LIMIT_S, UdpPorts
from zlfeed.model import Viewer
from zlfeed.net import LOOPBACK
from zlfeed.rtsp.codecs import CODECS
from zlfeed.rtsp.server import Relay
from zlfeed.rtsp.stream import LiveStream

KEYFRAME, FRAME = [7, 8, 5, 9], [1, 9]
SETS = b"\0\0\1\x67\x42\xc0\x1e\0\0\1\x68\xce"


class Feed:
    """A relay with one stream, which gets a frame when the test says so."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.stream = LiveStream("cam")
        self.stream.set_parameters(CODECS["h264"], SETS)
        relay.streams["cam"] = self.stream
        self._count = itertools.count()

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.relay.port}/cam"

    def frame(self, *, keyframe: bool = False, size: int = 100) -> int:
        """Publishes a frame; its number, which its slice begins with."""
        number = next(self._count)
        body = struct.pack("!I", number).replace(b"\0", b"\1") + b"\xaa" * size
        now_ns = time.monotonic_ns()
        self.stream.publish(
            b"\0\0\1" + (b"\x65" if keyframe else b"\x41") + body,
            captured_us=time.time_ns() // 1000,
            captured_ns=now_ns,
            now=now_ns / 1e9,
        )
        return number

    def gop(self, frames: int) -> None:
        for index in range(frames):
            self.frame(keyframe=index == 0)

    def viewers(self) -> list[Viewer]:
        return self.relay.viewers(self.stream, time.monotonic())


@contextlib.asynccontextmanager
async def relaying(**options: Any) -> AsyncIterator[Feed]:
    relay = Relay(**options)
    relay.public.bind(LOOPBACK, 0)
    relay.private.bind(LOOPBACK[:1], 0)
    feed = Feed(relay)
    await relay.public.serve()
    await relay.private.serve()
    upkeep = asyncio.create_task(relay.run())
    try:
        yield feed
    finally:
        upkeep.cancel()
        await asyncio.gather(upkeep, return_exceptions=True)
        await relay.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.01)


def kinds(pictures: list[Picture]) -> list[list[int]]:
    return [picture.kinds("h264") for picture in pictures]


def receiver_report(ssrc: int, *, fraction: int = 0, jitter: int = 0, framed: bool = True) -> bytes:
    packet = struct.pack("!BBHIIIIIII", 0x81, 201, 7, 99, ssrc, fraction << 24, 0, jitter, 0, 0)
    return len(packet).to_bytes(2, "big") + packet if framed else packet


@contextlib.asynccontextmanager
async def udp_ports() -> AsyncIterator[UdpPorts]:
    ports = UdpPorts()
    try:
        yield ports
    finally:
        ports.close()
