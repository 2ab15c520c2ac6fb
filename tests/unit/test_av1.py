from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zlfeed.rtsp import av1
from zlfeed.rtsp.av1 import AV1
from zlfeed.rtsp.nal import MAX_PAYLOAD

CODEC = AV1()
# What SVT-AV1 wrote for a first frame: temporal delimiter, sequence header, and the beginning of a frame.
FIRST = bytes.fromhex("12000a0c020000252627fef895f20080") + bytes((0x32, 4, 1, 2, 3, 4))


def sized(header: int, body: bytes) -> bytes:
    """An OBU with its size field."""
    size = len(body)
    field = b""
    while True:
        field += bytes((size & 0x7F | (0x80 if size > 0x7F else 0),))
        size >>= 7
        if not size:
            return bytes((header | 0x02,)) + field + body


def reassembled(payloads: list[bytes]) -> list[bytes]:
    """What a receiver makes of the payloads (RTP Payload Format For AV1, section 4.4)."""
    units: list[bytes] = []
    expected = False
    for payload in payloads:
        header, element = payload[0], payload[1:]
        assert header & 0x30 == 0x10, "one element a packet"
        assert bool(header & 0x80) == expected, "continues exactly what was said to be continued"
        if header & 0x80:
            units[-1] += element
        else:
            units.append(element)
        expected = bool(header & 0x40)
    assert not expected
    return units


def test_a_real_first_frame_is_taken_apart() -> None:
    delimiter, header, frame = CODEC.split(FIRST)
    assert CODEC.is_dispensable(delimiter)
    assert CODEC.is_parameter_set(header)
    assert CODEC.is_keyframe(header)
    assert (frame, CODEC.is_keyframe(frame)) == (b"\x30\x01\x02\x03\x04", False)
    assert CODEC.fmtp([header]) == "profile=0"


@given(st.lists(st.tuples(st.sampled_from((1, 3, 6)), st.binary(max_size=400)), min_size=1, max_size=6))
def test_size_fields_are_taken_out_and_nothing_else(obus: list[tuple[int, bytes]]) -> None:
    data = b"".join(sized(kind << 3, body) for kind, body in obus)
    assert av1.split(data) == [bytes((kind << 3,)) + body for kind, body in obus]


@given(st.binary(max_size=200))
def test_garbage_is_cut_off_and_never_raises(data: bytes) -> None:
    av1.split(data)


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=5), st.booleans())
def test_a_receiver_gets_back_every_obu(sizes: list[int], keyframe: bool) -> None:
    units = [bytes((0x30,)) + bytes(size) for size in sizes]
    payloads = CODEC.payloads(units, keyframe)
    assert max(map(len, payloads)) <= MAX_PAYLOAD
    assert reassembled(payloads) == units
    assert [bool(payload[0] & 0x08) for payload in payloads] == [keyframe] + [False] * (len(payloads) - 1)
