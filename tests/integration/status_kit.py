"""A publisher without a feed, and a client that speaks the protocol by hand."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from zlfeed.model import (
    CameraInfo,
    CameraStatus,
    ClientMessage,
    ControlResult,
    Hello,
    Role,
    ServerMessage,
    SetControl,
    Thumbnail,
    ViewerReport,
    WebrtcAnswer,
    WebrtcOffer,
    Welcome,
)
from zlfeed.publisher.mediamtx.whep import Call
from zlfeed.publisher.status.server import StatusServer
from zlfeed.status_client import MAX_MESSAGE_BYTES
from zlfeed.wire.convert import decode, encode

LIMIT_S = 20.0
"""How long anything may take; nothing here should take a tenth of it."""

T = TypeVar("T")


@dataclass
class Source:
    """A StatusSource whose answers a test sets; `broken` names the methods that raise."""

    cameras: list[CameraStatus] = field(default_factory=lambda: [CameraStatus("front", 1, state="live")])
    token: str = ""
    readonly_token: str = ""
    broken: set[str] = field(default_factory=set)
    asked: int = 0
    reports: list[tuple[ViewerReport, str]] = field(default_factory=list)
    pictures: list[tuple[str, int]] = field(default_factory=list)
    """The thumbnails that were asked for: camera and width."""
    calls: list[str] = field(default_factory=list)
    answer: asyncio.Event = field(default_factory=asyncio.Event)
    """Controls named `size` are answered when it is set."""

    def _perhaps_break(self, method: str) -> None:
        if method in self.broken:
            raise RuntimeError(f"{method} is broken")

    def welcome(self, local_host: str) -> Welcome:
        self._perhaps_break("welcome")
        urls = {"rtsp": f"rtsp://{local_host}:8554/zerolatency"}
        return Welcome("test publisher", "0", tuple(CameraInfo(c.camera, urls) for c in self.cameras), time_us=1)

    def statuses(self) -> Sequence[CameraStatus]:
        self.asked += 1
        self._perhaps_break("statuses")
        return self.cameras

    async def set_control(self, request: SetControl, tell: Callable[[ServerMessage], None]) -> ControlResult:
        self._perhaps_break("set_control")
        if request.name == "snapshot":
            tell(Thumbnail(request.camera, 1, 640, 480, bytes(3 * 2**20)))
        if request.name == "size":
            await self.answer.wait()
        return ControlResult(request.camera, request.name, request.value != "bad", request.value)

    async def thumbnail(self, camera: str, width: int) -> Thumbnail | None:
        self._perhaps_break("thumbnail")
        self.pictures.append((camera, width))
        return Thumbnail(camera, len(self.pictures), width, width * 3 // 4, b"jpeg")

    async def call(self, offer: WebrtcOffer, remote_host: str) -> Call:
        self._perhaps_break("call")
        self.calls.append(f"{offer.camera} {offer.id} {remote_host}")

        async def hang_up() -> None:
            self.calls.append(f"over {offer.id}")

        return Call(WebrtcAnswer(offer.camera, offer.id, f"answer to {offer.sdp}", session="viewer 1"), hang_up)

    def viewer_report(self, report: ViewerReport, remote_host: str) -> None:
        self._perhaps_break("viewer_report")
        self.reports.append((report, remote_host))

    def role(self, hello: Hello, remote_host: str) -> Role | None:
        self._perhaps_break("role")
        if self.readonly_token and hello.token == self.readonly_token:
            return "view"
        return "control" if hello.token == self.token else None


@contextlib.asynccontextmanager
async def publisher(
    source: Source,
    hosts: Sequence[str] = ("127.0.0.1",),
    port: int = 0,
    wall_us: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> AsyncIterator[StatusServer]:
    """A running status server."""
    server = StatusServer(source, hosts, port, wall_us=wall_us)
    await server.start()
    running = asyncio.create_task(server.run())
    try:
        yield server
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        async with asyncio.timeout(LIMIT_S):
            await server.stop()


class Client:
    """Speaks the protocol message by message."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: ClientMessage | ServerMessage | bytes | str) -> None:
        with contextlib.suppress(ConnectionClosed):  # `closed` tells why
            await self.connection.send(message if isinstance(message, bytes | str) else encode(message))

    async def next(self) -> ServerMessage:
        async with asyncio.timeout(LIMIT_S):
            data = await self.connection.recv()
        assert isinstance(data, bytes)
        message = decode(data)
        assert isinstance(message, ServerMessage)
        return message

    async def find(self, kind: type[T], accept: Callable[[T], bool] = lambda _message: True) -> T:
        """The next message of a kind that is accepted; others are passed over."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                message = await self.next()
                if isinstance(message, kind) and accept(message):
                    return message

    async def closed(self) -> tuple[int, str]:
        """Waits until the server closes; its code and words."""
        with contextlib.suppress(ConnectionClosed):
            async with asyncio.timeout(LIMIT_S):
                while True:
                    await self.connection.recv()
        assert self.connection.close_code is not None
        return self.connection.close_code, self.connection.close_reason or ""


@contextlib.asynccontextmanager
async def client(server: StatusServer, hello: Hello | None = Hello(), host: str = "127.0.0.1") -> AsyncIterator[Client]:  # noqa: B008 - frozen
    """A connection on which Hello was said, unless `hello` is None."""
    where = f"[{host}]" if ":" in host else host
    url = f"ws://{where}:{server.port}/"
    async with connect(url, compression=None, proxy=None, close_timeout=1, max_size=MAX_MESSAGE_BYTES) as connection:
        speaker = Client(connection)
        if hello is not None:
            await speaker.send(hello)
        yield speaker


async def http(port: int, request: bytes) -> bytes:
    """What the port answers to bytes, until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(LIMIT_S):
        answer = await reader.read()
    writer.close()
    return answer


async def until(condition: Callable[[], object]) -> None:
    """Waits until something has come true."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.01)


def offset_bounds() -> tuple[int, int]:
    """The least and the greatest that wall − monotonic clock can be on this machine now, µs."""
    before = time.perf_counter_ns() // 1000
    wall = time.time_ns() // 1000
    after = time.perf_counter_ns() // 1000
    return wall - after - 1, wall - before + 1
