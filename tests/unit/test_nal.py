from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zlfeed.rtsp import nal
from zlfeed.rtsp.nal import split

H264, H265 = nal.H264(), nal.H265()


def nal_units() -> st.SearchStrategy[bytes]:
    """Bytes without a start code in them, as emulation prevention guarantees, that do not end in zero."""
    return st.binary(min_size=1, max_size=60).map(lambda data: data.replace(b"\0\0", b"\0\3") + b"\x80")


@given(st.lists(st.tuples(st.sampled_from([b"\0\0\1", b"\0\0\0\1"]), nal_units(), st.integers(0, 3)), max_size=6))
def test_annex_b_is_cut_at_short_and_long_start_codes_and_loses_trailing_zeros(
    parts: list[tuple[bytes, bytes, int]],
) -> None:
    data = b"".join(start + unit + bytes(zeros) for start, unit, zeros in parts)
    assert split(data) == [unit for _, unit, _ in parts]


def test_bytes_without_a_start_code_are_no_units() -> None:
    assert split(b"") == []
    assert split(b"\x65slice") == []
    assert split(b"\0\0\1\0\0\1") == []


@pytest.mark.parametrize(
    ("unit", "parameter_set", "keyframe", "dispensable"),
    [
        (b"\x67\x42", True, False, False),
        (b"\x68\xce", True, False, False),
        (b"\x65\x88", False, True, False),
        (b"\x41\x9a", False, False, False),
        (b"\x09\xf0", False, False, True),
        (b"\x0c\xff", False, False, True),
        (b"\x06\x05\x10", False, False, True),
        (b"\x06\x06\x01", False, False, False),
        (b"\x06", False, False, False),
    ],
)
def test_h264_units_are_told_apart(unit: bytes, parameter_set: bool, keyframe: bool, dispensable: bool) -> None:
    assert H264.is_parameter_set(unit) is parameter_set
    assert H264.is_keyframe(unit) is keyframe
    assert H264.is_dispensable(unit) is dispensable


@pytest.mark.parametrize(
    ("kind", "body", "parameter_set", "keyframe", "dispensable"),
    [
        (32, b"", True, False, False),
        (33, b"", True, False, False),
        (34, b"", True, False, False),
        (19, b"", False, True, False),
        (21, b"", False, True, False),
        (1, b"", False, False, False),
        (35, b"\x50", False, False, True),
        (38, b"", False, False, True),
        (39, b"\x05\x10", False, False, True),
        (39, b"\x01\x10", False, False, False),
    ],
)
def test_h265_units_are_told_apart(
    kind: int, body: bytes, parameter_set: bool, keyframe: bool, dispensable: bool
) -> None:
    unit = bytes((kind << 1, 1)) + body
    assert H265.kind(unit) == kind
    assert H265.is_parameter_set(unit) is parameter_set
    assert H265.is_keyframe(unit) is keyframe
    assert H265.is_dispensable(unit) is dispensable


def test_the_delimiters_are_delimiters() -> None:
    assert H264.kind(H264.delimiter) == 9
    assert H265.kind(H265.delimiter) == 35
    # Every unit ends with the RBSP stop bit; neither holds a sequence that needs emulation prevention.
    assert all(codec.delimiter[-1] & -codec.delimiter[-1] == 0x10 for codec in (H264, H265))


def test_the_fmtp_of_h264_names_profile_and_parameter_sets() -> None:
    sps, pps = bytes.fromhex("6742c01ed901e08f"), bytes.fromhex("68cb83cb20")
    line = H264.fmtp([sps, pps])
    values = dict(part.split("=", 1) for part in line.split(";"))
    assert values["packetization-mode"] == "1"
    assert values["profile-level-id"] == "42C01E"
    assert [base64.b64decode(text) for text in values["sprop-parameter-sets"].split(",")] == [sps, pps]


def test_the_fmtp_of_h265_names_each_kind_of_parameter_set() -> None:
    vps, sps, pps = b"\x40\x01v", b"\x42\x01s", b"\x44\x01p"
    values = dict(part.split("=", 1) for part in H265.fmtp([vps, sps, pps]).split(";"))
    assert {name: base64.b64decode(text) for name, text in values.items()} == {
        "sprop-vps": vps,
        "sprop-sps": sps,
        "sprop-pps": pps,
    }
