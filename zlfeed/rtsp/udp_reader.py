"""A session whose frames go as datagrams (RFC 2326 section 12.39, RFC 3550 section 11)."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence

from zlfeed.net import plain_host
from zlfeed.rtsp.readers import SessionReader
from zlfeed.rtsp.rtp import AccessUnit
from zlfeed.rtsp.session import TIMEOUT_S, Session
from zlfeed.rtsp.transport import UdpTransport


class UdpReader(SessionReader):
    """Frames as datagrams, sent from the two ports that SETUP named.

    What does not fit into a moment (a burst, a large keyframe) is paced, or half of it would be lost in the client's
    socket buffer. Behind a NAT the client's real port is learned from the first packet that comes from its address:
    players send one before PLAY for just that. One from the port that SETUP named says that there is no NAT.
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

    def __init__(self, session: Session, peer: str, peer_host: str, local_host: str, agent: Callable[[], str]) -> None:
        """Opens the two ports; `peer` is the viewer's RTSP connection, by which it is known. Raises OSError."""
        assert isinstance(session.transport, UdpTransport)
        rtp_port, rtcp_port = session.transport.client_ports
        super().__init__(session, peer, agent)
        self.connected = True
        self._peer_host = peer_host
        self._named = (rtp_port, rtcp_port)
        self._targets = [(peer_host, rtp_port), (peer_host, rtcp_port)]
        self._learned = [False, False]
        self._sockets = port_pair(local_host)
        self.ports = (self._sockets[0].getsockname()[1], self._sockets[1].getsockname()[1])
        self._queue: deque[bytes] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._last_alive = time.monotonic()
        self._loop = asyncio.get_running_loop()
        for index, sock in enumerate(self._sockets):
            self._loop.add_reader(sock.fileno(), self._readable, index)

    def deliver(self, unit: AccessUnit, now: float) -> None:
        full = bool(self._queue) and len(self._queue) + len(unit.packets) > self.QUEUE_PACKETS
        if self.delivery.wants(unit.keyframe, now, lambda: self.delivery.bytes_sent, full=full):
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
                if not self._reported:
                    self._send_rtcp(self._sender_report())
            self._queue.extend(packets[self.AT_ONCE :])
            if self._queue:
                self._timer = self._loop.call_later(self.PACE_S, self._pace)

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
            if not self._learned[index] or source[1] == self._named[index]:
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
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        self.pause()
        for sock in self._sockets:
            if sock.fileno() >= 0:
                self._loop.remove_reader(sock.fileno())
                sock.close()


def port_pair(host: str) -> tuple[socket.socket, socket.socket]:
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
