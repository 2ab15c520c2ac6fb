from __future__ import annotations

import itertools

import pytest

from tests.support.depacketize import Depacketizer, Picture, parse_rtp
from zlfeed.rtsp.codecs import CODECS
from zlfeed.rtsp.rtp import AccessUnit
from zlfeed.rtsp.stream import BURST_MAX_BYTES, LiveStream

SPS, PPS = b"\x67\x42\xc0\x1e", b"\x68\xce"
IDR, SLICE = b"\x65idr", b"\x41slice"
FRAME_NS = 33_333_333


def annex_b(*units: bytes) -> bytes:
    return b"".join(b"\0\0\0\1" + unit for unit in units)


class Reader:
    """Keeps what is delivered."""

    def __init__(self) -> None:
        self.units: list[AccessUnit] = []

    def deliver(self, unit: AccessUnit, now: float) -> None:
        self.units.append(unit)


class Source:
    """Publishes frames 1/30 s apart."""

    def __init__(self, *, closed_frames: bool = True, name: str = "cam") -> None:
        self.stream = LiveStream(name, closed_frames=closed_frames)
        self.stream.set_parameters(CODECS["h264"], annex_b(SPS, PPS))
        self._numbers = itertools.count()

    def publish(self, *units: bytes, after_ns: int = 0) -> AccessUnit | None:
        number = next(self._numbers)
        now_ns = number * FRAME_NS + after_ns
        return self.stream.publish(annex_b(*units), captured_us=number, captured_ns=now_ns, now=now_ns / 1e9)


def pictures(units: list[AccessUnit], codec: str = "h264") -> list[Picture]:
    receiver = Depacketizer(codec)
    found = [receiver.feed(packet) for unit in units for packet in unit.packets]
    assert receiver.gaps == 0
    return [picture for picture in found if picture]


def test_parameter_sets_stand_before_each_keyframe_and_a_delimiter_ends_each_frame() -> None:
    source, reader = Source(), Reader()
    source.stream.readers.add(reader)
    source.publish(IDR)
    source.publish(SLICE)
    source.publish(IDR)
    assert [picture.kinds("h264") for picture in pictures(reader.units)] == [[7, 8, 5, 9], [1, 9], [7, 8, 5, 9]]


def test_parameter_sets_in_the_stream_take_the_place_of_those_in_the_header() -> None:
    source = Source()
    source.publish(b"\x67new", b"\x68new", IDR)
    assert list(source.stream.parameter_sets) == [b"\x67new", b"\x68new"]
    unit = source.publish(IDR)
    assert unit is not None
    assert pictures([unit])[0].units[:2] == [b"\x67new", b"\x68new"]


def test_the_encoder_s_own_delimiters_and_advertisement_are_left_out() -> None:
    unit = Source(closed_frames=False).publish(b"\x09\xf0", b"\x06\x05x264", SPS, PPS, IDR)
    assert unit is not None
    assert pictures([unit])[0].kinds("h264") == [7, 8, 5]


def test_a_frame_with_nothing_to_show_is_not_sent() -> None:
    source = Source()
    assert source.publish() is None
    assert source.publish(b"\x09\xf0") is None


def test_it_is_ready_from_the_first_keyframe_on() -> None:
    source = Source()
    assert not source.stream.ready
    source.publish(SLICE)
    assert not source.stream.ready
    source.publish(IDR)
    assert source.stream.ready


def test_a_late_reader_gets_the_gop_so_far_and_goes_on_without_a_gap() -> None:
    source, reader = Source(), Reader()
    for units in ([IDR], [SLICE], [IDR], [SLICE], [SLICE]):
        source.publish(*units)
    burst = source.stream.burst()
    source.stream.readers.add(reader)
    source.publish(SLICE)
    kinds = [picture.kinds("h264") for picture in pictures(burst + reader.units)]
    assert kinds == [[7, 8, 5, 9], [1, 9], [1, 9], [1, 9]]


