from __future__ import annotations

import contextlib
import dataclasses
import types
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zlfeed import model
from zlfeed.model import CameraStatus, Event, Hello, Latency, Message, ViewerReport, Welcome
from zlfeed.wire import zlfeed_pb2
from zlfeed.wire.convert import _BODIES, ProtocolError, UnknownMessage, VersionError, decode, encode


def values(kind: Any, field: Any = None) -> st.SearchStrategy[Any]:
    """What a field of this type may hold, by the type's annotation and the wire's integer width."""
    if kind is int:
        return integers(field)
    if kind in (str, bool, bytes):
        return st.from_type(kind) if kind is not str else st.text(max_size=20)
    if kind is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    if dataclasses.is_dataclass(kind):
        return records(kind)
    origin, args = get_origin(kind), get_args(kind)
    if origin in (types.UnionType,):
        return st.none() | values(next(arg for arg in args if arg is not types.NoneType), field)
    if origin is Sequence:
        return st.lists(values(args[0], field), max_size=3).map(tuple)
    if origin is Mapping:
        wide = st.integers(0, 2**64 - 1) if args[1] is int else values(args[1])
        return st.dictionaries(values(args[0]), wide, max_size=3)
    raise AssertionError(f"a new kind of field: {kind}")


def integers(field: Any) -> st.SearchStrategy[int]:
    if field.type == field.TYPE_UINT32:
        return st.integers(0, 2**32 - 1)
    if field.type == field.TYPE_UINT64:
        return st.integers(0, 2**64 - 1)
    assert field.type == field.TYPE_SINT64
    return st.integers(-(2**63), 2**63 - 1)


def records(kind: Any) -> st.SearchStrategy[Any]:
    fields = zlfeed_pb2.DESCRIPTOR.message_types_by_name[kind.__name__].fields_by_name
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: values(hint, fields[name]) for name, hint in hints.items()})


messages = st.one_of([records(kind) for kind in get_args(Message)])


@settings(max_examples=300)
@given(messages)
def test_every_message_comes_back_as_it_was(message: Message) -> None:
    assert decode(encode(message)) == message


@pytest.mark.parametrize("kind", [v for v in vars(model).values() if dataclasses.is_dataclass(v)])
def test_every_record_has_the_fields_of_its_message(kind: Any) -> None:
    wire = zlfeed_pb2.DESCRIPTOR.message_types_by_name[kind.__name__]
    assert {field.name for field in dataclasses.fields(kind)} == set(wire.fields_by_name)


@pytest.mark.parametrize("kind", [v for v in vars(model).values() if dataclasses.is_dataclass(v)])
def test_what_may_be_unknown_in_a_record_may_be_absent_on_the_wire(kind: Any) -> None:
    wire = zlfeed_pb2.DESCRIPTOR.message_types_by_name[kind.__name__].fields_by_name
    for name, hint in get_type_hints(kind).items():
        assert wire[name].has_presence == (types.NoneType in get_args(hint)), name


def test_every_body_of_the_envelope_has_a_record() -> None:
    assert set(_BODIES.values()) == set(zlfeed_pb2.Envelope.DESCRIPTOR.fields_by_name) - {"version"}


def test_unknown_stays_unknown_and_zero_stays_zero() -> None:
    status = decode(encode(CameraStatus("front", 1, fps=0.0, latency_ms=Latency(p50=0.0))))
    assert isinstance(status, CameraStatus)
    assert (status.fps, status.width) == (0.0, None)
    assert status.latency_ms == Latency(p50=0.0, p95=None)
    empty = decode(encode(CameraStatus("front", 1)))
    assert isinstance(empty, CameraStatus)
    assert empty.latency_ms is None
    assert empty.fps is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_was_not_measured(value: float) -> None:
    assert decode(encode(ViewerReport("front", fps=value))) == ViewerReport("front")
    forged = zlfeed_pb2.Envelope(version=1, viewer_report=zlfeed_pb2.ViewerReport(camera="front", fps=value))
    assert decode(forged.SerializeToString()) == ViewerReport("front")


@given(st.binary(max_size=200))
def test_garbage_raises_nothing_but_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):  # bytes that happen to be a message are fine as well
        decode(data)


@pytest.mark.parametrize("data", [b"", b"\xff" * 10, b"GET / HTTP/1.1\r\n\r\n", encode(Hello(token="abc"))[:-2]])
def test_some_garbage_that_people_send(data: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode(data)
    assert not isinstance(caught.value, VersionError | UnknownMessage)


def test_another_version_is_told_apart_even_when_its_body_is_unknown() -> None:
    with pytest.raises(VersionError, match="version 7"):
        decode(zlfeed_pb2.Envelope(version=7).SerializeToString())


def test_a_body_of_a_newer_zlfeed_may_be_skipped() -> None:
    unknown_field_99 = b"\x9a\x06\x02hi"
    with pytest.raises(UnknownMessage):
        decode(zlfeed_pb2.Envelope(version=1).SerializeToString() + unknown_field_99)


@pytest.mark.parametrize(
    "record",
    [
        CameraStatus("front", -1),
        CameraStatus("front", 1, width=2**40),
        CameraStatus("front", 1, frames_dropped={"queue": "many"}),  # type: ignore[dict-item]
        Welcome("pi", "0", cameras=("front",)),  # type: ignore[arg-type]
    ],
    ids=["negative", "too wide", "no number", "no record"],
)
def test_a_record_that_does_not_fit_is_named(record: Message) -> None:
    with pytest.raises(ProtocolError, match=type(record).__name__):
        encode(record)


def test_text_that_is_no_unicode_costs_its_bad_characters_only() -> None:
    name = b"clip-\xff-\xc3\xa9.mp4".decode(errors="surrogateescape")
    assert decode(encode(Event(1, "info", "code", name))) == Event(1, "info", "code", "clip-?-é.mp4")


def test_something_that_is_no_message_is_refused() -> None:
    with pytest.raises(ProtocolError, match="object"):
        encode(object())  # type: ignore[arg-type]
