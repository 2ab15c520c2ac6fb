"""The bench's arithmetic."""

from __future__ import annotations

import pytest

from zlfeed.bench import figures
from zlfeed.bench.figures import Latency, Sample, behind, latency, median_of, ratio

FRAME_US = 33_333


def feed(ages_us: list[int], first_at_us: int = 0) -> list[Sample]:
    """A picture every 33.333 ms with these ages."""
    return [Sample(first_at_us + i * FRAME_US, age, i) for i, age in enumerate(ages_us)]


def test_percentiles_begin_after_the_warm_up() -> None:
    stale = [1_000_000] * 60  # two seconds of them
    seen = latency(0, feed(stale + [4000] * 30, first_at_us=500_000), 0)
    assert seen.frames == 29 or seen.frames == 30
    assert (seen.p50_ms, seen.max_ms) == (4.0, 4.0)
    assert seen.first_picture_ms == 500.0
    assert seen.live_ms == pytest.approx(500 + 60 * FRAME_US / 1000)


def test_frames_that_never_came_are_lost() -> None:
    samples = [sample for sample in feed([4000] * 120) if sample.frame not in (90, 91, 100)]
    assert latency(0, samples, 2).lost == 3
    assert latency(0, samples, 2).unread == 2


def test_a_frame_number_that_turns_over_is_no_loss() -> None:
    samples = [Sample(i * FRAME_US, 4000, (65_500 + i) % 65_536) for i in range(120)]
    assert latency(0, samples, 0).lost == 0


def test_nothing_seen_is_nothing_measured() -> None:
    assert latency(0, [], 3) == Latency(unread=3)
    assert behind([], 1_000_000) is None


def test_a_picture_that_is_never_live_has_no_live_time() -> None:
    assert latency(0, feed([200_000] * 90), 0).live_ms is None


def test_a_picture_that_stands_still_grows_older() -> None:
    # One picture 100 ms old, then nothing for a second: half of the time it was older than 600 ms.
    seen = behind([Sample(0, 100_000, 0)], 1_000_000)
    assert seen is not None
    assert seen.max_ms == 1100
    assert seen.p50_ms == pytest.approx(600, abs=20)


def test_behind_falls_with_each_new_picture() -> None:
    seen = behind([Sample(0, 50_000, 0), Sample(100_000, 50_000, 3)], 150_000)
    assert seen is not None
    assert seen.max_ms == 150
    assert 50 <= seen.p50_ms <= 150


def test_the_median_run_keeps_the_worst_of_what_must_not_happen() -> None:
    runs = [Latency(3.0, 4.0, 5.0, 6.0, frames=100, lost=0), Latency(5.0, 6.0, 7.0, 30.0, frames=100, lost=2)]
    middle = median_of(runs)
    assert (middle.p50_ms, middle.max_ms, middle.lost, middle.frames) == (4.0, 30.0, 2, 200)
    assert median_of([]) == Latency()


def test_ratios_are_taken_within_the_round() -> None:
    # A machine that was busy in the second round slows both; the ratio stays.
    assert ratio([70.0, 140.0], [3.5, 7.0]) == 20.0
    assert ratio([70.0, None], [3.5, 7.0]) == 20.0
    assert ratio([], [3.5]) is None
    assert ratio([1.0], [0.0]) is None


def test_steady_needs_a_first_picture() -> None:
    assert figures.steady([]) == ()
