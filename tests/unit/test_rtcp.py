from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zlfeed.rtsp.rtcp import ReportBlock, ntp_time, report_blocks, sender_report


@pytest.mark.parametrize(
    ("wall_us", "seconds", "fraction"),
    [
        (0, 2_208_988_800, 0),
        (500_000, 2_208_988_800, 1 << 31),
        (1_700_000_000_250_000, 3_908_988_800, 1 << 30),
        # The NTP era ends on 2036-02-07 06:28:16 UTC (RFC 5905 section 6).
        (2_085_978_496_000_000, 0, 0),
    ],
)
def test_wall_time_as_ntp(wall_us: int, seconds: int, fraction: int) -> None:
    assert ntp_time(wall_us) == seconds << 32 | fraction


def test_a_sender_report_is_laid_out_as_in_rfc_3550() -> None:
    data = sender_report(0x01020304, 500_000, 0x0A0B0C0D, 7, 9000, "zlfeed")
    head, kind, words, ssrc, seconds, fraction, stamp, packets, octets = struct.unpack_from("!BBHIIIIII", data)
    assert (head, kind, words) == (0x80, 200, 6)
    assert (ssrc, seconds, fraction) == (0x01020304, 2_208_988_800, 1 << 31)
    assert (stamp, packets, octets) == (0x0A0B0C0D, 7, 9000)


@given(st.text(max_size=300), st.integers(0, 2**40), st.integers(0, 2**40))
def test_the_compound_packet_is_whole_words_and_ends_with_the_cname(cname: str, packets: int, octets: int) -> None:
    data = sender_report(1, 0, 0, packets, octets, cname)
    head, kind, words = struct.unpack_from("!BBH", data, 28)
    assert (head, kind) == (0x81, 202)
    assert len(data) == 28 + 4 * (words + 1)
    ssrc, item, length = struct.unpack_from("!IBB", data, 32)
    assert (ssrc, item) == (1, 1)
    assert data[38 : 38 + length] == cname.encode()[:255]
    # The chunk ends with a null octet and pads to a word (RFC 3550 section 6.5).
    rest = data[38 + length :]
    assert rest == bytes(len(rest))
    assert 1 <= len(rest) <= 4
    assert list(report_blocks(data)) == []


def block(ssrc: int = 5, fraction: int = 64, lost: int = 3, jitter: int = 90) -> bytes:
    return struct.pack("!IIIIII", ssrc, fraction << 24 | lost & 0xFFFFFF, 70000, jitter, 1, 2)


def receiver_report(*blocks: bytes) -> bytes:
    body = struct.pack("!I", 99) + b"".join(blocks)
    return struct.pack("!BBH", 0x80 | len(blocks), 201, len(body) // 4) + body


def test_report_blocks_of_a_receiver_report() -> None:
    assert list(report_blocks(receiver_report(block(), block(ssrc=6, fraction=0, lost=-2)))) == [
        ReportBlock(5, 0.25, 3, 70000, 90, 1, 2),
        ReportBlock(6, 0.0, -2, 70000, 90, 1, 2),
    ]


def test_report_blocks_of_a_sender_report_and_behind_other_packets() -> None:
    bye = struct.pack("!BBHI", 0x81, 203, 1, 99)
    report = struct.pack("!BBH", 0x81, 200, 12) + bytes(24) + block()
    assert [found.ssrc for found in report_blocks(bye + report + receiver_report(block(ssrc=8)))] == [5, 8]


def test_a_report_that_promises_more_than_it_holds_ends_there() -> None:
    whole = receiver_report(block())
    assert list(report_blocks(whole[:-1])) == []
    assert list(report_blocks(bytes((0x82,)) + whole[1:])) == [ReportBlock(5, 0.25, 3, 70000, 90, 1, 2)]


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=80).map(lambda tail: receiver_report(block()) + tail)))
def test_any_bytes_give_blocks_or_nothing(data: bytes) -> None:
    assert all(0 <= found.fraction_lost < 1 for found in report_blocks(data))
