"""RTP packets and streams (RFC 3550); the payload formats are the codecs' (nal.py, av1.py); no I/O."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from zlfeed.rtsp.codecs import Codec

CLOCK_RATE = 90_000
PAYLOAD_TYPE = 96
_HEADER = struct.Struct("!BBHII")
_INTERLEAVED = struct.Struct("!cBH")
BURST_STEP = CLOCK_RATE // 1000
"""Ticks between the frames of a burst: 1 ms, never equal."""


def interleave(packet: bytes, channel: int) -> bytes:
    """The packet as it goes through the RTSP connection (RFC 2326 section 10.12)."""
    return _INTERLEAVED.pack(b"$", channel, len(packet)) + packet


def ticks(monotonic_ns: int) -> int:
    """Capture time on the 90 kHz clock, not yet offset nor wrapped."""
    return monotonic_ns * 9 // 100_000


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One encoded frame as RTP packets, the same for all readers.

    `captured_us` is the wall clock, `captured_ns` the monotonic clock at capture; `size` the bytes of all packets.
    """

    packets: tuple[bytes, ...]
    keyframe: bool
    timestamp: int
    captured_us: int
    captured_ns: int
    size: int

    def at(self, timestamp: int) -> AccessUnit:
        """The same packets with another RTP timestamp: a burst's frames stand 1 ms apart."""
        stamp = (timestamp & 0xFFFFFFFF).to_bytes(4, "big")
        packets = tuple(packet[:4] + stamp + packet[8:] for packet in self.packets)
        return replace(self, packets=packets, timestamp=timestamp & 0xFFFFFFFF)

    def interleaved(self, channel: int) -> bytes:
        """All packets, framed for the RTSP connection: one write."""
        return b"".join(interleave(packet, channel) for packet in self.packets)


class RtpStream:
    """Makes one camera's RTP packets: SSRC, sequence and timestamps go on whatever the encoder does."""

    def __init__(self, *, ssrc: int, sequence: int, timestamp_base: int, closed_frames: bool = True) -> None:
        self.ssrc = ssrc
        self.sequence = sequence & 0xFFFF
        self.closed_frames = closed_frames
        self._base = timestamp_base
        self._last_ticks: int | None = None

    def timestamp_at(self, monotonic_ns: int) -> int:
        """The RTP timestamp of a moment, for sender reports."""
        return (self._base + ticks(monotonic_ns)) & 0xFFFFFFFF

    def packetize(
        self, units: Sequence[bytes], codec: Codec, *, keyframe: bool, captured_us: int, captured_ns: int
    ) -> AccessUnit:
        """One access unit's packets. With closed frames a delimiter of its own carries the marker bit.

        Timestamps rise strictly even when two capture times fall together.
        """
        now = ticks(captured_ns)
        if self._last_ticks is not None and now <= self._last_ticks:
            now = self._last_ticks + 1
        self._last_ticks = now
        timestamp = (self._base + now) & 0xFFFFFFFF
        payloads = codec.payloads(units, keyframe)
        if self.closed_frames and codec.delimiter:
            payloads.append(codec.delimiter)
        packets = []
        for index, payload in enumerate(payloads):
            marker = (index == len(payloads) - 1) << 7
            header = _HEADER.pack(0x80, marker | PAYLOAD_TYPE, self.sequence, timestamp, self.ssrc)
            packets.append(header + payload)
            self.sequence = (self.sequence + 1) & 0xFFFF
        size = sum(map(len, packets))
        return AccessUnit(tuple(packets), keyframe, timestamp, captured_us, captured_ns, size)


def burst(gop: Sequence[AccessUnit]) -> list[AccessUnit]:
    """The current GOP for a reader that has just joined: all but the newest frame drawn together to 1 ms apart.

    The newest keeps its capture time, so that a player which paces by timestamps is not left behind (design 1.3).
    """
    if not gop:
        return []
    begin = burst_begin(gop)
    return [unit.at(begin + i * BURST_STEP) for i, unit in enumerate(gop[:-1])] + [gop[-1]]


def burst_begin(gop: Sequence[AccessUnit]) -> int:
    """The timestamp of a burst's first frame."""
    return (gop[-1].timestamp - (len(gop) - 1) * BURST_STEP) & 0xFFFFFFFF
