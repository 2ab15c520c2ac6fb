from __future__ import annotations

import binascii

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zlfeed import timecode
from zlfeed.timecode import CELLS, FRAME_MODULUS, MIN_WIDTH, TIME_MODULUS, Timecode

sizes = st.tuples(st.integers(MIN_WIDTH // 2, 1000), st.integers(20, 600)).map(lambda s: (2 * s[0], 2 * s[1]))


def picture(width: int, height: int, seed: int = 0) -> timecode.Plane:
    """Noise, I420."""
    return np.random.default_rng(seed).integers(0, 256, (height * 3 // 2, width), dtype=np.uint8)


@settings(max_examples=60, deadline=None)
@given(sizes, st.integers(0, TIME_MODULUS - 1), st.integers(0, FRAME_MODULUS - 1))
def test_what_is_drawn_is_read_at_every_size(size: tuple[int, int], time_us: int, frame: int) -> None:
    width, height = size
    raw = picture(width, height)
    timecode.draw(raw, width, height, Timecode(time_us, frame))
    assert timecode.read(raw[:height]) == Timecode(time_us, frame)
    assert timecode.read(np.repeat(raw[:height, :, None], 3, axis=2)) == Timecode(time_us, frame)


def test_the_cells_are_those_of_the_design() -> None:
    body = bytes.fromhex("0123456789ab") + bytes.fromhex("cdef")
    bits = timecode.encode_bits(Timecode(0x0123456789AB, 0xCDEF))
    assert bits.size == CELLS == 80
    value = int("".join(map(str, bits)), 2)
    assert value >> 16 == int.from_bytes(body, "big")
    assert value & 0xFFFF == binascii.crc_hqx(body, 0xFFFF)
    # CRC-16/CCITT-FALSE: the catalogue's check value.
    assert binascii.crc_hqx(b"123456789", 0xFFFF) == 0x29B1


@given(st.integers(0, CELLS - 1))
def test_one_wrong_cell_is_noticed(index: int) -> None:
    bits = timecode.encode_bits(Timecode(1_700_000_000_000_000, 7)).astype(bool)
    bits[index] ^= True
    assert timecode.decode_bits(bits) is None


def test_it_is_drawn_at_the_top_only_and_grey() -> None:
    width, height = 640, 480
    before = picture(width, height)
    after = before.copy()
    timecode.draw(after, width, height, Timecode(5, 6))
    rows = timecode.strip_height(height)
    assert set(np.unique(after[:rows])) == {timecode.ZERO_LUMA, timecode.ONE_LUMA}
    assert (after[rows:height] == before[rows:height]).all()
    planes_before, planes_after = (p.reshape(-1)[width * height :].reshape(2, height // 2, width // 2)
                                   for p in (before, after))  # fmt: skip
    assert (planes_after[:, : rows // 2] == 128).all()
    assert (planes_after[:, rows // 2 :] == planes_before[:, rows // 2 :]).all()


@pytest.mark.parametrize(("height", "rows"), [(240, 16), (480, 16), (720, 16), (1080, 16), (1920, 32), (2160, 32)])
def test_its_height_is_whole_macroblocks(height: int, rows: int) -> None:
    assert timecode.strip_height(height) == rows


def test_narrow_and_flat_pictures_have_none() -> None:
    assert not timecode.fits(MIN_WIDTH - 2)
    assert timecode.fits(MIN_WIDTH)
    assert timecode.read(np.zeros((240, MIN_WIDTH - 1), np.uint8)) is None
    assert timecode.read(np.zeros((16, 640), np.uint8)) is None


@given(st.integers(0, 1000))
def test_noise_is_no_timecode(seed: int) -> None:
    assert timecode.read(picture(320, 240, seed)) is None


@pytest.mark.parametrize("fill", [0, 128, 255])
def test_a_plain_picture_is_no_timecode(fill: int) -> None:
    assert timecode.read(np.full((240, 320), fill, np.uint8)) is None


@given(st.integers(0, 2**52), st.integers(-(TIME_MODULUS // 2) + 1, TIME_MODULUS // 2 - 1))
def test_the_full_time_is_the_one_nearest_to_now(time_us: int, away: int) -> None:
    assert timecode.unwrap(time_us % TIME_MODULUS, time_us + away) == time_us
