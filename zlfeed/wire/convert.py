"""Between the records of zlfeed.model and the bytes of proto/zlfeed.proto: the one place that touches protobuf.

Generic: a record and a message of the same name have fields of the same names. None is absent on the wire, and a
number that is not finite was not measured, so it is absent as well.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

from google.protobuf.message import DecodeError
from google.protobuf.message import Message as WireMessage

from zlfeed import model
from zlfeed.model import PROTOCOL_VERSION, Message
from zlfeed.wire import zlfeed_pb2


class ProtocolError(ValueError):
    """Bytes that are no message of this protocol, or a record that cannot be put into one."""


class VersionError(ProtocolError):
    """A message of another protocol version, `version`."""

    def __init__(self, version: int) -> None:
        super().__init__(f"a message of protocol version {version}; this is version {PROTOCOL_VERSION}")
        self.version = version


class UnknownMessage(ProtocolError):
    """A message of this version with a body that we do not know: a newer peer's, which callers may skip."""


class _Shape(NamedTuple):
    """How a record and its message correspond, field by field."""

    record: type[Any]
    wire: type[WireMessage]
    plain: tuple[str, ...]  # scalars, and maps and sequences of scalars
    single: tuple[str, ...]  # other records
    several: tuple[str, ...]  # sequences of other records
    optional: frozenset[str]  # those of `plain` that may be None


def _shape(record: type[Any]) -> _Shape:
    wire = getattr(zlfeed_pb2, record.__name__)
    plain: list[str] = []
    single: list[str] = []
    several: list[str] = []
    for field in wire.DESCRIPTOR.fields:
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            plain.append(field.name)
        else:
            (several if field.is_repeated else single).append(field.name)
    optional = frozenset(field.name for field in wire.DESCRIPTOR.fields if field.has_presence)
    return _Shape(record, wire, tuple(plain), tuple(single), tuple(several), optional)


_SHAPES = {
    record.__name__: _shape(record)
    for record in vars(model).values()
    if isinstance(record, type) and dataclasses.is_dataclass(record)
}
_EXACT = 2.0**40
"""Beyond it nothing is rounded: no figure of ours is so large."""
_BODIES = {kind: re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower() for kind in get_args(Message)}
"""Each message's field in the Envelope: CameraStatus → camera_status."""


def encode(message: Message, grain: float | None = None) -> bytes:
    """The record as an Envelope's bytes. ProtocolError names the record whose values do not fit the protocol.

    With `grain` (a power of 2) fractions are told in its whole multiples. What lies below is noise of the measurement,
    and noise is most of a status that is compressed.
    """
    body = _BODIES.get(type(message))
    if body is None:
        raise ProtocolError(f"a {type(message).__name__} is no message of the status protocol")
    try:
        wire: Any = {body: _to_wire(message, grain)}
        return zlfeed_pb2.Envelope(version=PROTOCOL_VERSION, **wire).SerializeToString()
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise ProtocolError(f"a {type(message).__name__} does not fit the protocol: {error}") from error


def decode(data: bytes) -> Message:
    """The record in an Envelope's bytes; sequences are tuples, mappings dicts.

    Raises ProtocolError for garbage, VersionError for another version and UnknownMessage for an unknown body.
    """
    try:
        envelope = zlfeed_pb2.Envelope.FromString(data)
    except DecodeError:
        raise ProtocolError(f"{len(data)} bytes that are no message of the status protocol") from None
    if envelope.version == 0:
        raise ProtocolError(f"{len(data)} bytes without a protocol version")
    if envelope.version != PROTOCOL_VERSION:
        raise VersionError(envelope.version)
    body = envelope.WhichOneof("body")
    if body is None:
        raise UnknownMessage("a message of a kind that this version of zlfeed does not know")
    record: Message = _from_wire(getattr(envelope, body))
    return record


def _to_wire(record: Any, grain: float | None) -> WireMessage:
    shape = _SHAPES[type(record).__name__]
    values: dict[str, Any] = {}
    for name in shape.plain:
        value = getattr(record, name)
        if isinstance(value, float):
            if math.isfinite(value):
                values[name] = value if grain is None or abs(value) > _EXACT else round(value / grain) * grain
        elif isinstance(value, str) and not value.isascii():
            # A file name may hold bytes that are no UTF-8; the message around it must not be lost for them.
            values[name] = value.encode(errors="replace").decode()
        elif value is not None:
            values[name] = value
    for name in shape.single:
        if (value := getattr(record, name)) is not None:
            values[name] = _to_wire(value, grain)
    for name in shape.several:
        values[name] = [_to_wire(item, grain) for item in getattr(record, name)]
    return shape.wire(**values)


def _from_wire(message: WireMessage) -> Any:
    shape = _SHAPES[message.DESCRIPTOR.name]
    values: dict[str, Any] = {}
    for name in shape.plain:
        value = getattr(message, name)
        if isinstance(value, str | bytes | int | float):
            absent = name in shape.optional and not message.HasField(name)
            values[name] = None if absent or (isinstance(value, float) and not math.isfinite(value)) else value
        else:
            values[name] = dict(value) if isinstance(value, Mapping) else tuple(value)
    for name in shape.single:
        values[name] = _from_wire(getattr(message, name)) if message.HasField(name) else None
    for name in shape.several:
        values[name] = tuple(_from_wire(item) for item in getattr(message, name))
    return shape.record(**values)
