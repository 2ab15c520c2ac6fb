"""The relay: RTSP over TCP for any number of readers, on the event loop of the process that encodes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence

from zlfeed import logs
from zlfeed.model import Viewer
from zlfeed.net import bind_tcp, host_port
from zlfeed.rtsp import rtcp
from zlfeed.rtsp.auth import Credentials
from zlfeed.rtsp.connection import Close, Connection, Pause, Play, Rtcp, Send
from zlfeed.rtsp.delivery import BURST_LIMIT_S, STUCK_LIMIT_S, Delivery
from zlfeed.rtsp.rtp import CLOCK_RATE, AccessUnit, interleave
from zlfeed.rtsp.stream import LiveStream

log = logs.get(__name__)

REPORT_INTERVAL_S = 2.0
SETUP_TIME_S = 20.0
"""A connection that does not play within this time is closed."""
MAX_CONNECTIONS = 256
_SIOCOUTQ = 0x5411
_TCP_INFO_MIN_RTT = 148
"""Offset of tcpi_min_rtt (µs) in Linux's struct tcp_info."""


class RelayConnection(asyncio.Protocol):
    """One client's socket: carries out what its Connection decides, and is the reader its stream delivers to."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._transport: asyncio.Transport
        self._socket: socket.socket
        self._core: Connection
        self._delivery = Delivery()
        self._packets = 0
        self._octets = 0
        self._reported = False
        self._stream: LiveStream | None = None
        self._block: rtcp.ReportBlock | None = None
        self.peer = ""
        self.connected_at = time.monotonic()
        self.drops_logged = 0

    # ------------------------------------------------------------ asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._socket = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        peer = transport.get_extra_info("peername") or ("?", 0)
        local = transport.get_extra_info("sockname") or ("127.0.0.1", 0)
        self.peer = host_port(peer[0], peer[1])
        self._core = Connection(
            local_host=local[0], find=self._relay.find, credentials=self._relay.credentials_for(peer[0])
        )
        if len(self._relay.connections) >= MAX_CONNECTIONS:
            log.warning("connection_refused", peer=self.peer, limit=MAX_CONNECTIONS)
            transport.abort()
            return
        self._relay.connections.add(self)

    def data_received(self, data: bytes) -> None:
        for action in self._core.receive(data):
            match action:
                case Send(reply):
                    self._transport.write(reply)
                case Play():
                    self._play()
                case Pause():
                    self._leave()
                case Rtcp(packet):
                    for block in rtcp.report_blocks(packet):
                        self._block = block
                case Close(reason):
                    log.info("rtsp_closed", peer=self.peer, reason=reason)
                    self._transport.close()
                    return

    def connection_lost(self, exc: Exception | None) -> None:
        self._relay.connections.discard(self)
        self._leave()

    # ------------------------------------------------------------ the stream's side

    def deliver(self, unit: AccessUnit, now: float) -> None:
        """Writes one access unit, or drops it when this reader is behind."""
        if self._transport.is_closing():
            return
        if not self._delivery.wants(unit.keyframe, now, self._acknowledged):
            return
        self._write([unit], now)

    def _write(self, units: Sequence[AccessUnit], now: float, **limits: float) -> None:
        assert self._core.session is not None
        channel = self._core.session.channel
        data = b"".join(self._relay.interleaved(unit, channel) for unit in units)
        self._delivery.sent(len(data), now, frames=len(units), **limits)
        for unit in units:
            self._packets += len(unit.packets)
            self._octets += unit.size - 12 * len(unit.packets)
        self._transport.write(data)
        if not self._reported:
            # Right after the first RTP packet: MediaMTX ignores one before it (design 1.12).
            self.report(now)

    def report(self, now: float) -> None:
        """Sends a sender report that ties the RTP clock to the wall clock of capture."""
        session = self._core.session
        if session is None or self._stream is None or self._transport.is_closing() or not self._packets:
            return
        self._reported = True
        rtp = self._stream.rtp
        wall_us = time.time_ns() // 1000
        stamp = rtp.timestamp_at(time.monotonic_ns())
        packet = rtcp.sender_report(rtp.ssrc, wall_us, stamp, self._packets, self._octets, "zlfeed")
        data = interleave(packet, session.channel + 1)
        self._transport.write(data)

    def _play(self) -> None:
        session = self._core.session
        assert session is not None
        now = time.monotonic()
        self._delivery.round_trip_s = self._minimum_round_trip()
        self._stream = session.stream
        self._stream.readers.add(self)
        if burst := self._stream.burst():
            self._write(burst, now, limit_s=BURST_LIMIT_S)
        self._relay.changed()

    def _leave(self) -> None:
        if self._stream is not None:
            self._stream.readers.discard(self)
            self._stream = None
            self._relay.changed()

    def _acknowledged(self) -> int:
        """Bytes of frames that the peer's kernel has confirmed (Linux); elsewhere those that left this process.

        Replies and reports on their way count as frames for the moment it takes: too little, never too much.
        """
        return self._delivery.bytes_sent - self._transport.get_write_buffer_size() - self._in_kernel()

    def _in_kernel(self) -> int:
        if sys.platform != "linux":
            return 0
        import fcntl

        try:
            raw = fcntl.ioctl(self._socket.fileno(), _SIOCOUTQ, b"\0\0\0\0")
        except OSError:
            return 0
        return int(struct.unpack("i", raw)[0])

    def _minimum_round_trip(self) -> float:
        """The link's minimum round trip in seconds as the kernel has seen it; 0 where it does not say."""
        if sys.platform != "linux":
            return 0.0
        try:
            info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
        except OSError:
            return 0.0
        if len(info) < _TCP_INFO_MIN_RTT + 4:
            return 0.0
        micros = int(struct.unpack_from("I", info, _TCP_INFO_MIN_RTT)[0])
        return micros / 1e6 if micros < 10_000_000 else 0.0

    # ------------------------------------------------------------ the relay's side

    def check(self, now: float) -> None:
        """Closes a connection that does not come to play, or does not read."""
        if self._stream is None:
            if now - self.connected_at > SETUP_TIME_S and not (self._core.session and self._core.session.playing):
                self._transport.abort()
        elif self._delivery.stuck_s(now, self._acknowledged) > STUCK_LIMIT_S:
            log.warning("viewer_stuck", peer=self.peer, seconds=STUCK_LIMIT_S)
            self._transport.abort()
        elif (dropped := self._delivery.frames_dropped) > self.drops_logged:
            log.warning("frames_dropped", peer=self.peer, frames=dropped - self.drops_logged, reason="slow link")
            self.drops_logged = dropped

    def viewer(self, now: float) -> Viewer | None:
        """What is known of this viewer, None while it does not play."""
        session = self._core.session
        if session is None or self._stream is None:
            return None
        block = self._block
        return Viewer(
            id=session.id,
            address=self.peer,
            transport="tcp",
            agent=self._core.agent,
            connected_s=now - self.connected_at,
            frames_sent=self._delivery.frames_sent,
            frames_dropped=self._delivery.frames_dropped,
            bytes_sent=self._delivery.bytes_sent,
            loss_percent=block.fraction_lost * 100 if block else None,
            jitter_ms=block.jitter / CLOCK_RATE * 1000 if block else None,
        )

    @property
    def playing(self) -> LiveStream | None:
        """The stream this connection plays."""
        return self._stream

    def abort(self) -> None:
        """Closes without waiting for what is still to be sent."""
        self._transport.abort()


