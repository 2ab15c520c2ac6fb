"""A NUT muxer, written from the format's draft alone, so that the demuxer is not tested with its own ideas."""

from __future__ import annotations

from collections.abc import Sequence

FILE_ID = b"nut/multimedia container\0"
MAIN, STREAM, SYNCPOINT = 0x4E4D7A561F5F04AD, 0x4E5311405BF2F9DB, 0x4E4BE4ADEECA4569
INFO = 0x4E49AB68B596BA78
KEY, CODED_PTS, STREAM_ID, SIZE_MSB, CHECKSUM, HEADER_IDX, CODED, INVALID = 1, 8, 16, 32, 64, 1024, 4096, 8192
MSB_PTS_SHIFT = 7
SIZE_MUL = 100
ELIDED = b"\0\0\1"
"""Elision header 1."""


def v(value: int) -> bytes:
    """An unsigned number: seven bits a byte, most significant first, the high bit on all but the last."""
    out = [value & 127]
    while value := value >> 7:
        out.append(value & 127 | 128)
    return bytes(reversed(out))


def s(value: int) -> bytes:
    """A signed number: 0, 1, -1, 2, -2 … as 0, 1, 2, 3, 4 …"""
    return v(2 * value - 1 if value > 0 else -2 * value)


def vb(data: bytes) -> bytes:
    """A length and as many bytes."""
    return v(len(data)) + data


def packet(startcode: int, body: bytes) -> bytes:
    """A header packet with its checksum field; nobody checks the checksum."""
    body += b"CRC4"
    head = startcode.to_bytes(8, "big") + v(len(body))
    return head + (b"CRC4" if len(body) > 4096 else b"") + body


def main_header(time_bases: Sequence[tuple[int, int]] = ((1, 30),), streams: int = 1) -> bytes:
    """Frame codes: 0 invalid; 1 all flags in the frame; 2–77 and 79–102 delta pts, size from the code and its msb."""
    body = v(3) + v(streams) + v(65536) + v(len(time_bases))
    body += b"".join(v(num) + v(den) for num, den in time_bases)
    body += v(INVALID) + v(6) + s(0) + v(1) + v(0) + v(0) + v(0) + v(1)
    body += v(CODED) + v(6) + s(0) + v(1) + v(0) + v(0) + v(0) + v(1)
    body += v(SIZE_MSB) + v(3) + s(1) + v(SIZE_MUL) + v(0)
    # `N` (78) begins startcodes: no frame code, and not counted.
    rest = 256 - 2 - SIZE_MUL - 1
    body += v(INVALID) + v(6) + s(0) + v(1) + v(0) + v(0) + v(0) + v(rest)
    return packet(MAIN, body + v(1) + vb(ELIDED) + v(0))


def stream_header(fourcc: bytes = b"H264", extradata: bytes = b"", *, time_base_id: int = 0, kind: int = 0) -> bytes:
    """A video stream of 64×48."""
    numbers = v(time_base_id) + v(MSB_PTS_SHIFT) + v(1000) + v(0) + v(0)
    return packet(STREAM, v(0) + v(kind) + vb(fourcc) + numbers + vb(extradata) + v(64) + v(48) + v(1) + v(1) + v(0))


def syncpoint(pts: int, bases: int = 1, base: int = 0) -> bytes:
    """A syncpoint with its global timestamp."""
    return packet(SYNCPOINT, v(pts * bases + base) + v(0))


def coded_frame(data: bytes, pts: int, *, keyframe: bool = False, full_pts: bool = False, elide: bool = False) -> bytes:
    """A frame that says everything itself; its pts in full, or only the low bits of it."""
    header = ELIDED if elide and data.startswith(ELIDED) else b""
    flags = KEY * keyframe | CODED_PTS | SIZE_MSB | STREAM_ID | CHECKSUM | (HEADER_IDX if header else 0)
    span = 1 << MSB_PTS_SHIFT
    coded = pts + span if full_pts else pts % span
    return (
        b"\1" + v(flags ^ CODED) + v(0) + v(coded) + v(len(data))
        + (v(1) if header else b"") + b"CRC4" + data[len(header):]
    )  # fmt: skip


def short_frame(data: bytes) -> bytes:
    """A frame one tick after the last, its size partly in its frame code."""
    msb, lsb = divmod(len(data), SIZE_MUL)
    code = 2 + lsb
    return bytes((code + (code >= ord("N")),)) + v(msb) + data
