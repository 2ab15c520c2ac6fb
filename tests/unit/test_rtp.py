from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.depacketize import Depacketizer, parse_rtp
from zlfeed.rtsp.codecs import CODECS
from zlfeed.rtsp.nal import MAX_PAYLOAD
from zlfeed.rtsp.rtp import CLOCK_RATE, AccessUnit, RtpStream, burst, interleave, ticks

CODEC_NAMES = ["h264", "h265"]


def stream(closed_frames: bool = True, sequence: int = 0, timestamp_base: int = 0) -> RtpStream:
    return RtpStream(ssrc=0xCAFE, sequence=sequence, timestamp_base=timestamp_base, closed_frames=closed_frames)


def unit(codec: str, size: int, kind: int = 1) -> bytes:
    """A NAL unit of `size` bytes."""
    head = bytes((kind << 1, 1)) if codec == "h265" else bytes((0x60 | kind,))
    return (head + bytes(range(1, 256)) * (size // 255 + 1))[:size]


def packetize(rtp: RtpStream, codec: str, units: list[bytes], captured_ns: int = 0) -> AccessUnit:
    return rtp.packetize(units, CODECS[codec], keyframe=False, captured_us=7, captured_ns=captured_ns)


@pytest.mark.parametrize("codec", CODEC_NAMES)
@given(
    sizes=st.lists(
        st.one_of(st.integers(3, 40), st.integers(MAX_PAYLOAD - 3, MAX_PAYLOAD + 3), st.integers(3, 9000)), min_size=1
    ),
    closed=st.booleans(),
    sequence=st.integers(0, 0xFFFF),
)
def test_a_receiver_gets_back_every_unit_in_order(codec: str, sizes: list[int], closed: bool, sequence: int) -> None:
    units = [unit(codec, size) for size in sizes]
    made = packetize(stream(closed, sequence), codec, units)
    receiver = Depacketizer(codec)
    *before, picture = [receiver.feed(packet) for packet in made.packets]
    assert set(before) <= {None}, "only the last packet carries the marker"
    assert picture is not None
    assert picture.units == units + [CODECS[codec].delimiter] * closed
    assert receiver.gaps == 0
    assert parse_rtp(made.packets[0]).sequence == sequence
    assert max(len(packet) - 12 for packet in made.packets) <= MAX_PAYLOAD
    assert made.size == sum(map(len, made.packets))


@pytest.mark.parametrize("codec", CODEC_NAMES)
def test_a_unit_that_just_fits_is_not_fragmented(codec: str) -> None:
    payloads = CODECS[codec].payloads
    assert payloads([unit(codec, MAX_PAYLOAD)], False) == [unit(codec, MAX_PAYLOAD)]
    assert len(payloads([unit(codec, MAX_PAYLOAD + 1)], False)) == 2


@pytest.mark.parametrize("codec", CODEC_NAMES)
def test_closed_frames_put_the_marker_on_a_delimiter_of_its_own(codec: str) -> None:
    *slices, last = map(parse_rtp, packetize(stream(), codec, [unit(codec, 3000)]).packets)
    assert last.marker
    assert last.payload == CODECS[codec].delimiter
    assert not any(packet.marker for packet in slices)
    assert {packet.timestamp for packet in slices} == {last.timestamp}


def test_without_closed_frames_the_marker_is_on_the_last_slice() -> None:
    packets = [parse_rtp(data) for data in packetize(stream(closed_frames=False), "h264", [unit("h264", 3000)]).packets]
    assert [packet.marker for packet in packets] == [False, False, True]


def test_sequence_and_timestamp_go_round() -> None:
    rtp = stream(sequence=0xFFFF, timestamp_base=0xFFFFFFFF)
    first = packetize(rtp, "h264", [b"\x65a"], captured_ns=0)
    second = packetize(rtp, "h264", [b"\x41b"], captured_ns=1_000_000_000)
    assert [parse_rtp(data).sequence for unit in (first, second) for data in unit.packets] == [0xFFFF, 0, 1, 2]
    assert first.timestamp == 0xFFFFFFFF
    assert second.timestamp == CLOCK_RATE - 1


@given(st.lists(st.integers(0, 10**10), min_size=2, max_size=20))
def test_timestamps_rise_strictly_whatever_the_capture_times(times: list[int]) -> None:
    rtp = stream()
    stamps = [packetize(rtp, "h264", [b"\x41a"], captured_ns=when).timestamp for when in times]
    assert all(before < after for before, after in itertools.pairwise(stamps))


def test_the_timestamp_is_the_capture_time() -> None:
    rtp = stream(timestamp_base=1000)
    assert packetize(rtp, "h264", [b"\x41a"], captured_ns=2_500_000_000).timestamp == 1000 + 225_000
    assert rtp.timestamp_at(2_500_000_000) == 226_000
    assert ticks(10**9) == CLOCK_RATE


def gop(count: int, base: int = 0) -> list[AccessUnit]:
    rtp = stream(timestamp_base=base)
    return [packetize(rtp, "h264", [b"\x41" + bytes(3000)], captured_ns=i * 33_333_333) for i in range(count)]


@pytest.mark.parametrize("base", [0, 0xFFFFFFFF - 50_000])
def test_a_burst_is_the_gop_one_millisecond_apart_and_ends_with_the_newest_as_it_is(base: int) -> None:
    units = gop(20, base)
    drawn = burst(units)
    assert drawn[-1] is units[-1]
    steps = [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in itertools.pairwise(drawn)]
    assert steps == [CLOCK_RATE // 1000] * 19
    for before, after in zip(units, drawn, strict=True):
        was, now = map(parse_rtp, before.packets), map(parse_rtp, after.packets)
        for old, new in zip(was, now, strict=True):
            assert (old.sequence, old.marker, old.payload) == (new.sequence, new.marker, new.payload)
            assert new.timestamp == after.timestamp


def test_a_burst_of_nothing_and_of_one() -> None:
    assert burst([]) == []
    one = gop(1)
    assert burst(one) == one


def test_an_interleaved_frame_tells_channel_and_size() -> None:
    assert interleave(b"abc", 4) == b"$\x04\x00\x03abc"
    made = packetize(stream(), "h264", [b"\x65a"])
    assert made.interleaved(2) == b"".join(interleave(packet, 2) for packet in made.packets)