class Relay:
    """The RTSP server. `bind` first, so that a taken port is known before anything starts; `serve` when ready.

    Between the two, clients that connect wait in the listener's queue instead of being turned away.
    """

    def __init__(
        self,
        *,
        credentials_for: Callable[[str], Credentials | None] = lambda _host: None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.streams: dict[str, LiveStream] = {}
        self.connections: set[RelayConnection] = set()
        self.credentials_for = credentials_for
        self.changed = on_change
        self.port = 0
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._cached: tuple[AccessUnit | None, int, bytes] = (None, -1, b"")

    def find(self, path: str) -> LiveStream | None:
        """The stream at an RTSP path."""
        return self.streams.get(path)

    def bind(self, hosts: Sequence[str], port: int) -> None:
        """Takes the port. Raises PortError."""
        self._sockets, self.port = bind_tcp(hosts, port, option="--rtsp-port")

    async def serve(self) -> None:
        """Begins to accept clients."""
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            self._servers.append(await loop.create_server(lambda: RelayConnection(self), sock=sock))

    async def run(self) -> None:
        """Sends sender reports and looks after the connections, until cancelled."""
        next_report = 0.0
        while True:
            await asyncio.sleep(0.5)
            now = time.monotonic()
            for connection in tuple(self.connections):
                connection.check(now)
                if now >= next_report:
                    connection.report(now)
            if now >= next_report:
                next_report = now + REPORT_INTERVAL_S - 0.1

    def interleaved(self, unit: AccessUnit, channel: int) -> bytes:
        """The unit framed for a channel; made once for all readers on the usual channel."""
        cached, cached_channel, data = self._cached
        if cached is unit and cached_channel == channel:
            return data
        data = unit.interleaved(channel)
        self._cached = (unit, channel, data)
        return data

    def viewers(self, stream: LiveStream, now: float) -> list[Viewer]:
        """Those who play a stream, in the order in which they came."""
        playing = sorted((c for c in self.connections if c.playing is stream), key=lambda c: c.connected_at)
        return [viewer for c in playing if (viewer := c.viewer(now)) is not None]

    async def close(self) -> None:
        """Closes the port and all connections."""
        for server in self._servers:
            server.close()
        for sock in self._sockets:
            sock.close()
        for connection in tuple(self.connections):
            connection.abort()
        await asyncio.sleep(0)
