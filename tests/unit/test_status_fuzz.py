"""Bytes that no honest client sends, by the thousand: a message, or a refusal in words, never anything worse.

`ZLFEED_FUZZ=1000000 pytest tests/unit/test_status_fuzz.py` takes as many.
"""

from __future__ import annotations

import contextlib
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.status_fuzz import SEEDS, mutated
from zlfeed.wire.convert import ProtocolError, decode, encode

MESSAGES = int(os.environ.get("ZLFEED_FUZZ", "20000"))


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
