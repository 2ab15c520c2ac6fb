"""RTP packets of H.264 and H.265 put together to access units (RFC 3550, 6184, 7798); nothing is held back; no I/O."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from zlfeed.rtsp.codecs import Codec

MAX_BYTES = 8 << 20
"""Of one access unit: what a source without markers could make us keep."""
MAX_UNITS = 4096
_HEADER = struct.Struct("!BBHII")


class _Broken(Exception):
    """A payload that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Packet:
    """What counts of an RTP packet."""

    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    payload: bytes


def parse(data: bytes) -> Packet | None:
    """An RTP packet without its CSRCs, extension and padding (RFC 3550 section 5.1); None when it is none."""
    if len(data) < 12:
        return None
    first, second, sequence, timestamp, _ = _HEADER.unpack_from(data)
    begin, end = 12 + 4 * (first & 0x0F), len(data)
    if first & 0x10:
        if end < begin + 4:
            return None
        begin += 4 + 4 * int.from_bytes(data[begin + 2 : begin + 4], "big")
    if first & 0x20:
        end -= data[-1]
    if first >> 6 != 2 or begin > end:
        return None
    return Packet(bool(second & 0x80), second & 0x7F, sequence, timestamp, data[begin:end])


class Depacketizer:
    """Gives the NAL units of an access unit with its last packet: that with the marker bit.

    A source that sets no markers is told by the timestamp of the packet after, a frame's time later. One from which
    packets are missing is left out whole, and counted in `broken`.
    """

    def __init__(self, codec: Codec, payload_type: int) -> None:
        self.broken = 0
        self._h265 = codec.name == "h265"
        self._payload_type = payload_type
        self._sequence: int | None = None
        self._timestamp: int | None = None
        self._units: list[bytes] = []
        self._bytes = 0
        self._fragments: list[bytes] = []
        self._whole = True

    def feed(self, data: bytes) -> Iterator[list[bytes]]:
        """The access units that this packet completes, none empty."""
        packet = parse(data)
        if packet is None or packet.payload_type != self._payload_type:
            return
        before, self._sequence = self._sequence, packet.sequence
        if self._timestamp is not None:
            # Between two access units whole ones may be missing: that breaks none of these.
            if before is not None and packet.sequence != (before + 1) & 0xFFFF:
                self._whole = False
            if packet.timestamp != self._timestamp:
                yield from self._end()  # there was no marker, or it is lost
        self._timestamp = packet.timestamp
        try:
            self._take(packet.payload)
        except _Broken:
            self._whole = False
        if packet.marker:
            yield from self._end()

    def _end(self) -> Iterator[list[bytes]]:
        units, whole = self._units, self._whole and not self._fragments
        self._units, self._bytes, self._fragments, self._whole, self._timestamp = [], 0, [], True, None
        if not whole:
            self.broken += 1
        elif units:
            yield units

    def _take(self, payload: bytes) -> None:
        self._bytes += len(payload)
        if self._bytes > MAX_BYTES or len(self._units) > MAX_UNITS:
            self._units, self._fragments = [], []
            raise _Broken
        header = 2 if self._h265 else 1
        if len(payload) < header:
            if payload:
                raise _Broken
            return
        kind = payload[0] >> 1 & 0x3F if self._h265 else payload[0] & 0x1F
        if kind == (49 if self._h265 else 28) and len(payload) > header:
            self._fragment(payload)
        elif self._fragments:
            raise _Broken
        elif kind == (48 if self._h265 else 24):
            self._units += _aggregated(payload[header:])
        elif kind >= 48 or (not self._h265 and not 1 <= kind <= 23):
            raise _Broken  # interleaved modes, which nobody asked for
        else:
            self._units.append(payload)

    def _fragment(self, payload: bytes) -> None:
        """RFC 6184 section 5.8, RFC 7798 section 4.4.3."""
        if self._h265:
            flags, body = payload[2], payload[3:]
            head = bytes((payload[0] & 0x81 | (flags & 0x3F) << 1, payload[1]))
        else:
            flags, body = payload[1], payload[2:]
            head = bytes((payload[0] & 0xE0 | flags & 0x1F,))
        begins, ends = bool(flags & 0x80), bool(flags & 0x40)
        if begins == bool(self._fragments):
            raise _Broken
        self._fragments += [head, body] if begins else [body]
        if ends:
            self._units.append(b"".join(self._fragments))
            self._fragments = []


def _aggregated(data: bytes) -> list[bytes]:
    """The units of an aggregation packet (RFC 6184 section 5.7.1, RFC 7798 section 4.4.2)."""
    units = []
    while data:
        size = int.from_bytes(data[:2], "big")
        if not 0 < size <= len(data) - 2:
            raise _Broken
        units.append(data[2 : 2 + size])
        data = data[2 + size :]
    return units
