from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import nut_mux as mux
from zlfeed.publisher.encode.nut import NutDemuxer, NutError, Packet

HEAD = mux.FILE_ID + mux.main_header() + mux.stream_header(extradata=b"\0\0\1\x67sps")


def demux(data: bytes, step: int = 0) -> list[Packet]:
    demuxer = NutDemuxer()
    pieces = [data[i : i + step] for i in range(0, len(data), step)] if step else [data]
    return [packet for piece in pieces for packet in demuxer.feed(piece)]


def test_the_stream_header_tells_codec_size_time_base_and_extradata() -> None:
    demuxer = NutDemuxer()
    assert list(demuxer.feed(HEAD)) == []
    assert demuxer.stream is not None
    assert demuxer.stream.fourcc == b"H264"
    assert demuxer.stream.time_base == (1, 30)
    assert (demuxer.stream.width, demuxer.stream.height) == (64, 48)
    assert demuxer.stream.extradata == b"\0\0\1\x67sps"


def test_a_frame_is_given_as_soon_as_its_last_byte_is_here() -> None:
    demuxer = NutDemuxer()
    frame = mux.coded_frame(b"picture", 0, keyframe=True)
    assert list(demuxer.feed(HEAD + mux.syncpoint(0) + frame[:-1])) == []
    assert list(demuxer.feed(frame[-1:])) == [Packet(0, True, b"picture")]


def test_a_packet_is_given_once_though_its_reader_stops_half_way() -> None:
    demuxer = NutDemuxer()
    for packet in demuxer.feed(HEAD + mux.coded_frame(b"a", 0) + mux.short_frame(b"b") + mux.short_frame(b"c")):
        assert packet.data == b"a"
        break
    assert [packet.data for packet in demuxer.feed(mux.short_frame(b"d"))] == [b"b", b"c", b"d"]


def test_an_elided_header_comes_back() -> None:
    frame = mux.ELIDED + b"\x41slice"
    data = HEAD + mux.syncpoint(0) + mux.coded_frame(frame, 0, elide=True)
    assert len(data) < len(HEAD + mux.syncpoint(0) + mux.coded_frame(frame, 0))
    assert [packet.data for packet in demux(data)] == [frame]


def test_a_large_header_packet_has_a_checksum_of_its_own() -> None:
    info = mux.packet(mux.INFO, b"x" * 5000)
    assert demux(HEAD + info + mux.coded_frame(b"a", 0))[0].data == b"a"


def test_a_syncpoint_in_another_time_base_sets_the_clock() -> None:
    head = mux.FILE_ID + mux.main_header([(1, 1000), (1, 30)]) + mux.stream_header(time_base_id=1)
    data = head + mux.syncpoint(2000, bases=2, base=0) + mux.short_frame(b"a")
    assert demux(data)[0].pts == 61


@given(
    st.lists(st.tuples(st.integers(0, 40), st.binary(max_size=700), st.booleans(), st.booleans()), max_size=12),
    st.integers(1, 400),
)
def test_every_frame_comes_back_with_its_time_however_the_bytes_are_cut(
    frames: list[tuple[int, bytes, bool, bool]], step: int
) -> None:
    data = HEAD + mux.syncpoint(0)
    expected = []
    pts = 0
    for advance, body, keyframe, full_pts in frames:
        if advance == 1:
            pts += 1
            data += mux.short_frame(body)
            expected.append(Packet(pts, False, body))
            continue
        pts += advance
        data += mux.coded_frame(body, pts, keyframe=keyframe, full_pts=full_pts, elide=True)
        expected.append(Packet(pts, keyframe, body))
    assert demux(data) == expected
    assert demux(data, step) == expected


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"ffmpeg: command not found\n", "no NUT file id"),
        (mux.FILE_ID + b"\2\0", "before the headers"),
        (HEAD + b"\0", "invalid frame code"),
        (mux.FILE_ID + mux.main_header(streams=2), "2 streams"),
        (mux.FILE_ID + mux.main_header() + mux.stream_header(kind=1), "no video"),
        (mux.FILE_ID + mux.main_header() + mux.stream_header(time_base_id=7), "time base"),
        (mux.FILE_ID + mux.main_header([]) + mux.stream_header(), "time base"),
        (mux.FILE_ID + mux.main_header([(1, 0)]) + mux.stream_header(), "time base"),
        (mux.FILE_ID + mux.MAIN.to_bytes(8, "big") + b"\2\3\1", "ends too soon"),
        (HEAD + b"N" + b"\xff" * 7, "unknown startcode"),
        (HEAD + b"\2" + mux.v(1 << 40), "a frame of"),
        (HEAD + b"\xff" * 20, "invalid frame code"),
        (HEAD + b"\2" + b"\xff" * 20, "more than 64 bits"),
        (mux.FILE_ID + mux.main_header() + mux.syncpoint(0), "before the headers"),
        # A header index of its own, on a frame shorter than that header.
        (
            HEAD + b"\1" + mux.v(mux.CODED ^ (mux.SIZE_MSB | mux.HEADER_IDX)) + mux.v(2) + mux.v(1),
            "behind an elision header",
        ),
    ],
)
def test_what_ffmpeg_would_not_write_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(NutError, match=words):
        demux(data + bytes(16))


@given(st.binary(max_size=300), st.sampled_from([b"", mux.FILE_ID, mux.FILE_ID + mux.main_header(), HEAD]))
def test_garbage_is_a_nut_error_or_nothing(garbage: bytes, head: bytes) -> None:
    with contextlib.suppress(NutError):
        demux(head + garbage)


@given(st.data())
def test_damaged_headers_are_a_nut_error_or_nothing(data: st.DataObject) -> None:
    stream = bytearray(HEAD + mux.syncpoint(3) + mux.coded_frame(b"abc", 4) + mux.short_frame(b"d"))
    for _ in range(data.draw(st.integers(1, 3))):
        stream[data.draw(st.integers(25, len(stream) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(NutError):
        demux(bytes(stream))
