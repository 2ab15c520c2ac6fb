"""Between the records of zlfeed.model and the bytes of proto/zlfeed.proto: the one place that touches protobuf.

Generic: a record and a message of the same name have fields of the same names. None is absent on the wire, and a
number that is not finite was not measured, so it is absent as well.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from types import UnionType
from typing import Any, get_args

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


def _records() -> dict[str, type[Any]]:
    found = (value for value in vars(model).values() if isinstance(value, type) and dataclasses.is_dataclass(value))
    return {record.__name__: record for record in found}


def _bodies(messages: UnionType) -> dict[type[Any], str]:
    """Each message's field in the Envelope: CameraStatus → camera_status."""
    return {kind: re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower() for kind in get_args(messages)}


_RECORDS = _records()
_BODIES = _bodies(Message)


def encode(message: Message) -> bytes:
    """The record as an Envelope's bytes. ProtocolError names the record whose values do not fit the protocol."""
    body = _BODIES.get(type(message))
    if body is None:
        raise ProtocolError(f"a {type(message).__name__} is no message of the status protocol")
    envelope = zlfeed_pb2.Envelope(version=PROTOCOL_VERSION)
    try:
        _fill(getattr(envelope, body), message)
        return envelope.SerializeToString()
    except (TypeError, ValueError, AttributeError) as error:
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
    record: Message = _read(getattr(envelope, body))
    return record


def _fill(target: WireMessage, record: Any) -> None:
    """Copies the record's fields into the message."""
    target.SetInParent()
    for field in target.DESCRIPTOR.fields:
        value = getattr(record, field.name)
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            continue
        if isinstance(value, Mapping):
            getattr(target, field.name).update(value)
        elif field.is_repeated:
            items = getattr(target, field.name)
            if field.message_type is None:
                items.extend(value)
            else:
                for item in value:
                    _fill(items.add(), item)
        elif field.message_type is not None:
            _fill(getattr(target, field.name), value)
        else:
            setattr(target, field.name, value)


def _read(message: WireMessage) -> Any:
    """The record that the message holds."""
    kind = _RECORDS[message.DESCRIPTOR.name]
    return kind(**{field.name: _value(message, field) for field in message.DESCRIPTOR.fields})


def _value(message: WireMessage, field: Any) -> Any:
    value = getattr(message, field.name)
    if field.is_repeated:
        if isinstance(value, Mapping):
            return dict(value)
        return tuple(value) if field.message_type is None else tuple(_read(item) for item in value)
    if field.has_presence and not message.HasField(field.name):
        return None
    if field.message_type is not None:
        return _read(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
