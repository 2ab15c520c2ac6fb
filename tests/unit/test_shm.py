"""The ring of frames, with both its ends in one process."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from zlfeed.publisher.camera.shm import SLOTS, FrameRing, SharedHandle

W, H = 64, 48


@pytest.fixture
def ends() -> Iterator[tuple[FrameRing, FrameRing]]:
    handle = SharedHandle()
    writer = FrameRing(handle.text, W, H, create=True)
    reader = FrameRing(handle.text, W, H, create=False)
    handle.close()
    yield writer, reader
    writer.close()
    reader.close()


def write(ring: FrameRing, seq: int) -> None:
    ring.begin(seq)[:] = seq % 251
    ring.commit(seq)


def test_a_frame_arrives_as_it_was_written(ends: tuple[FrameRing, FrameRing]) -> None:
    writer, reader = ends
    picture = np.random.default_rng(1).integers(0, 256, (H * 3 // 2, W), np.uint8)
    writer.begin(0)[:] = picture
    writer.commit(0)
    into = np.zeros_like(picture)
    assert reader.copy(0, into)
    assert np.array_equal(into, picture)


def test_the_frames_before_the_newest_stay_whole_while_one_is_written(ends: tuple[FrameRing, FrameRing]) -> None:
    writer, reader = ends
    for seq in range(10):
        write(writer, seq)
    writer.begin(10)[:] = 0
    into = np.empty((H * 3 // 2, W), np.uint8)
    for seq in range(11 - SLOTS, 10):
        assert reader.copy(seq, into)
        assert (into == seq).all()


def test_a_frame_that_is_being_written_or_was_overwritten_is_refused(ends: tuple[FrameRing, FrameRing]) -> None:
    writer, reader = ends
    into = np.empty((H * 3 // 2, W), np.uint8)
    writer.begin(0)
    assert not reader.copy(0, into)
    writer.commit(0)
    write(writer, SLOTS)
    assert not reader.copy(0, into)
    assert not reader.copy(SLOTS * 2, into), "not written yet"


def test_a_reader_lapped_during_its_copy_throws_it_away(
    ends: tuple[FrameRing, FrameRing], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, reader = ends
    write(writer, 0)
    copyto = np.copyto

    def lapped(into: np.ndarray, slot: np.ndarray) -> None:
        copyto(into, slot)
        writer.begin(SLOTS)

    monkeypatch.setattr(np, "copyto", lapped)
    assert not reader.copy(0, np.empty((H * 3 // 2, W), np.uint8))


def test_an_array_of_another_shape_is_an_error(ends: tuple[FrameRing, FrameRing]) -> None:
    writer, reader = ends
    write(writer, 0)
    with pytest.raises(ValueError, match="shape"):
        reader.copy(0, np.empty((H, W), np.uint8))
