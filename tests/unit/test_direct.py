"""The camera's own H.264, cut into frames."""

from __future__ import annotations

from zlfeed.publisher.encode.direct import Frames

SPS, PPS = b"\0\0\0\1\x67\x42\xc0\x1e", b"\0\0\0\1\x68\xce\x3c\x80"
IDR, NEXT = b"\0\0\0\1\x65\x88\x80", b"\0\0\0\1\x41\x9a\x02"


def test_a_frame_is_there_with_its_last_byte() -> None:
    frames = Frames()
    frames.size(len(SPS + PPS + IDR))
    frames.size(len(NEXT))
    frames.feed(SPS + PPS)
    assert list(frames.whole()) == []
    frames.feed(IDR + NEXT[:3])
    assert list(frames.whole()) == [SPS + PPS + IDR]
    frames.feed(NEXT[3:])
    assert list(frames.whole()) == [NEXT], "nothing waits for the frame after it"


def test_headers_in_a_buffer_of_their_own_go_with_the_next() -> None:
    frames = Frames()
    for buffer in (SPS + PPS, IDR):
        frames.feed(buffer)
        frames.size(len(buffer))
    assert list(frames.whole()) == [SPS + PPS + IDR]


def test_without_sizes_what_is_there_is_a_frame() -> None:
    frames = Frames()
    frames.feed(SPS + PPS + IDR)
    assert list(frames.whole()) == []
    assert list(frames.rest()) == [SPS + PPS + IDR]
    assert not frames.told
