"""A session whose frames go through its RTSP connection (RFC 2326 section 10.12)."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zlfeed.rtsp.delivery import BURST_LIMIT_S, STUCK_LIMIT_S
from zlfeed.rtsp.readers import SessionReader
from zlfeed.rtsp.rtp import AccessUnit, interleave
from zlfeed.rtsp.session import Session
from zlfeed.rtsp.transport import TcpTransport

_SIOCOUTQ = 0x5411
_TCP_INFO_MIN_RTT = 148
"""Offset of tcpi_min_rtt (µs) in Linux's struct tcp_info."""
_SWALLOWED_BYTES = 3000
"""So little left unacknowledged counts as swallowed: the last two segments' ACK may be delayed."""
_LOOK_AGAIN_S = 0.001

Framer = Callable[[AccessUnit, int], bytes]
"""An access unit framed for a channel; made once for all readers."""


@dataclass(slots=True)
class _Join:
    """A reader on its way from the GOP's keyframe, which it has been sent, to the live picture."""

    keyframe: AccessUnit
    began: float


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
        self._loop = asyncio.get_running_loop()
        self._join: _Join | None = None
        self._look_again: asyncio.TimerHandle | None = None

    def deliver(self, unit: AccessUnit, now: float) -> None:
        if self._join is not None or self._transport.is_closing():
            return  # one that joins gets this unit with the rest of the GOP
        if self.delivery.wants(unit.keyframe, now, self._acknowledged):
            self._write((unit,), now)

    def _write(self, units: Sequence[AccessUnit], now: float, **limit: float) -> None:
        if len(units) == 1:
            data = self._framer(units[0], self._channel)
        else:
            data = b"".join(unit.interleaved(self._channel) for unit in units)
        self._count(units)
        if not self._reported:
            end = 4 + len(units[0].packets[0])
            data = data[:end] + interleave(self._sender_report(), self._channel + 1) + data[end:]
        self.delivery.sent(len(data), now, frames=len(units), **limit)
        self._transport.write(data)

    def _send_burst(self, units: Sequence[AccessUnit], now: float) -> None:
        """The keyframe first, the rest of the GOP when it is swallowed: a slow link gets one old picture, not a GOP."""
        self.delivery.round_trip_s = self._minimum_round_trip()
        self._write(units[:1], now, limit_s=BURST_LIMIT_S)
        if len(units) > 1:
            self._join = _Join(self.session.stream.gop[0], now)
            self._look_again = self._loop.call_later(_LOOK_AGAIN_S, self._go_on_joining)

    def _go_on_joining(self) -> None:
        join, gop = self._join, self.session.stream.gop
        if join is None or self._transport.is_closing():
            return
        now = time.monotonic()
        took = now - join.began
        if self.delivery.bytes_sent - self._acknowledged() > _SWALLOWED_BYTES and took < BURST_LIMIT_S:
            self._look_again = self._loop.call_later(_LOOK_AGAIN_S, self._go_on_joining)
            return
        self._join = None
        units = self.session.stream.burst()
        if not units or took >= BURST_LIMIT_S or (gop[0] is not join.keyframe and len(units) > 1):
            self.delivery.restart()
            return
        rest = units[1:] if gop[0] is join.keyframe else units
        # The keyframe tells how fast the link is; what would not get through in time is better left to the next one.
        if took + took * sum(unit.size for unit in rest) / join.keyframe.size > BURST_LIMIT_S:
            self.delivery.restart()
        elif rest:
            self._write(rest, now, limit_s=BURST_LIMIT_S)

    def _send_rtcp(self, packet: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(interleave(packet, self._channel + 1))

    def end_reason(self, now: float) -> str | None:
        # Signs of life are not asked for: the session ends with its connection, and TCP knows whether that lives.
        if self.delivery.stuck_s(now, self._acknowledged) > STUCK_LIMIT_S:
            return f"took nothing for {STUCK_LIMIT_S:g} s"
        return None

    def pause(self) -> None:
        super().pause()
        self._join = None
        if self._look_again is not None:
            self._look_again.cancel()

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
