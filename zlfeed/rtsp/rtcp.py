"""RTCP sender and receiver reports (RFC 3550 section 6.4); no I/O."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_NTP_EPOCH_S = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 5905 section 6)."""


def ntp_time(wall_us: int) -> int:
    """Microseconds since 1970 as a 64-bit NTP timestamp: seconds since 1900 in 32.32 fixed point."""
    seconds, rest = divmod(wall_us, 1_000_000)
    return (seconds + _NTP_EPOCH_S & 0xFFFFFFFF) << 32 | (rest << 32) // 1_000_000


def sender_report(ssrc: int, wall_us: int, timestamp: int, packets: int, octets: int, cname: str) -> bytes:
    """A compound packet: SR without report blocks, SDES with the CNAME (RFC 3550 sections 6.4.1 and 6.5)."""
    report = struct.pack(
        "!BBHIQIII", 0x80, 200, 6, ssrc, ntp_time(wall_us), timestamp, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF
    )
    name = cname.encode()[:255]
    chunk = struct.pack("!IBB", ssrc, 1, len(name)) + name + b"\0"
    chunk += b"\0" * (-len(chunk) % 4)
    return report + struct.pack("!BBH", 0x81, 202, len(chunk) // 4) + chunk


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of our stream: `fraction_lost` 0–1 since its last report, `jitter` in RTP ticks."""

    ssrc: int
    fraction_lost: float
    lost: int
    highest_sequence: int
    jitter: int
    last_sr: int
    delay_since_last_sr: int


def report_blocks(data: bytes) -> Iterator[ReportBlock]:
    """The report blocks of a compound packet's SR and RR packets; stops at what is malformed."""
    pos = 0
    while pos + 8 <= len(data):
        first, kind, words = struct.unpack_from("!BBH", data, pos)
        end = pos + 4 * (words + 1)
        if first >> 6 != 2 or end > len(data):
            return
        if kind in (200, 201):
            block = pos + (28 if kind == 200 else 8)
            for _ in range(first & 0x1F):
                if block + 24 > end:
                    return
                ssrc, lost, highest, jitter, lsr, dlsr = struct.unpack_from("!IIIIII", data, block)
                cumulative = lost & 0xFFFFFF
                if cumulative & 0x800000:  # a signed 24-bit number: duplicates make it negative
                    cumulative -= 1 << 24
                yield ReportBlock(ssrc, (lost >> 24) / 256, cumulative, highest, jitter, lsr, dlsr)
                block += 24
        pos = end
