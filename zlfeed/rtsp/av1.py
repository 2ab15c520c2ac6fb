"""AV1's OBUs (AV1 specification section 5.3) and their RTP payloads (AOM, RTP Payload Format For AV1); no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zlfeed.rtsp.nal import MAX_PAYLOAD

_SEQUENCE_HEADER, _TEMPORAL_DELIMITER, _TILE_LIST, _PADDING = 1, 2, 8, 15
_HAS_SIZE, _HAS_EXTENSION = 0x02, 0x04
# The aggregation header (section 4.4): continues the last packet's OBU, is continued, W = 1 element, new sequence.
_CONTINUES, _CONTINUED, _ONE_ELEMENT, _NEW_SEQUENCE = 0x80, 0x40, 0x10, 0x08


def _leb128(data: bytes, pos: int) -> tuple[int, int]:
    """A number of the variable-length kind (section 4.10.5), and where it ends."""
    value = 0
    for shift in range(0, 56, 7):
        byte = data[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, pos
    raise IndexError


def split(data: bytes) -> list[bytes]:
    """The OBUs of a temporal unit in the low-overhead format, each without its size field.

    Ends at what is malformed: a decoder would not get further either.
    """
    units = []
    pos = 0
    try:
        while pos < len(data):
            header = data[pos]
            length = 2 if header & _HAS_EXTENSION else 1
            size, body = _leb128(data, pos + length) if header & _HAS_SIZE else (len(data) - pos - length, pos + length)
            if body + size > len(data):
                break
            units.append(bytes((header & ~_HAS_SIZE,)) + data[pos + 1 : pos + length] + data[body : body + size])
            pos = body + size
    except IndexError:
        pass
    return units


@dataclass(frozen=True)
class AV1:
    """The marker bit ends a temporal unit for every receiver, so that nothing has to follow it."""

    name = "av1"
    encoding = "AV1"
    delimiter = b""
    split = staticmethod(split)

    def payloads(self, units: Sequence[bytes], keyframe: bool) -> list[bytes]:
        """One OBU element a packet, in as many packets as it takes."""
        payloads: list[bytes] = []
        room = MAX_PAYLOAD - 1
        for unit in units:
            for start in range(0, len(unit), room):
                header = _ONE_ELEMENT
                if start:
                    header |= _CONTINUES
                if start + room < len(unit):
                    header |= _CONTINUED
                if keyframe and not payloads:
                    header |= _NEW_SEQUENCE
                payloads.append(bytes((header,)) + unit[start : start + room])
        return payloads

    def kind(self, unit: bytes) -> int:
        """obu_type."""
        return unit[0] >> 3 & 0x0F

    def is_parameter_set(self, unit: bytes) -> bool:
        return self.kind(unit) == _SEQUENCE_HEADER

    def is_keyframe(self, unit: bytes) -> bool:
        # Encoders write the sequence header before each keyframe and nowhere else.
        return self.kind(unit) == _SEQUENCE_HEADER

    def is_dispensable(self, unit: bytes) -> bool:
        return self.kind(unit) in (_TEMPORAL_DELIMITER, _TILE_LIST, _PADDING)

    def fmtp(self, parameter_sets: Sequence[bytes]) -> str:
        """The profile, from the sequence header's first three bits (section 5.5.1)."""
        header = next((unit for unit in parameter_sets if len(unit) > 1), b"\x00\x00")
        return f"profile={header[1] >> 5}"
