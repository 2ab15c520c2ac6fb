"""A depacketizer for RTP video, written from RFC 3550, 6184 and 7798 alone: what a receiver makes of our packets."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RtpPacket:
    """The fixed header's fields and the payload."""

    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def parse_rtp(data: bytes) -> RtpPacket:
    """An RTP packet without padding, extension and CSRCs (RFC 3550 section 5.1), which we never send."""
    first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
    assert first == 0x80, f"version, padding, extension, CSRC count: {first:#x}"
    return RtpPacket(bool(second & 0x80), second & 0x7F, sequence, timestamp, ssrc, data[12:])


@dataclass
class Picture:
    """The NAL units between two markers."""

    timestamp: int
    units: list[bytes] = field(default_factory=list)
    sequence: int = -1
    """Of its first packet."""
    gaps: int = 0
    """How many there were before it."""

    def kinds(self, codec: str) -> list[int]:
        """nal_unit_type of each unit."""
        return [unit[0] >> 1 & 0x3F if codec == "h265" else unit[0] & 0x1F for unit in self.units]


class Depacketizer:
    """Puts NAL units and pictures together, counts gaps, and asserts that timestamps change at markers only."""

    def __init__(self, codec: str) -> None:
        self.codec = codec
        self.gaps = 0
        self._sequence: int | None = None
        self._picture: Picture | None = None
        self._fragments: bytes | None = None

    def feed(self, data: bytes) -> Picture | None:
        """The picture that this packet ends, if it does."""
        packet = parse_rtp(data)
        if self._sequence is not None and packet.sequence != (self._sequence + 1) & 0xFFFF:
            self.gaps += 1
        self._sequence = packet.sequence
        if self._picture is None:
            self._picture = Picture(packet.timestamp, sequence=packet.sequence, gaps=self.gaps)
        assert self._picture.timestamp == packet.timestamp, "the timestamp changed without a marker"
        (self._h265 if self.codec == "h265" else self._h264)(packet.payload)
        if not packet.marker:
            return None
        assert self._fragments is None, "the picture ends inside a fragmented unit"
        picture, self._picture = self._picture, None
        return picture

    def _h264(self, payload: bytes) -> None:
        kind = payload[0] & 0x1F
        if kind == 28:  # FU-A, RFC 6184 section 5.8
            self._fragment(payload[1], bytes((payload[0] & 0xE0 | payload[1] & 0x1F,)), payload[2:])
        else:
            assert 1 <= kind <= 23, f"NAL unit type {kind} in a single-unit packet"
            self._whole(payload)

    def _h265(self, payload: bytes) -> None:
        kind = payload[0] >> 1 & 0x3F
        if kind == 49:  # FU, RFC 7798 section 4.4.3
            head = bytes((payload[0] & 0x81 | (payload[2] & 0x3F) << 1, payload[1]))
            self._fragment(payload[2], head, payload[3:])
        else:
            assert kind < 48, f"NAL unit type {kind} in a single-unit packet"
            self._whole(payload)

    def _fragment(self, fu_header: int, head: bytes, piece: bytes) -> None:
        start, end = bool(fu_header & 0x80), bool(fu_header & 0x40)
        assert not (start and end), "a fragmented unit in one fragment"
        assert start == (self._fragments is None), "fragments out of order"
        self._fragments = head + piece if self._fragments is None else self._fragments + piece
        if end:
            whole, self._fragments = self._fragments, None
            self._whole(whole)

    def _whole(self, unit: bytes) -> None:
        assert self._fragments is None, "a unit inside a fragmented one"
        assert self._picture is not None
        self._picture.units.append(unit)
