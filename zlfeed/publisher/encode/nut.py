"""A NUT demuxer for one video stream, fed from a pipe; no I/O (the NUT Open Container Format, 2008-10-31 draft).

NUT is what FFmpeg writes to us because it holds no frame back: each packet's size stands before it, so that an
encoded frame is known to be whole as soon as its last byte is here, and its timestamp says which frame it is.
Only what FFmpeg's muxer makes is understood: one stream, no side data, no index.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

FILE_ID = b"nut/multimedia container\0"
_MAIN, _STREAM, _SYNCPOINT = 0x4E4D7A561F5F04AD, 0x4E5311405BF2F9DB, 0x4E4BE4ADEECA4569
_INDEX, _INFO = 0x4E58DD672F23E64E, 0x4E49AB68B596BA78

_KEY, _CODED_PTS, _STREAM_ID, _SIZE_MSB, _CHECKSUM = 1, 8, 16, 32, 64
_RESERVED, _SM_DATA, _HEADER_IDX, _MATCH_TIME, _CODED, _INVALID = 128, 256, 1024, 2048, 4096, 8192

_MAX_PACKET = 64 << 20
_ELISION_LIMIT = 4096
"""Frames above this size carry no elided header (FFmpeg's muxer and demuxer agree on it)."""


class NutError(ValueError):
    """The bytes are not the NUT stream that FFmpeg writes."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """The stream header. `time_base` is seconds per tick as (numerator, denominator)."""

    fourcc: bytes
    time_base: tuple[int, int]
    width: int
    height: int
    extradata: bytes


@dataclass(frozen=True, slots=True)
class Packet:
    """One encoded frame; `pts` in ticks of the stream's time base."""

    pts: int
    keyframe: bool
    data: bytes


class _FrameCode(NamedTuple):
    flags: int
    size_mul: int
    size_lsb: int
    pts_delta: int
    reserved: int
    header_idx: int


class _NeedMore(Exception):
    """The buffer ends inside a field."""


class _Cursor:
    """Reads NUT's variable-length fields from a buffer."""

    __slots__ = ("data", "pos")

    def __init__(self, data: bytes | bytearray, pos: int = 0) -> None:
        self.data = data
        self.pos = pos

    def unsigned(self) -> int:
        """v: seven bits a byte, most significant first, the high bit says that more follow."""
        value = 0
        try:
            while True:
                byte = self.data[self.pos]
                self.pos += 1
                value = value << 7 | byte & 127
                if byte < 128:
                    return value
                if value >> 56:  # a 64-bit number can go no further: without this, rubbish would be read for ever
                    raise NutError("a number of more than 64 bits")
        except IndexError:
            raise _NeedMore from None

    def signed(self) -> int:
        """s: (v + 1) / 2 with its sign in the lowest bit."""
        value = self.unsigned() + 1
        return -(value >> 1) if value & 1 else value >> 1

    def take(self, count: int) -> bytes:
        end = self.pos + count
        if end > len(self.data):
            raise _NeedMore
        taken = bytes(self.data[self.pos : end])
        self.pos = end
        return taken

    def blob(self) -> bytes:
        """vb: a length, then as many bytes."""
        return self.take(self.unsigned())


class NutDemuxer:
    """Feed it what comes out of the pipe; it gives packets as soon as each is whole."""

    def __init__(self) -> None:
        self.stream: StreamInfo | None = None
        self._buffer = bytearray()
        self._started = False
        self._codes: list[_FrameCode] = []
        self._headers: list[bytes] = [b""]
        self._time_bases: list[tuple[int, int]] = []
        self._msb_pts_shift = 0
        self._time_base_id = 0
        self._last_pts = 0

    def feed(self, data: bytes) -> Iterator[Packet]:
        """The packets that `data` completes. Raises NutError."""
        self._buffer += data
        pos = 0
        try:
            while True:
                cursor = _Cursor(self._buffer, pos)
                packet = self._next(cursor)
                pos = cursor.pos
                if packet is not None:
                    yield packet
        except _NeedMore:
            pass
        finally:
            # Also when the caller stops half-way: what it was given it is not given again.
            del self._buffer[:pos]
        if len(self._buffer) > _MAX_PACKET:
            raise NutError(f"a packet of more than {_MAX_PACKET >> 20} MiB")

    def _next(self, cursor: _Cursor) -> Packet | None:
        if not self._started:
            if cursor.take(len(FILE_ID)) != FILE_ID:
                raise NutError("no NUT file id at the start")
            self._started = True
            return None
        first = cursor.take(1)[0]
        if first == ord("N"):
            cursor.pos -= 1
            self._header_packet(cursor)
            return None
        return self._frame(cursor, first)

    def _header_packet(self, cursor: _Cursor) -> None:
        startcode = int.from_bytes(cursor.take(8), "big")
        size = cursor.unsigned()
        if size > _MAX_PACKET:
            raise NutError(f"a header of {size} bytes")
        if size > 4096:
            cursor.take(4)  # a checksum of the packet header
        body = _Cursor(cursor.take(size))
        try:
            if startcode == _MAIN:
                self._main_header(body)
            elif startcode == _STREAM:
                self._stream_header(body)
            elif startcode == _SYNCPOINT:
                self._syncpoint(body)
            elif startcode not in (_INDEX, _INFO):
                raise NutError(f"unknown startcode {startcode:#x}")
        except _NeedMore:
            raise NutError("a header that ends too soon") from None

    def _main_header(self, body: _Cursor) -> None:
        version = body.unsigned()
        if version > 3:
            body.unsigned()  # minor version
        if (streams := body.unsigned()) != 1:
            raise NutError(f"{streams} streams instead of one")
        body.unsigned()  # max_distance
        time_bases = [(body.unsigned(), body.unsigned()) for _ in range(body.unsigned())]
        if not time_bases or not all(num and den for num, den in time_bases):
            raise NutError(f"no usable time base in {time_bases}")
        codes: list[_FrameCode] = []
        pts = 0
        mul = 1
        header_idx = 0
        while len(codes) < 256:
            flags, fields = body.unsigned(), body.unsigned()
            size = reserved = 0
            count: int | None = None
            for index in range(fields):
                value = body.signed() if index in (0, 6) else body.unsigned()
                match index:
                    case 0:
                        pts = value
                    case 1:
                        mul = value
                    case 3:
                        size = value
                    case 4:
                        reserved = value
                    case 5:
                        count = value
                    case 7:
                        header_idx = value
            left = mul - size if count is None else count
            lsb = size
            while left > 0 and len(codes) < 256:
                if len(codes) == ord("N"):  # that byte begins a startcode
                    codes.append(_FrameCode(_INVALID, 1, 0, 0, 0, 0))
                    continue
                codes.append(_FrameCode(flags, mul, lsb, pts, reserved, header_idx))
                lsb += 1
                left -= 1
        headers = [b""] + [body.blob() for _ in range(body.unsigned())]
        self._time_bases, self._codes, self._headers = time_bases, codes, headers

    def _stream_header(self, body: _Cursor) -> None:
        body.unsigned()  # stream_id
        if body.unsigned() != 0:
            raise NutError("the stream is no video")
        fourcc = body.blob()
        time_base_id = body.unsigned()
        if time_base_id >= len(self._time_bases):
            raise NutError(f"time base {time_base_id} of {len(self._time_bases)}")
        msb_pts_shift = body.unsigned()
        if msb_pts_shift > 15:
            raise NutError(f"msb_pts_shift {msb_pts_shift}")
        for _ in range(3):  # max_pts_distance, decode_delay, stream_flags
            body.unsigned()
        extradata = body.blob()
        width, height = body.unsigned(), body.unsigned()
        self._time_base_id, self._msb_pts_shift = time_base_id, msb_pts_shift
        self.stream = StreamInfo(fourcc, self._time_bases[time_base_id], width, height, extradata)

    def _syncpoint(self, body: _Cursor) -> None:
        if self.stream is None:
            raise NutError("a syncpoint before the headers")
        value = body.unsigned()
        pts, base = divmod(value, len(self._time_bases))
        num, den = self._time_bases[base]
        own_num, own_den = self._time_bases[self._time_base_id]
        self._last_pts = pts * num * own_den // (den * own_num)

    def _frame(self, cursor: _Cursor, code: int) -> Packet:
        if not self._codes or self.stream is None:
            raise NutError("a frame before the headers")
        entry = self._codes[code]
        flags = entry.flags
        if flags & _INVALID:
            raise NutError(f"invalid frame code {code}")
        if flags & _CODED:
            flags ^= cursor.unsigned()
        if flags & _STREAM_ID:
            cursor.unsigned()
        pts = self._pts(cursor.unsigned()) if flags & _CODED_PTS else self._last_pts + entry.pts_delta
        size = entry.size_lsb
        if flags & _SIZE_MSB:
            size += cursor.unsigned() * entry.size_mul
        if size > _MAX_PACKET:
            raise NutError(f"a frame of {size} bytes")
        if flags & _MATCH_TIME:
            cursor.signed()
        header_idx = cursor.unsigned() if flags & _HEADER_IDX else entry.header_idx
        reserved = cursor.unsigned() if flags & _RESERVED else entry.reserved
        for _ in range(reserved):
            cursor.unsigned()
        if flags & _CHECKSUM:
            cursor.take(4)
        if flags & _SM_DATA:
            raise NutError("side data, which is not understood")
        if header_idx >= len(self._headers):
            raise NutError(f"elision header {header_idx} of {len(self._headers)}")
        header = self._headers[header_idx] if size <= _ELISION_LIMIT else b""
        if size < len(header):
            raise NutError(f"a frame of {size} bytes behind an elision header of {len(header)}")
        data = header + cursor.take(size - len(header))
        self._last_pts = pts
        return Packet(pts, bool(flags & _KEY), data)

    def _pts(self, coded: int) -> int:
        span = 1 << self._msb_pts_shift
        if coded >= span:
            return coded - span
        mask = span - 1
        delta = self._last_pts - mask // 2
        return ((coded - delta) & mask) + delta
