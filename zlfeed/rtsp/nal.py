"""NAL units of H.264 and H.265 (ITU-T H.264 and H.265, Annex B and table 7-1) and their RTP payloads; no I/O."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

MAX_PAYLOAD = 1430
"""Bytes of RTP payload. MediaMTX repacketizes from 1441 on (1431 with TLS) and then strips delimiters (design 1.1)."""


def split(data: bytes) -> list[bytes]:
    """The NAL units of an Annex B byte stream, without start codes and trailing zero bytes."""
    units = (part.rstrip(b"\0") for part in data.split(b"\0\0\1")[1:])
    return [unit for unit in units if unit]


def _text(units: Sequence[bytes]) -> str:
    return ",".join(base64.b64encode(unit).decode() for unit in units)


@dataclass(frozen=True)
class H264:
    """RFC 6184."""

    name = "h264"
    encoding = "H264"
    delimiter = b"\x09\xf0"
    """primary_pic_type 7 (any slice type), then the stop bit."""

    split = staticmethod(split)

    def payloads(self, units: Sequence[bytes], keyframe: bool) -> list[bytes]:
        return [payload for unit in units for payload in fragment(unit, self)]

    def kind(self, unit: bytes) -> int:
        """nal_unit_type."""
        return unit[0] & 0x1F

    def is_parameter_set(self, unit: bytes) -> bool:
        return self.kind(unit) in (7, 8)

    def is_keyframe(self, unit: bytes) -> bool:
        return self.kind(unit) == 5

    def is_dispensable(self, unit: bytes) -> bool:
        kind = self.kind(unit)
        # user_data_unregistered (SEI payload type 5) is where x264 writes its options, in every first frame.
        return kind in (9, 12) or (kind == 6 and len(unit) > 1 and unit[1] == 5)

    def fmtp(self, parameter_sets: Sequence[bytes]) -> str:
        sps = next((unit for unit in parameter_sets if self.kind(unit) == 7), b"")
        profile = f"profile-level-id={sps[1:4].hex().upper()};" if len(sps) >= 4 else ""
        return f"packetization-mode=1;{profile}sprop-parameter-sets={_text(parameter_sets)}"


@dataclass(frozen=True)
class H265:
    """RFC 7798."""

    name = "h265"
    encoding = "H265"
    delimiter = b"\x46\x01\x50"
    """nal_unit_type 35, temporal id 1; pic_type 2 (any slice type), then the stop bit."""

    split = staticmethod(split)

    def payloads(self, units: Sequence[bytes], keyframe: bool) -> list[bytes]:
        return [payload for unit in units for payload in fragment(unit, self)]

    def kind(self, unit: bytes) -> int:
        """nal_unit_type."""
        return unit[0] >> 1 & 0x3F

    def is_parameter_set(self, unit: bytes) -> bool:
        return self.kind(unit) in (32, 33, 34)

    def is_keyframe(self, unit: bytes) -> bool:
        return 16 <= self.kind(unit) <= 21

    def is_dispensable(self, unit: bytes) -> bool:
        kind = self.kind(unit)
        return kind in (35, 38) or (kind == 39 and len(unit) > 2 and unit[2] == 5)

    def fmtp(self, parameter_sets: Sequence[bytes]) -> str:
        names = {32: "sprop-vps", 33: "sprop-sps", 34: "sprop-pps"}
        return ";".join(
            f"{name}={_text([u for u in parameter_sets if self.kind(u) == kind])}" for kind, name in names.items()
        )


def fragment(unit: bytes, codec: H264 | H265, limit: int = MAX_PAYLOAD) -> list[bytes]:
    """The RTP payloads of one NAL unit: itself, or fragmentation units (RFC 6184 5.8, RFC 7798 4.4.3)."""
    if len(unit) <= limit:
        return [unit]
    if codec.name == "h265":
        prefix = bytes(((unit[0] & 0x81) | 49 << 1, unit[1]))
        kind, body = codec.kind(unit), unit[2:]
    else:
        prefix = bytes(((unit[0] & 0xE0) | 28,))
        kind, body = codec.kind(unit), unit[1:]
    room = limit - len(prefix) - 1
    pieces = [body[i : i + room] for i in range(0, len(body), room)]
    last = len(pieces) - 1
    return [prefix + bytes((kind | (i == 0) << 7 | (i == last) << 6,)) + piece for i, piece in enumerate(pieces)]
