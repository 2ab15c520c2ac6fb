"""The rules of a recording: its name, its frame rate, and the holes in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zlfeed.errors import UsageError
from zlfeed.receiver.saver import FALLBACK_FPS, check, frame_rate, repeats


@pytest.mark.parametrize("name", ["a.avi", "b.mp4", "C.MP4"])
def test_a_file_that_can_be_written_is_fine_and_not_made_yet(tmp_path: Path, name: str) -> None:
    check(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_checking_leaves_an_older_recording_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    path.write_bytes(b"old")
    check(path)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.mkv", "must end in .avi or .mp4"),
        ("a", "must end in .avi or .mp4"),
        ("nowhere/a.avi", "no folder"),
        ("folder.avi", "cannot be written"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "folder.avi").mkdir()
    with pytest.raises(UsageError, match=words):
        check(tmp_path / name)


@pytest.mark.parametrize(
    ("interval", "rate"), [(1 / 30, 30.0), (1 / 29.97, 30.0), (1 / 15, 15.0), (0.08, 12.5), (1 / 500, 240.0), (4, 1.0)]
)
def test_the_frame_rate_is_that_of_the_pictures(interval: float, rate: float) -> None:
    times = [i * interval for i in range(12)]
    times[5] += interval / 4  # one that came late
    assert frame_rate(times) == rate


def test_without_intervals_the_frame_rate_is_the_usual_one() -> None:
    assert frame_rate([1.0]) == frame_rate([1.0, 1.0]) == FALLBACK_FPS


@pytest.mark.parametrize(("gap", "count"), [(0.033, 0), (0.045, 0), (0.066, 1), (0.5, 14), (600.0, 60), (-1.0, 0)])
def test_holes_are_filled_at_the_speed_of_life_up_to_two_seconds(gap: float, count: int) -> None:
    assert repeats(gap, 30.0) == count


@given(st.lists(st.floats(0, 1e6), max_size=20))
def test_any_times_give_a_frame_rate_that_a_file_can_have(times: list[float]) -> None:
    assert 1 <= frame_rate(times) <= 240
