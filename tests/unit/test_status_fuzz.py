"""Bytes that no honest client sends, by the thousand: a message, or a refusal in words, never anything worse.

`ZLFEED_FUZZ=1000000 pytest tests/unit/test_status_fuzz.py` takes as many.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zlfeed.model import (
    CameraInfo,
    CameraStatus,
    Control,
    Event,
    Hello,
    Ping,
    SetControl,
    Subscribe,
    Viewer,
    ViewerReport,
    Welcome,
)
from zlfeed.wire.convert import ProtocolError, decode, encode

MESSAGES = int(os.environ.get("ZLFEED_FUZZ", "20000"))
SEEDS = [
    encode(message)
    for message in (
        Hello("a-token-of-mine", "monitor", "name", "session", "1.0"), Ping(7, 1_700_000_000_000_000),
        SetControl("front", "bitrate", "800", 3), Subscribe(cameras=("front", "rear"), thumbnails=True),
        ViewerReport("front", fps=29.9, latency_p50_ms=4.5, missed=3, session="port 5"),
        Welcome("pi", "1", (CameraInfo("front", {"rtsp": "rtsp://h/x"}, (Control("bitrate", "int"),)),)),
        CameraStatus("front", 5, viewers=(Viewer("1", "h:1", "tcp", "x"),), frames_dropped={"slow": 3}),
        Event(1, "info", "code", "text", "front"),
    )
]  # fmt: skip


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A message with some bytes changed, taken out, put in, repeated, or another's end."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0 if at < len(data):
                data[at] = rng.randrange(256)
            case 1 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 2:
                del data[at : at + rng.randrange(1, 9)]
            case 3:
                data[at:at] = rng.randbytes(rng.randrange(1, 9))
            case 4:
                data[at:at] = data[at : at + 40] * rng.randrange(1, 20)
            case _:
                data[at:] = rng.choice(seeds)[at:]
    return bytes(data)


def test_whatever_comes_is_a_message_or_refused() -> None:
    rng = random.Random(20261128)
    understood = 0
    for _ in range(MESSAGES):
        data = mutated(rng, SEEDS)
        try:
            message = decode(data)
        except ProtocolError:
            continue
        understood += 1
        # What could be read can be told on: strings are text, numbers are finite.
        encode(message)
    assert 0 < understood < MESSAGES


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        decode(data)


@pytest.mark.parametrize("depth", [50, 500, 20_000])
def test_a_nest_of_messages_does_not_overflow(depth: int) -> None:
    data = b""
    for _ in range(depth):
        data = b"\x52" + _varint(len(data)) + data  # field 10 in field 10 in field 10 …
        if len(data) > 60_000:
            break
    with pytest.raises(ProtocolError):
        decode(data)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
