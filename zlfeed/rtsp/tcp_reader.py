"""A session whose frames go through its RTSP connection (RFC 2326 section 10.12)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence

from zlfeed.net import unsent
from zlfeed.rtsp.delivery import BURST_LIMIT_S, STUCK_LIMIT_S
from zlfeed.rtsp.joining import LOOK_AGAIN_S, SWALLOWED_BYTES, Step
from zlfeed.rtsp.readers import SessionReader
from zlfeed.rtsp.rtp import AccessUnit, interleave
from zlfeed.rtsp.session import Session
from zlfeed.rtsp.transport import TcpTransport

_SIOCOUTQ = 0x5411
_TCP_INFO_SND_MSS, _TCP_INFO_MIN_RTT = 16, 148
"""Offsets of tcpi_snd_mss (bytes) and tcpi_min_rtt (µs) in Linux's struct tcp_info."""
_KERNEL_TELLS = sys.platform == "linux"
"""Whether the kernel says what it holds that the peer has not acknowledged."""
_SEND_BUFFER = 16 << 10
"""Where it does not, it may hold only so much, so that what waits does so where it is seen (design 1.9)."""

Framer = Callable[[AccessUnit, int], bytes]
"""An access unit framed for a channel; made once for all readers."""


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
        if not _KERNEL_TELLS:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._framer = framer
        self._loop = asyncio.get_running_loop()
        self._join: Step | None = None
        self._joins_since = 0.0
        self._swallowed = SWALLOWED_BYTES
        self._look_again: asyncio.TimerHandle | None = None

    def deliver(self, unit: AccessUnit, now: float) -> None:
        if self._join is not None or self._transport.is_closing():
            return  # one that joins gets this unit with the rest of the GOP
        due = self.session.stream.next_keyframe_s(now)
        if self.delivery.wants(unit.keyframe, now, self._acknowledged, size=unit.size, next_keyframe_s=due):
            self._write((unit,), now)

    def _write(self, units: Sequence[AccessUnit], now: float, **limit: float) -> None:
        if len(units) == 1:
            data = self._framer(units[0], self._channel)
        else:
            data = b"".join(unit.interleaved(self._channel) for unit in units)
        self._count(units)
        if units[0].keyframe:
            self.delivery.keyframe_bytes = len(data)
        if not self._reported:
            end = 4 + len(units[0].packets[0])
            data = data[:end] + interleave(self._sender_report(), self._channel + 1) + data[end:]
        self.delivery.sent(len(data), now, frames=len(units), **limit)
        self._transport.write(data)

    def _send_burst(self, units: Sequence[AccessUnit], now: float) -> None:
        self.delivery.round_trip_s = self._minimum_round_trip()
        self._swallowed = max(SWALLOWED_BYTES, 2 * self._tcp_info(_TCP_INFO_SND_MSS))
        self._write(units[:1], now, limit_s=BURST_LIMIT_S)
        if len(units) > 1:
            self._joins_since = now
            self._join = Step(units[0], 1, units[0].size, now)
            self._look_again = self._loop.call_later(LOOK_AGAIN_S, self._go_on_joining)

    def _go_on_joining(self) -> None:
        step = self._join
        if step is None or self._transport.is_closing():
            return
        now = time.monotonic()
        left = self._left()
        step.look(left, now)
        swallowed = left <= self._swallowed
        if not swallowed and now - self._joins_since < BURST_LIMIT_S:
            self._look_again = self._loop.call_later(LOOK_AGAIN_S, self._go_on_joining)
            return
        self._join = None
        stream = self.session.stream
        gop = stream.burst()
        if not gop or not swallowed:
            self.delivery.skip()
            return
        rest = step.rest(gop)
        # What is swallowed tells how fast the link is; what would come too late is better left to the next keyframe.
        size, due = sum(unit.size for unit in rest), stream.next_keyframe_s(now)
        if not self.delivery.in_time(size, step.rate(left, now), due):
            self.delivery.skip()
        elif rest:
            following = step.after(gop, now)
            units = rest[: following.units - (len(gop) - len(rest))]
            self._write(units, now, limit_s=BURST_LIMIT_S)
            if len(units) < len(rest):
                self._join = following
                self._look_again = self._loop.call_later(LOOK_AGAIN_S, self._go_on_joining)

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

        Replies and reports on their way, and what TLS adds, count as frames for the moment it takes: too little, never
        too much.
        """
        return self.delivery.bytes_sent - self._left()

    def _left(self) -> int:
        return unsent(self._transport) + self._in_kernel()

    def _in_kernel(self) -> int:
        if not _KERNEL_TELLS:
            return 0
        import fcntl

        try:
            raw = fcntl.ioctl(self._socket.fileno(), _SIOCOUTQ, b"\0\0\0\0")
        except OSError:
            return 0
        return int(struct.unpack("i", raw)[0])

    def _minimum_round_trip(self) -> float:
        """The link's minimum round trip in seconds as the kernel has seen it; 0 where it does not say."""
        micros = self._tcp_info(_TCP_INFO_MIN_RTT)
        return micros / 1e6 if micros < 10_000_000 else 0.0

    def _tcp_info(self, offset: int) -> int:
        """A number of the kernel's struct tcp_info; 0 where there is none."""
        if not _KERNEL_TELLS:
            return 0
        try:
            info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
        except OSError:
            return 0
        return int(struct.unpack_from("I", info, offset)[0]) if len(info) >= offset + 4 else 0