@pytest.mark.parametrize(("frames", "size"), [(70, 10), (3, BURST_MAX_BYTES // 2)])
def test_a_gop_too_long_to_catch_up_with_is_not_sent_and_a_keyframe_is_asked_for(frames: int, size: int) -> None:
    source = Source()
    asked: list[None] = []
    source.stream.want_keyframe = lambda: asked.append(None)
    source.publish(IDR)
    for _ in range(frames):
        source.publish(SLICE + b"x" * size)
    assert source.stream.burst() == []
    assert len(asked) == 1
    assert source.stream.ready
    source.publish(IDR)
    assert len(source.stream.burst()) == 1
    assert len(asked) == 1


def test_another_encoder_goes_on_where_the_last_ended() -> None:
    source, reader = Source(), Reader()
    source.stream.readers.add(reader)
    source.publish(IDR)
    source.publish(SLICE)
    source.stream.set_parameters(CODECS["h264"], annex_b(b"\x67other", PPS))
    assert not source.stream.ready
    assert source.stream.burst() == []
    source.publish(IDR)
    assert pictures(reader.units)[-1].units[0] == b"\x67other"
    packets = [parse_rtp(data) for unit in reader.units for data in unit.packets]
    assert {packet.ssrc for packet in packets} == {source.stream.rtp.ssrc}
    steps = [(b.sequence - a.sequence) & 0xFFFF for a, b in itertools.pairwise(packets)]
    assert set(steps) == {1}


def test_a_reader_may_leave_while_it_is_served() -> None:
    source = Source()

    class Leaver(Reader):
        def deliver(self, unit: AccessUnit, now: float) -> None:
            source.stream.readers.discard(self)

    source.stream.readers |= {Leaver(), Leaver()}
    source.publish(IDR)
    assert source.stream.readers == set()


def test_h265_keyframes_carry_all_three_parameter_sets() -> None:
    stream = LiveStream("cam")
    sets = [b"\x40\x01v", b"\x42\x01s", b"\x44\x01p"]
    stream.set_parameters(CODECS["h265"], annex_b(*sets))
    unit = stream.publish(annex_b(b"\x26\x01idr"), captured_us=0, captured_ns=0, now=0)
    assert unit is not None
    assert unit.keyframe
    assert pictures([unit], "h265")[0].kinds("h265") == [32, 33, 34, 19, 35]


def test_without_extradata_the_stream_s_own_parameter_sets_are_used() -> None:
    stream = LiveStream("cam")
    stream.set_parameters(CODECS["h264"], b"")
    stream.publish(annex_b(SPS, PPS, IDR), captured_us=0, captured_ns=0, now=0)
    assert "sprop-parameter-sets=Z0LAHg==,aM4=" in stream.describe("127.0.0.1")


def test_what_is_encoded_before_its_codec_is_known_is_a_bug_of_ours() -> None:
    stream = LiveStream("cam")
    with pytest.raises(RuntimeError):
        stream.publish(annex_b(IDR), captured_us=0, captured_ns=0, now=0)
    with pytest.raises(RuntimeError):
        stream.describe("127.0.0.1")


class Faulty:
    """A reader that does what none may do."""

    def deliver(self, unit: AccessUnit, now: float) -> None:
        raise RuntimeError("broken")


def test_a_reader_that_raises_costs_nobody_else_a_frame() -> None:
    source, before, after = Source(), Reader(), Reader()
    source.stream.readers |= {before, Faulty(), after}
    source.publish(IDR)
    source.publish(SLICE)
    assert len(before.units) == len(after.units) == 2
    assert source.stream.readers == {before, after}


def test_the_next_keyframe_is_expected_as_far_off_as_the_last_ones_were_apart() -> None:
    source = Source()
    stream = source.stream
    assert stream.next_keyframe_s(0.0) is None
    source.publish(IDR)
    assert stream.next_keyframe_s(0.0) is None
    for _ in range(29):
        source.publish(SLICE)
    source.publish(IDR)
    assert stream.next_keyframe_s(1.25) == pytest.approx(0.75)
    assert stream.next_keyframe_s(2.5) == 0.0
    # One out of turn, as from a spare encoder: the next is expected a whole second later all the same.
    source.publish(IDR)
    assert stream.next_keyframe_s(31 / 30) == pytest.approx(1.0)
    # The time without an encoder is none between keyframes.
    stream.set_parameters(CODECS["h264"], annex_b(SPS, PPS))
    source.publish(IDR, after_ns=9_000_000_000)
    assert stream.next_keyframe_s(32 / 30 + 9) == pytest.approx(1.0)
