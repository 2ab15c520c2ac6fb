"""Those who play a stream: each takes its access units from the stream and puts them on its own way, TCP or UDP."""

from __future__ import annotations

import abc
import asyncio
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence

from zlfeed import logs
from zlfeed.model import Viewer
from zlfeed.net import host_port, plain_host
from zlfeed.rtsp import rtcp
from zlfeed.rtsp.delivery import BURST_LIMIT_S, STUCK_LIMIT_S, Delivery
from zlfeed.rtsp.rtp import CLOCK_RATE, AccessUnit, interleave
from zlfeed.rtsp.session import TIMEOUT_S, Session
from zlfeed.rtsp.transport import TcpTransport, UdpTransport

log = logs.get(__name__)

_SIOCOUTQ = 0x5411
_TCP_INFO_MIN_RTT = 148
"""Offset of tcpi_min_rtt (µs) in Linux's struct tcp_info."""
_HEADER = 12

Framer = Callable[[AccessUnit, int], bytes]
"""An access unit framed for a channel; made once for all readers."""


class SessionReader(abc.ABC):
    """One session's sending side. `frames_dropped` counts what it was not given because its link is too slow."""

    transport_name: str

    def __init__(self, session: Session, peer: str, agent: Callable[[], str]) -> None:
        self.session = session
        self.peer = peer
        self.connected_at = time.monotonic()
        self.delivery = Delivery()
        self._agent = agent
        self._packets = 0
        self._octets = 0
        self._reported = False
        self._block: rtcp.ReportBlock | None = None
        self._drops_logged = 0

    # ------------------------------------------------------------ what the kinds differ in

    @abc.abstractmethod
    def deliver(self, unit: AccessUnit, now: float) -> None:
        """Sends or drops one access unit."""

    @abc.abstractmethod
    def _send_burst(self, units: Sequence[AccessUnit], now: float) -> None:
        """Sends the current GOP."""

    @abc.abstractmethod
    def _send_rtcp(self, packet: bytes) -> None: ...

    @abc.abstractmethod
    def end_reason(self, now: float) -> str | None:
        """Why the session must end, None when it goes on."""

    @abc.abstractmethod
    def close(self) -> None:
        """Gives back what belongs to the session."""

    # ------------------------------------------------------------ what they share

    @property
    def playing(self) -> bool:
        """Whether the stream delivers to this reader."""
        return self in self.session.stream.readers

    def play(self) -> None:
        """Joins the stream, beginning with its current GOP."""
        stream = self.session.stream
        stream.readers.add(self)
        if burst := stream.burst():
            self._send_burst(burst, time.monotonic())

    def pause(self) -> None:
        """Leaves the stream; the next PLAY begins with a keyframe again."""
        self.session.stream.readers.discard(self)
        self.delivery.restart()

    def take_rtcp(self, data: bytes) -> None:
        """Reads the receiver's reports; they are a sign of life too (RFC 2326 appendix B)."""
        for block in rtcp.report_blocks(data):
            if block.ssrc == self.session.stream.rtp.ssrc:
                self._block = block
                self.session.alive = True

    def _count(self, units: Sequence[AccessUnit]) -> None:
        for unit in units:
            self._packets += len(unit.packets)
            self._octets += unit.size - _HEADER * len(unit.packets)

    def _report_first(self) -> None:
        # Right after the first RTP packet: MediaMTX ignores one before it (design 1.12).
        if not self._reported:
            self.report()

    def report(self) -> None:
        """Sends a sender report that ties the RTP clock to the wall clock of capture (RFC 3550 section 6.4.1)."""
        if not self._packets:
            return
        self._reported = True
        rtp = self.session.stream.rtp
        stamp = rtp.timestamp_at(time.monotonic_ns())
        wall_us = time.time_ns() // 1000
        self._send_rtcp(rtcp.sender_report(rtp.ssrc, wall_us, stamp, self._packets, self._octets, "zlfeed"))

    def log_drops(self) -> None:
        """One line for all frames dropped since the last."""
        if (dropped := self.delivery.frames_dropped) > self._drops_logged:
            log.warning("frames_dropped", peer=self.peer, frames=dropped - self._drops_logged, reason="slow link")
            self._drops_logged = dropped

    def viewer(self, now: float) -> Viewer:
        """What is known of this viewer."""
        block = self._block
        return Viewer(
            id=self.session.id,
            address=self.peer,
            transport=self.transport_name,
            agent=self._agent(),
            connected_s=now - self.connected_at,
            frames_sent=self.delivery.frames_sent,
            frames_dropped=self.delivery.frames_dropped,
            bytes_sent=self.delivery.bytes_sent,
            loss_percent=block.fraction_lost * 100 if block else None,
            jitter_ms=block.jitter / CLOCK_RATE * 1000 if block else None,
        )


