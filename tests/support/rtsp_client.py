"""A raw RTSP client on asyncio: it does what a player does, and anything that a player would not do."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from tests.support.depacketize import Depacketizer, Picture, parse_rtp
from zlfeed.rtsp.messages import Headers, Interleaved, Parser, Request, Response

LIMIT_S = 20.0
TCP = {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"}


@dataclass(frozen=True)
class SenderReport:
    """The fields of an RTCP SR (RFC 3550 section 6.4.1)."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int


def sender_report(data: bytes) -> SenderReport:
    """The SR at the beginning of a compound packet."""
    head, kind, _, *fields = struct.unpack_from("!BBHIQIII", data)
    assert (head, kind) == (0x80, 200)
    return SenderReport(*fields)


class RtspClient:
    """One connection. What it receives is sorted into responses, pictures, and sender reports."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, url: str, codec: str) -> None:
        self.url = url
        self.reports: list[SenderReport] = []
        self.order: list[int] = []
        """The channels of the interleaved frames, as they came."""
        self.session: dict[str, str] = {}
        self.received = Depacketizer(codec)
        self._reader = reader
        self._writer = writer
        self._parser = Parser()
        self._pictures: deque[Picture] = deque()
        self._responses: deque[Response] = deque()
        self._cseq = itertools.count(1)

    def send(self, data: bytes) -> None:
        """Any bytes."""
        self._writer.write(data)

    def request(self, method: str, url: str = "", headers: Mapping[str, str] | None = None) -> None:
        """Sends a request without waiting for the answer."""
        fields = {"CSeq": str(next(self._cseq)), **self.session, **(headers or {})}
        self.send(Request(method, url or self.url, Headers(fields)).encode())

    async def response(self) -> Response:
        """The next answer."""
        async with asyncio.timeout(LIMIT_S):
            while not self._responses:
                await self._more()
        return self._responses.popleft()

    async def ask(self, method: str, url: str = "", headers: Mapping[str, str] | None = None) -> Response:
        """A request's answer."""
        self.request(method, url, headers)
        return await self.response()

    async def set_up(self, transport: Mapping[str, str] = TCP) -> Response:
        """SETUP; the session is named in all requests from then on."""
        answer = await self.ask("SETUP", self.url + "/trackID=0", transport)
        assert answer.status == 200, answer
        self.session = {"Session": answer.headers["session"].split(";")[0]}
        return answer

    async def play(self, transport: Mapping[str, str] = TCP) -> Response:
        """DESCRIBE, SETUP, PLAY; the answer to SETUP."""
        assert (await self.ask("DESCRIBE")).status == 200
        answer = await self.set_up(transport)
        assert (await self.ask("PLAY")).status == 200
        return answer

    async def picture(self) -> Picture:
        """The next picture that came through the connection."""
        async with asyncio.timeout(LIMIT_S):
            while not self._pictures:
                await self._more()
        return self._pictures.popleft()

    async def pictures(self, count: int) -> list[Picture]:
        """The next pictures."""
        return [await self.picture() for _ in range(count)]

    async def closed(self) -> bool:
        """Waits for the server to close; what it still sends is kept."""
        async with asyncio.timeout(LIMIT_S):
            with contextlib.suppress(ConnectionError):
                while True:
                    await self._more()
        return True

    async def _more(self) -> None:
        data = await self._reader.read(1 << 16)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        for message in self._parser.feed(data):
            if isinstance(message, Response):
                self._responses.append(message)
            elif isinstance(message, Interleaved):
                self.order.append(message.channel)
                if message.channel % 2:
                    self.reports.append(sender_report(message.data))
                elif picture := self.received.feed(message.data):
                    self._pictures.append(picture)

    def abort(self) -> None:
        """Cuts the connection off (RST)."""
        sock: socket.socket = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


@contextlib.asynccontextmanager
async def connected(url: str, *, codec: str = "h264", receive_buffer: int | None = None) -> AsyncIterator[RtspClient]:
    """A client of the server that `url` names, closed at the end."""
    host, _, port = url.removeprefix("rtsp://").split("/")[0].rpartition(":")
    host = host.strip("[]")
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setblocking(False)
    await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, (host, int(port))), LIMIT_S)
    reader, writer = await asyncio.open_connection(sock=sock, limit=receive_buffer or 1 << 16)
    try:
        yield RtspClient(reader, writer, url, codec)
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


class UdpPorts:
    """A client's two UDP ports."""

    def __init__(self, codec: str = "h264") -> None:
        self.received = Depacketizer(codec)
        self.sources = [("", 0), ("", 0)]
        """Where the last datagram to either port came from."""
        self._loop = asyncio.get_running_loop()
        self._sockets = _neighbours()
        for sock in self._sockets:
            sock.setblocking(False)

    @property
    def transport(self) -> dict[str, str]:
        """The header for SETUP."""
        first, second = (sock.getsockname()[1] for sock in self._sockets)
        return {"Transport": f"RTP/AVP;unicast;client_port={first}-{second}"}

    async def picture(self) -> Picture:
        """The next picture."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                data = await self._receive(0)
                parse_rtp(data)
                if picture := self.received.feed(data):
                    return picture

    async def report(self) -> SenderReport:
        """The next sender report."""
        async with asyncio.timeout(LIMIT_S):
            return sender_report(await self._receive(1))

    async def _receive(self, index: int) -> bytes:
        data, self.sources[index] = await self._loop.sock_recvfrom(self._sockets[index], 2048)
        return data

    def send(self, index: int, data: bytes, port: int) -> None:
        """A datagram to a port of the server's, from one of ours."""
        self._sockets[index].sendto(data, ("127.0.0.1", port))

    def close(self) -> None:
        """Closes both."""
        for sock in self._sockets:
            sock.close()


def _neighbours() -> tuple[socket.socket, socket.socket]:
    while True:
        first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        second = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            first.bind(("127.0.0.1", 0))
            second.bind(("127.0.0.1", first.getsockname()[1] + 1))
        except (OSError, OverflowError):
            first.close()
            second.close()
            continue
        return first, second
