"""What the bench's relay makes of an FFmpeg that pushes to it."""

from __future__ import annotations

import struct

import pytest

from zlfeed.bench.ingest import Announcement, Depacketizer, Frame, described
from zlfeed.rtsp import sdp
from zlfeed.rtsp.codecs import CODECS
from zlfeed.rtsp.messages import Headers, Request
from zlfeed.rtsp.nal import split
from zlfeed.rtsp.rtp import RtpStream, interleave

SPS, PPS = b"\x67\x42\xc0\x1e\x95", b"\x68\xce\x3c\x80"
VPS265, SPS265, PPS265 = b"\x40\x01\x0c\x01", b"\x42\x01\x01\x02", b"\x44\x01\xc1\x73"


def packets(units: list[bytes], codec: str) -> list[bytes]:
    stream = RtpStream(ssrc=1, sequence=65_530, timestamp_base=7, closed_frames=False)
    return list(stream.packetize(units, CODECS[codec], keyframe=True, captured_us=0, captured_ns=0).packets)


def rtp(payload: bytes, *, marker: bool) -> bytes:
    return struct.pack("!BBHII", 0x80, 96 | marker << 7, 1, 9000, 1) + payload


@pytest.mark.parametrize(
    ("codec", "units"),
    [
        ("h264", [SPS, PPS, b"\x65" + bytes(range(1, 255)) * 30]),
        ("h264", [b"\x41" + b"\x55" * 3000, b"\x41" + b"\x66" * 3000]),
        ("h265", [VPS265, SPS265, PPS265, b"\x26\x01" + b"\x77" * 5000]),
    ],
)
def test_what_was_packetized_comes_out_whole(codec: str, units: list[bytes]) -> None:
    depacketizer = Depacketizer(CODECS[codec])
    *before, last = [depacketizer.feed(packet) for packet in packets(units, codec)]
    assert before == [None] * len(before)
    assert last is not None
    assert split(last.data) == units


def test_aggregated_units_are_taken_apart() -> None:
    def sized(*units: bytes) -> bytes:
        return b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)

    frame = Depacketizer(CODECS["h264"]).feed(rtp(b"\x78" + sized(SPS, PPS), marker=True))
    assert frame is not None
    assert split(frame.data) == [SPS, PPS]
    frame = Depacketizer(CODECS["h265"]).feed(rtp(b"\x60\x01" + sized(VPS265, SPS265), marker=True))
    assert frame is not None
    assert split(frame.data) == [VPS265, SPS265]


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80\xe0" + bytes(9), b"\x00" * 40])
def test_what_is_no_rtp_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no RTP"):
        Depacketizer(CODECS["h264"]).feed(data)


@pytest.mark.parametrize(
    ("codec", "sets"), [("h264", [SPS, PPS]), ("h265", [VPS265, SPS265, PPS265])], ids=["h264", "h265"]
)
def test_codec_and_parameter_sets_come_from_the_announcement(codec: str, sets: list[bytes]) -> None:
    text = sdp.describe("x", CODECS[codec], sets, session_id=1, host="127.0.0.1")
    found, extradata = described(text)
    assert found is CODECS[codec]
    assert split(extradata) == sets


def test_a_stream_of_another_codec_is_refused() -> None:
    with pytest.raises(ValueError, match=r"neither H\.264 nor H\.265"):
        described("v=0\r\nm=video 0 RTP/AVP 26\r\na=rtpmap:26 JPEG/90000\r\n")


def test_a_push_is_answered_step_by_step_and_then_gives_frames() -> None:
    text = sdp.describe("x", CODECS["h264"], [SPS, PPS], session_id=1, host="127.0.0.1")
    url = "rtsp://127.0.0.1:1/x"
    server = Announcement()
    steps = [
        Request("OPTIONS", url, Headers(CSeq="1")),
        Request("ANNOUNCE", url, Headers(CSeq="2"), text.encode()),
        Request("SETUP", url + "/streamid=0", Headers(CSeq="3", Transport="RTP/AVP/TCP;interleaved=0-1;mode=record")),
        Request("RECORD", url, Headers(CSeq="4")),
    ]
    for step in steps:
        (answer,) = server.receive(step.encode())
        assert isinstance(answer, bytes)
        assert answer.startswith(b"RTSP/1.0 200")
    assert server.codec is CODECS["h264"]
    unit = b"\x65" + b"\x33" * 4000
    sent = b"".join(interleave(packet, 0) for packet in packets([unit], "h264"))
    got = [item for i in range(0, len(sent), 700) for item in server.receive(sent[i : i + 700])]
    assert len(got) == 1
    assert isinstance(got[0], Frame)
    assert split(got[0].data) == [unit]


def test_a_method_of_viewers_is_not_allowed() -> None:
    (answer,) = Announcement().receive(Request("PLAY", "rtsp://h/x", Headers(CSeq="9")).encode())
    assert isinstance(answer, bytes)
    assert answer.startswith(b"RTSP/1.0 405")
