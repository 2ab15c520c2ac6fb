"""When pictures are due."""

from __future__ import annotations

import itertools
import math

import pytest

from zlfeed.publisher.camera.pacing import Metronome, Thinner, Timeline, sane_fps


def test_ticks_do_not_drift() -> None:
    metronome = Metronome(100.0, 30)
    now = 100.0
    for expected in range(10_000):
        number, due = metronome.next(now)
        assert number == expected
        assert due == 100.0 + expected / 30
        now = due + 0.004


def test_ticks_that_went_by_are_skipped_not_bunched() -> None:
    metronome = Metronome(0.0, 10)
    assert metronome.next(0.0) == (0, 0.0)
    number, due = metronome.next(0.57)
    assert (number, due) == (6, 0.6)
    assert metronome.next(0.58)[0] == 7


@pytest.mark.parametrize(("given_fps", "wanted"), [(30, 15), (30, 10), (30, 25), (30, 20), (25, 10), (60, 24)])
def test_thinning_reaches_the_rate_whatever_the_jitter(given_fps: int, wanted: int) -> None:
    thinner = Thinner(wanted)
    jitter = itertools.cycle([0.0, 0.002, -0.002, 0.001, -0.001, 0.0015])
    kept = [t for t in (i / given_fps + next(jitter) for i in range(given_fps * 20)) if thinner.keep(t)]
    assert len(kept) / 20 == pytest.approx(wanted, rel=0.03)
    assert max(b - a for a, b in itertools.pairwise(kept)) < 1 / wanted + 1 / given_fps + 0.01


def test_thinning_goes_on_after_a_pause_and_after_a_leap_back() -> None:
    thinner = Thinner(10)
    assert thinner.keep(0.0)
    assert thinner.keep(50.0)
    assert not thinner.keep(50.03)
    assert thinner.keep(50.1)
    assert thinner.keep(3.0)


def test_no_rate_lets_all_through() -> None:
    assert all(Thinner(None).keep(t) for t in (0.0, 0.0, 0.001))


def test_a_timeline_honours_timestamps_and_joins_the_ends() -> None:
    timeline = Timeline(25)
    assert [timeline.add(t) for t in (5.0, 5.04, 5.5, 5.54)] == pytest.approx([0, 0.04, 0.5, 0.54])
    timeline.rewind()
    assert [timeline.add(t) for t in (5.0, 5.04)] == pytest.approx([0.58, 0.62])


@pytest.mark.parametrize("broken", [0.0, -1.0, 1e6, math.nan, None])
def test_a_timestamp_that_cannot_be_counts_as_one_nominal_interval(broken: float | None) -> None:
    timeline = Timeline(20)
    timeline.add(0.0)
    assert timeline.add(broken) == pytest.approx(0.05)
    assert timeline.add(broken) == pytest.approx(0.10)


def test_a_file_that_tells_no_rate_plays_at_25() -> None:
    timeline = Timeline(None)
    assert [timeline.add(0.0) for _ in range(3)] == pytest.approx([0, 0.04, 0.08])


@pytest.mark.parametrize("value", [0.0, -5.0, math.nan, math.inf, 1000.0, 90_000.0, 0.01])
def test_a_rate_that_is_none_is_unknown(value: float) -> None:
    assert sane_fps(value) is None


def test_a_rate_is_a_rate() -> None:
    assert sane_fps(29.97) == 29.97
