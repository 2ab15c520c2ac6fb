"""Access units from RTP packets: what our own packetizer makes, what others may send, and what is broken."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zlfeed.config import Settings
from zlfeed.errors import UsageError
from zlfeed.publisher.camera import parse_camera
from zlfeed.publisher.encode.passthrough import ParameterSets, check
from zlfeed.rtsp import described
from zlfeed.rtsp.codecs import CODECS
from zlfeed.rtsp.depacketizer import Depacketizer, parse
from zlfeed.rtsp.described import Unsuitable
from zlfeed.rtsp.messages import RtspError
from zlfeed.rtsp.nal import split
from zlfeed.rtsp.rtp import RtpStream
from zlfeed.rtsp.sdp import describe

HEADS = {"h264": [b"\x41", b"\x65", b"\x67", b"\x06"], "h265": [b"\x02\x01", b"\x26\x01", b"\x42\x01", b"\x4e\x01"]}


def units_of(codec: str) -> st.SearchStrategy[list[bytes]]:
    """One access unit: heads of real kinds, bodies that may need many packets."""
    size = st.one_of(st.integers(1, 40), st.integers(1400, 1460), st.integers(1, 9000))
    unit = st.tuples(st.sampled_from(HEADS[codec]), size).map(lambda u: u[0] + bytes(i % 251 + 1 for i in range(u[1])))
    return st.lists(unit, min_size=1, max_size=4)


def packets_of(codec: str, pictures: Iterable[Sequence[bytes]], closed: bool, sequence: int = 0) -> list[list[bytes]]:
    """What our relay sends of them."""
    stream = RtpStream(ssrc=1, sequence=sequence, timestamp_base=0xFFFFFF00, closed_frames=closed)
    return [
        list(stream.packetize(p, CODECS[codec], keyframe=False, captured_us=0, captured_ns=i * 33_000_000).packets)
        for i, p in enumerate(pictures)
    ]


def packet(payload: bytes, sequence: int, timestamp: int = 0, *, marker: bool = False) -> bytes:
    return struct.pack("!BBHII", 0x80, marker << 7 | 96, sequence, timestamp, 1) + payload


@pytest.mark.parametrize("codec", ["h264", "h265"])
@given(data=st.data(), closed=st.booleans(), sequence=st.integers(0, 0xFFFF))
def test_what_our_packetizer_takes_apart_is_put_together_with_the_last_packet(
    codec: str, data: st.DataObject, closed: bool, sequence: int
) -> None:
    pictures = data.draw(st.lists(units_of(codec), min_size=1, max_size=3))
    there = Depacketizer(CODECS[codec], 96)
    for units, packets in zip(pictures, packets_of(codec, pictures, closed, sequence), strict=True):
        for early in packets[:-1]:
            assert list(there.feed(early)) == []
        (got,) = there.feed(packets[-1])
        assert [unit for unit in got if unit != CODECS[codec].delimiter] == units
    assert there.broken == 0


@pytest.mark.parametrize("codec", ["h264", "h265"])
@given(data=st.data())
def test_of_what_is_missing_nothing_is_made_up(codec: str, data: st.DataObject) -> None:
    pictures = data.draw(st.lists(units_of(codec), min_size=2, max_size=4))
    packets = [packet for picture in packets_of(codec, pictures, True) for packet in picture]
    lost = data.draw(st.integers(0, len(packets) - 1))
    there = Depacketizer(CODECS[codec], 96)
    got = [units for i, packet in enumerate(packets) if i != lost for units in there.feed(packet)]
    whole = [unit for picture in pictures for unit in picture]
    for unit in (unit for units in got for unit in units if unit != CODECS[codec].delimiter):
        assert unit in whole
    assert len(got) >= len(pictures) - 2


@given(st.lists(st.binary(max_size=80), max_size=30))
def test_any_bytes_are_survived(rubbish: list[bytes]) -> None:
    for codec in ("h264", "h265"):
        there = Depacketizer(CODECS[codec], 96)
        for number, data in enumerate(rubbish):
            for units in (*there.feed(data), *there.feed(packet(data, number, number // 3, marker=number % 4 == 0))):
                assert all(units)


def test_aggregation_packets_are_taken_apart() -> None:
    units = [b"\x67\x42\x01", b"\x68\xce", b"\x65\x88\x80"]
    stap = b"\x78" + b"".join(struct.pack("!H", len(unit)) + unit for unit in units)
    assert list(Depacketizer(CODECS["h264"], 96).feed(packet(stap, 1, marker=True))) == [units]
    units = [b"\x40\x01\x0c", b"\x42\x01\x01", b"\x26\x01\xaf"]
    ap = b"\x60\x01" + b"".join(struct.pack("!H", len(unit)) + unit for unit in units)
    assert list(Depacketizer(CODECS["h265"], 96).feed(packet(ap, 1, marker=True))) == [units]
    there = Depacketizer(CODECS["h264"], 96)
    assert list(there.feed(packet(stap[:-1], 1, marker=True))) == []
    assert there.broken == 1


def test_a_source_without_markers_is_told_by_its_timestamps() -> None:
    there = Depacketizer(CODECS["h264"], 96)
    assert list(there.feed(packet(b"\x65\x01", 1, 10))) == []
    assert list(there.feed(packet(b"\x41\x02", 2, 20))) == [[b"\x65\x01"]]


def test_whole_frames_that_a_server_leaves_out_break_none_of_the_others() -> None:
    there = Depacketizer(CODECS["h264"], 96)
    assert list(there.feed(packet(b"\x65\x01", 1, 10, marker=True))) == [[b"\x65\x01"]]
    assert list(there.feed(packet(b"\x65\x02", 9, 90, marker=True))) == [[b"\x65\x02"]]
    assert there.broken == 0


def test_csrcs_extension_and_padding_are_no_payload() -> None:
    head = struct.pack("!BBHII", 0x80 | 0x20 | 0x10 | 1, 0x80 | 96, 7, 5, 1)
    got = parse(head + b"CSRC" + b"\xbe\xde\0\1EXT." + b"\x41\x9a" + b"\0\0\3")
    assert got is not None
    assert (got.payload, got.marker, got.sequence) == (b"\x41\x9a", True, 7)
    assert parse(head) is None


def test_each_keyframe_has_the_newest_parameter_sets_before_it() -> None:
    sets = ParameterSets(CODECS["h264"], [b"\x67A", b"\x68a"])
    assert split(sets.completed([b"\x65k"])[0]) == [b"\x67A", b"\x68a", b"\x65k"]
    assert sets.completed([b"\x68b"]) == (b"", False), "no picture in it"
    assert sets.completed([b"\x41p"]) == (b"\0\0\0\1\x41p", False)
    frame, keyframe = sets.completed([b"\x67B", b"\x65k"])
    assert (split(frame), keyframe) == ([b"\x67B", b"\x68b", b"\x65k"], True)


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_what_our_relay_says_of_a_stream_is_understood(codec: str) -> None:
    sets = [head + b"\x01\x02\x03" for head in {"h264": (b"\x67", b"\x68"), "h265": (b"\x40", b"\x42", b"\x44")}[codec]]
    text = describe("cam", CODECS[codec], sets, session_id=1, host="127.0.0.1")
    found = described.read(text, "rtsp://host/cam/")
    assert (found.codec.name, found.payload_type, list(found.parameter_sets)) == (codec, 96, sets)
    assert (found.url, found.session_url) == ("rtsp://host/cam/trackID=0", "rtsp://host/cam/")


def test_the_first_video_that_can_be_passed_on_is_taken() -> None:
    text = (
        "v=0\r\na=control:rtsp://10.0.0.9/all\r\nm=audio 0 RTP/AVP 0\r\na=control:a\r\n"
        "m=video 0 RTP/AVP 97\r\na=rtpmap:97 h264/90000\r\na=fmtp:97 sprop-parameter-sets=Z0E=,!,aGE=\r\n"
        "a=control:rtsp://10.0.0.9/v?x=1\r\n"
    )
    found = described.read(text, "rtsp://host/cam")
    assert found.url == "rtsp://10.0.0.9/v?x=1"
    assert found.session_url == "rtsp://10.0.0.9/all"
    assert found.parameter_sets == (b"gA", b"ha")
    with pytest.raises(Unsuitable, match="MP4V-ES"):
        described.read("v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 MP4V-ES/90000\n", "rtsp://host")
    with pytest.raises(RtspError):
        described.read("<html>", "rtsp://host")


@pytest.mark.parametrize(
    ("camera", "more", "words"),
    [
        ("test", {}, "for cameras with an rtsp:// URL"),
        ("rtsp://host/x", {"size": "640x480"}, "leave --size away"),
        ("rtsp://host/x", {"fps": 10}, "leave --fps away"),
        ("rtsp://host/x", {"bitrate": "1M"}, "leave --bitrate away"),
        ("rtsp://host/x", {"encoder": "rpicam"}, "leave --encoder away"),
        ("rtsp://host/x", {"codec": "h265"}, "leave --codec away"),
    ],
)
def test_what_the_source_decides_cannot_be_asked_for(camera: str, more: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        check(Settings(passthrough=True, **more), [parse_camera(camera, "cam")])
    for scheme in ("rtsp", "rtsps"):
        check(Settings(passthrough=True), [parse_camera(f"{scheme}://user:word@host/x", "cam")])
