from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zlfeed.metrics import Rate, Window, percentile

finite = st.floats(-1e9, 1e9)


def test_percentile_of_nothing_is_unknown() -> None:
    assert percentile([], 50) is None


@pytest.mark.parametrize(
    ("q", "expected"),
    [(0, 1), (1, 1), (50, 50), (95, 95), (99, 99), (100, 100)],
)
def test_percentile_is_the_nearest_rank_of_values_in_any_order(q: float, expected: float) -> None:
    assert percentile(list(range(100, 0, -1)), q) == expected


def test_a_percentile_outside_0_to_100_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 100"):
        percentile([1.0], 101)


@given(st.lists(finite, min_size=1), st.floats(0, 100))
def test_a_percentile_is_a_measured_value_which_that_share_does_not_exceed(values: list[float], q: float) -> None:
    found = percentile(values, q)
    assert found in values
    assert found is not None
    assert sum(value <= found for value in values) >= q / 100 * len(values) - 1e-9


def test_a_window_forgets_what_is_older_than_it() -> None:
    window = Window(2.0)
    for at in range(5):
        window.add(float(at), float(at))
    assert window.values(4.0) == [2.0, 3.0, 4.0]
    assert window.mean(4.0) == 3.0
    assert window.max(5.0) == 4.0
    assert window.percentile(4.0, 50) == 3.0
    assert window.values(10.0) == []
    assert (window.mean(10.0), window.max(10.0), window.percentile(10.0, 95)) == (None, None, None)


def test_a_window_keeps_the_newest_within_its_limit() -> None:
    window = Window(1000.0, limit=3)
    for at in range(10):
        window.add(float(at), float(at))
    assert window.values(10.0) == [7.0, 8.0, 9.0]


def test_a_rate_is_unknown_before_there_is_something_to_divide() -> None:
    rate = Rate(2.0)
    assert rate.per_second(0.0) is None
    rate.add(0.0)
    assert rate.per_second(0.0) is None
    assert rate.per_second(1.0) is None
    rate.add(0.5)
    assert rate.per_second(0.5) == pytest.approx(2.0)


@pytest.mark.parametrize("fps", [1.0, 7.5, 29.97, 30.0, 240.0])
def test_evenly_spaced_frames_read_as_their_rate_wherever_the_window_falls(fps: float) -> None:
    rate = Rate(2.0)
    for frame in range(int(5 * fps)):
        now = frame / fps
        rate.add(now)
        if now > 2.5:
            assert rate.per_second(now) == pytest.approx(fps, rel=1e-6)
            assert rate.per_second(now + 0.9 / fps) == pytest.approx(fps, rel=0.6 if fps < 2 else 1e-6)


def test_a_rate_sinks_to_zero_when_nothing_comes_any_more() -> None:
    rate = Rate(2.0)
    for frame in range(100):
        rate.add(frame / 30)
    last = 99 / 30
    readings = [rate.per_second(last + after / 10) for after in range(25)]
    assert all(reading is not None for reading in readings)
    known = [reading for reading in readings if reading is not None]
    assert known == sorted(known, reverse=True)
    assert known[0] == pytest.approx(30.0)
    assert known[10] < 20
    assert known[-1] == 0.0


def test_a_rate_of_amounts_counts_what_came_after_the_first() -> None:
    rate = Rate(2.0)
    for at in range(3):
        rate.add(at / 2, 1000.0)
    assert rate.per_second(1.0) == pytest.approx(2000.0)


def test_after_a_long_silence_a_rate_is_measured_afresh() -> None:
    rate = Rate(2.0)
    for frame in range(30):
        rate.add(frame / 30)
    for frame in range(10):
        rate.add(60 + frame / 30)
    assert rate.per_second(60 + 9 / 30) == pytest.approx(30.0)


def test_additions_at_the_same_instant_do_not_divide_by_zero() -> None:
    rate = Rate(2.0)
    rate.add(1.0, 5.0)
    rate.add(1.0, 5.0)
    assert rate.per_second(1.0) is None
    assert rate.per_second(3.0) == pytest.approx(5.0)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 1e6)), max_size=50), st.floats(0, 10))
def test_a_rate_is_never_negative(steps: list[tuple[float, float]], later: float) -> None:
    rate = Rate(2.0)
    now = 0.0
    for gap, amount in steps:
        now += gap
        rate.add(now, amount)
    reading = rate.per_second(now + later)
    assert reading is None or reading >= 0
