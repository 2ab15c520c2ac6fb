"""The messages from the camera process to its parent, through a pipe. No I/O.

A record is a fixed header, then `length` bytes of UTF-8. A frame's is written in one piece of at most PIPE_BUF (4096)
bytes, so that a write into a full pipe happens wholly or not at all (POSIX write(3p)); the others are waited for.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum

from zlfeed.model import Control
from zlfeed.publisher.camera.source import CameraSpec, FrameInfo, Opened

_HEADER = struct.Struct("<BxHxxxxQQQ")
_TEXT_LIMIT = 3000


class Kind(IntEnum):
    """What a record says."""

    OPENED = 1
    FRAME = 2
    ERROR = 3
    CONTROL = 4
    NOTE = 5
    END = 6


@dataclass(frozen=True, slots=True)
class Failure:
    """The camera cannot go on; `text` is the sentence for the person."""

    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something that people should know, and that ends nothing: a clip that cannot be played."""

    text: str


@dataclass(frozen=True, slots=True)
class End:
    """The source has come to its end, as it was to."""

    text: str


@dataclass(frozen=True, slots=True)
class ControlSet:
    """What came of setting one of the camera's controls: its value as read back, or why not."""

    name: str
    value: str | None
    refusal: str = ""


def set_line(name: str, value: str) -> bytes:
    """The line that asks for a control to be set."""
    return json.dumps({"set": name, "value": value}).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Request:
    """What the camera process shall open: one JSON line on its stdin, where a URL's password shows to nobody."""

    spec: CameraSpec
    size: tuple[int, int] | None
    fps: float | None
    controls: Mapping[str, str] = field(default_factory=dict)
    """What is to be set on the camera, as "default" or a value."""

    def to_line(self) -> bytes:
        """The request as one line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Request:
        """Reads what to_line() wrote."""
        fields = json.loads(line)
        size = (fields["size"][0], fields["size"][1]) if fields["size"] else None
        spec = CameraSpec(**{**fields["spec"], "besides": tuple(fields["spec"]["besides"])})
        return cls(spec, size, fields["fps"], fields["controls"])


Record = Opened | FrameInfo | Failure | ControlSet | Note | End


def pack(record: Record) -> bytes:
    """A record as bytes."""
    if isinstance(record, FrameInfo):
        return _HEADER.pack(Kind.FRAME, 0, record.seq, record.captured_us, record.captured_ns)
    if isinstance(record, Opened):
        kind, body = Kind.OPENED, json.dumps(asdict(record)).encode()
    elif isinstance(record, ControlSet):
        kind, body = Kind.CONTROL, json.dumps(asdict(record)).encode()
    else:
        kind = {Failure: Kind.ERROR, Note: Kind.NOTE, End: Kind.END}[type(record)]
        body = record.text.encode("utf-8", "replace")[:_TEXT_LIMIT]
    return _HEADER.pack(kind, len(body), 0, 0, 0) + body


class Unpacker:
    """Cuts the byte stream into records; a record may arrive in pieces."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Record]:
        """The records that are complete with `data`. Raises ValueError for what is no record."""
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            number, length, seq, wall_us, monotonic_ns = _HEADER.unpack_from(self._buffer)
            kind = Kind(number)
            end = _HEADER.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_HEADER.size : end])
            del self._buffer[:end]
            match kind:
                case Kind.FRAME:
                    yield FrameInfo(seq, wall_us, monotonic_ns)
                case Kind.OPENED:
                    fields = json.loads(body)
                    yield Opened(**{**fields, "controls": tuple(Control(**control) for control in fields["controls"])})
                case Kind.CONTROL:
                    yield ControlSet(**json.loads(body))
                case Kind.ERROR:
                    yield Failure(body.decode("utf-8", "replace"))
                case Kind.NOTE:
                    yield Note(body.decode("utf-8", "replace"))
                case Kind.END:
                    yield End(body.decode("utf-8", "replace"))