class TcpReader(SessionReader):
    """Frames through the RTSP connection: one write an access unit."""

    transport_name = "tcp"

    def __init__(
        self, session: Session, peer: str, agent: Callable[[], str], transport: asyncio.Transport, framer: Framer
    ) -> None:
        super().__init__(session, peer, agent)
        assert isinstance(session.transport, TcpTransport)
        self._channel = session.transport.channel
        self._transport = transport
        self._socket: socket.socket = transport.get_extra_info("socket")
        self._framer = framer

    def deliver(self, unit: AccessUnit, now: float) -> None:
        if self._transport.is_closing() or not self.delivery.wants(unit.keyframe, now, self._acknowledged):
            return
        data = self._framer(unit, self._channel)
        self.delivery.sent(len(data), now)
        self._count((unit,))
        self._transport.write(data)
        self._report_first()

    def _send_burst(self, units: Sequence[AccessUnit], now: float) -> None:
        self.delivery.round_trip_s = self._minimum_round_trip()
        data = b"".join(unit.interleaved(self._channel) for unit in units)
        self.delivery.sent(len(data), now, frames=len(units), limit_s=BURST_LIMIT_S)
        self._count(units)
        self._transport.write(data)
        self._report_first()

    def _send_rtcp(self, packet: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(interleave(packet, self._channel + 1))

    def end_reason(self, now: float) -> str | None:
        # Signs of life are not asked for: the session ends with its connection, and TCP knows whether that lives.
        if self.delivery.stuck_s(now, self._acknowledged) > STUCK_LIMIT_S:
            return f"took nothing for {STUCK_LIMIT_S:g} s"
        return None

    def close(self) -> None:
        self.pause()

    def _acknowledged(self) -> int:
        """Bytes of frames that the peer's kernel has confirmed (Linux); elsewhere those that left this process.

        Replies and reports on their way count as frames for the moment it takes: too little, never too much.
        """
        return self.delivery.bytes_sent - self._transport.get_write_buffer_size() - self._in_kernel()

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


class UdpReader(SessionReader):
    """Frames as datagrams, sent from the two ports that SETUP named.

    What does not fit into a moment (a burst, a large keyframe) is paced, or half of it would be lost in the client's
    socket buffer. Behind a NAT the client's real port is learned from the first packet that comes from its address.
    """

    transport_name = "udp"

    AT_ONCE = 32
    """Packets that go out without pacing."""
    PACE_S = 0.002
    PACE_PACKETS = 8
    """8 packets of 1.4 KB every 2 ms: 45 Mbit/s."""
    QUEUE_PACKETS = 1024
    ORPHAN_S = 10.0
    """A session whose connection is gone ends after this long without a sign of life."""

    def __init__(self, session: Session, peer_host: str, local_host: str, agent: Callable[[], str]) -> None:
        """Opens the two ports. Raises OSError."""
        assert isinstance(session.transport, UdpTransport)
        rtp_port, rtcp_port = session.transport.client_ports
        super().__init__(session, host_port(peer_host, rtp_port), agent)
        self.connected = True
        self._peer_host = peer_host
        self._targets = [(peer_host, rtp_port), (peer_host, rtcp_port)]
        self._learned = [False, False]
        self._sockets = _port_pair(local_host)
        self.ports = (self._sockets[0].getsockname()[1], self._sockets[1].getsockname()[1])
        self._queue: deque[bytes] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._last_alive = time.monotonic()
        self._loop = asyncio.get_running_loop()
        for index, sock in enumerate(self._sockets):
            self._loop.add_reader(sock.fileno(), self._readable, index)

    def deliver(self, unit: AccessUnit, now: float) -> None:
        behind = len(self._queue) + len(unit.packets) > self.QUEUE_PACKETS
        if not self.delivery.wants(unit.keyframe, now, lambda: self.delivery.bytes_sent) or behind:
            return
        self._enqueue((unit,), now)

    def _send_burst(self, units: Sequence[AccessUnit], now: float) -> None:
        self._enqueue(units, now)

    def _enqueue(self, units: Sequence[AccessUnit], now: float) -> None:
        packets = [packet for unit in units for packet in unit.packets]
        self.delivery.sent(sum(unit.size for unit in units), now, frames=len(units))
        self._count(units)
        if self._queue:
            self._queue.extend(packets)
        else:
            for packet in packets[: self.AT_ONCE]:
                self._send(0, packet)
            self._queue.extend(packets[self.AT_ONCE :])
            if self._queue:
                self._timer = self._loop.call_later(self.PACE_S, self._pace)
        self._report_first()

    def _pace(self) -> None:
        for _ in range(min(self.PACE_PACKETS, len(self._queue))):
            self._send(0, self._queue.popleft())
        self._timer = self._loop.call_later(self.PACE_S, self._pace) if self._queue else None

    def _send(self, index: int, packet: bytes) -> None:
        try:
            self._sockets[index].sendto(packet, self._targets[index])
        except OSError:
            # A full buffer or an ICMP error: UDP promises nothing, and the receiver counts what is lost.
            return

    def _send_rtcp(self, packet: bytes) -> None:
        self._send(1, packet)

    def _readable(self, index: int) -> None:
        for _ in range(16):  # what floods in must not keep the loop from the frames
            try:
                data, source = self._sockets[index].recvfrom(2048)
            except OSError:
                return
            if plain_host(source[0]) != plain_host(self._peer_host):
                continue
            if not self._learned[index] and self.playing:
                self._learned[index] = True
                self._targets[index] = (source[0], source[1])
            if source[1] == self._targets[index][1] and index == 1:
                self.take_rtcp(data)

    def end_reason(self, now: float) -> str | None:
        if self.session.alive:
            self.session.alive = False
            self._last_alive = now
        silent = now - self._last_alive
        limit = TIMEOUT_S * 1.5 if self.connected else self.ORPHAN_S
        return f"no sign of life for {silent:.0f} s" if silent > limit else None

    def pause(self) -> None:
        super().pause()
        self._queue.clear()

    def close(self) -> None:
        self.pause()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for sock in self._sockets:
            if sock.fileno() >= 0:
                self._loop.remove_reader(sock.fileno())
                sock.close()


def _port_pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Two UDP sockets on an even port and the one after (RFC 3550 section 11). Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(20):
        first = _udp_socket(family, host, 0)
        port = first.getsockname()[1]
        try:
            if port % 2 == 0:
                return first, _udp_socket(family, host, port + 1)
            second = _udp_socket(family, host, port - 1)
        except OSError:
            first.close()
            continue
        return second, first
    raise OSError("no two neighbouring UDP ports are free")


def _udp_socket(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.bind((host, port))
    except BaseException:
        sock.close()
        raise
    return sock
