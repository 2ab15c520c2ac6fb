"""Those who play a stream: what all sessions share, whichever way their frames go."""

from __future__ import annotations

import abc
import time
from collections.abc import Callable, Sequence

from zlfeed import logs
from zlfeed.model import Viewer
from zlfeed.rtsp import rtcp
from zlfeed.rtsp.delivery import Delivery
from zlfeed.rtsp.rtp import CLOCK_RATE, AccessUnit
from zlfeed.rtsp.session import Session

log = logs.get(__name__)

_HEADER = 12


class SessionReader(abc.ABC):
    """One session's sending side. `frames_dropped` counts what it was not given because its link is too slow."""

    transport_name: str

    def __init__(self, session: Session, peer: str, agent: Callable[[], str]) -> None:
        self.session = session
        self.peer = peer
        self.connected_at = time.monotonic()
        self.delivery = Delivery(bounded=not session.pull)
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
        """Joins the stream, beginning with its current GOP; MediaMTX's pull with a fresh keyframe."""
        stream = self.session.stream
        stream.readers.add(self)
        if self.session.pull:
            stream.want_keyframe()
        elif burst := stream.burst():
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

    @property
    def reception(self) -> tuple[int, int] | None:
        """Packets lost so far and the highest sequence number so far, as the receiver reports them (RFC 3550 6.4.1)."""
        return (self._block.lost, self._block.highest_sequence) if self._block else None

    def _count(self, units: Sequence[AccessUnit]) -> None:
        for unit in units:
            self._packets += len(unit.packets)
            self._octets += unit.size - _HEADER * len(unit.packets)

    def report(self) -> None:
        """Sends a sender report, once frames have been sent."""
        if self._packets:
            self._send_rtcp(self._sender_report())

    def _sender_report(self) -> bytes:
        """Ties the RTP clock to the wall clock of capture (RFC 3550 section 6.4.1).

        The first goes right behind the session's first RTP packet: MediaMTX ignores one before it, and skips packets
        until one comes (design 1.12).
        """
        self._reported = True
        rtp = self.session.stream.rtp
        stamp = rtp.timestamp_at(time.monotonic_ns())
        wall_us = time.time_ns() // 1000
        return rtcp.sender_report(rtp.ssrc, wall_us, stamp, self._packets, self._octets, "zlfeed")

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
