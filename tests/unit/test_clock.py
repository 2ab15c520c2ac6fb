from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from zlfeed.clock import DRIFT, SAMPLES, ClockFilter

EPOCH_US = 1_780_000_000_000_000
HOUR_US = 3_600_000_000


@dataclass
class World:
    """A client, a publisher whose clock runs at another rate, and a path with any delays. Times are client's µs."""

    offset_us: float = float(EPOCH_US)
    rate: float = 0.0  # s per s by which the publisher's clock runs ahead
    now: float = 1_000_000.0

    def offset(self, at: float) -> float:
        return self.offset_us + self.rate * at

    def exchange(self, clock: ClockFilter, there: float, back: float, work: float = 50.0) -> None:
        t0 = self.now
        t1 = t0 + there
        t2 = t1 + work
        t3 = t2 + back
        # Clocks are read in whole µs: what has passed of the next one is cut off.
        clock.add(int(t0), int(t1 + self.offset(t1)), int(t2 + self.offset(t2)), int(t3))
        self.now = t3

    def error(self, clock: ClockFilter) -> tuple[float, int] | None:
        """(how far the estimate really is off, how far it says it may be)."""
        estimate = clock.estimate(round(self.now))
        return None if estimate is None else (abs(estimate.offset_us - self.offset(self.now)), estimate.error_us)


delays = st.floats(5, 500_000)
exchanges = st.lists(st.tuples(delays, delays, st.floats(0, 5000), st.floats(0, 10_000_000)), min_size=1, max_size=80)
SLACK_US = 1  # a float near 1.8e15 is good to a quarter


def test_before_contact_nothing_is_known() -> None:
    assert ClockFilter().estimate(0) is None


def test_a_symmetric_exchange_gives_the_offset_and_half_the_round_trip_as_error() -> None:
    clock = ClockFilter()
    clock.add(1000, 501_100, 501_150, 1250)
    estimate = clock.estimate(1250)
    assert estimate is not None
    assert estimate.offset_us == 500_000
    assert estimate.round_trip_us == 200
    assert 100 <= estimate.error_us <= 102


@given(exchanges, st.floats(-0.9 * DRIFT, 0.9 * DRIFT))
def test_the_true_offset_is_within_the_error_for_any_delays_and_drift(
    steps: list[tuple[float, float, float, float]], rate: float
) -> None:
    world, clock = World(rate=rate), ClockFilter()
    for there, back, work, pause in steps:
        world.exchange(clock, there, back, work)
        known = world.error(clock)
        assert known is not None
        assert known[0] <= known[1] + SLACK_US
        world.now += pause
        known = world.error(clock)
        assert known is not None
        assert known[0] <= known[1] + SLACK_US


@given(exchanges, exchanges, st.sampled_from([-HOUR_US, HOUR_US, 10 * HOUR_US]))
def test_a_step_of_the_publishers_clock_is_unknown_until_two_agree_and_then_right(
    before: list[tuple[float, float, float, float]], after: list[tuple[float, float, float, float]], step: int
) -> None:
    world, clock = World(), ClockFilter()
    for there, back, work, pause in before:
        world.exchange(clock, there, back, work)
        world.now += pause
    world.offset_us += step
    for index, (there, back, work, pause) in enumerate(after):
        world.exchange(clock, there, back, work)
        known = world.error(clock)
        if index == 0:
            assert known is None
        else:
            assert known is not None
            assert known[0] <= known[1] + SLACK_US
        world.now += pause


def test_one_lying_answer_costs_the_estimate_only_until_two_agree_again() -> None:
    world, clock = World(), ClockFilter()
    for _ in range(8):
        world.exchange(clock, 100, 100)
    t0 = round(world.now)
    clock.add(t0, 5, 6, t0 + 200)
    assert world.error(clock) is None
    world.exchange(clock, 100, 100)
    assert world.error(clock) is None
    world.exchange(clock, 100, 100)
    known = world.error(clock)
    assert known is not None
    assert known[0] <= known[1]


def test_a_small_step_is_seen_against_every_sample_and_not_only_the_best() -> None:
    clock = ClockFilter()
    clock.add(0, 100_000, 100_000, 1000)  # 99 000 … 100 000
    clock.add(10_000, 110_800, 110_800, 11_200)  # 99 600 … 100 800
    assert clock.estimate(11_200) is not None
    clock.add(20_000, 120_400, 120_400, 20_200)  # 100 200 … 100 400: meets the second, not the first
    assert clock.estimate(20_200) is None


def test_the_best_exchange_wins_until_drift_has_made_it_worse_than_a_newer_one() -> None:
    world, clock = World(), ClockFilter()
    world.exchange(clock, 100, 100)
    world.exchange(clock, 5000, 400)
    early = clock.estimate(round(world.now))
    assert early is not None
    assert early.round_trip_us == 200
    for _ in range(5):
        world.now += 60_000_000
        world.exchange(clock, 300, 300)
    late = clock.estimate(round(world.now))
    assert late is not None
    assert late.round_trip_us == 600


def test_the_error_grows_with_age_at_the_rate_of_drift() -> None:
    world, clock = World(), ClockFilter()
    world.exchange(clock, 100, 100)
    fresh, old = clock.estimate(round(world.now)), clock.estimate(round(world.now) + 100_000_000)
    assert fresh is not None
    assert old is not None
    assert 4999 <= old.error_us - fresh.error_us <= 5001


@given(st.lists(st.integers(-(10**15), 10**15), min_size=4, max_size=4))
def test_impossible_times_are_ignored(times: list[int]) -> None:
    t0, t1, t2, t3 = times
    clock = ClockFilter()
    clock.add(t0, t1, t2, t3)
    if t3 < t0 or t2 < t1 or (t3 - t0) < (t2 - t1):
        assert clock.estimate(max(times)) is None
    else:
        estimate = clock.estimate(t3)
        assert estimate is not None
        assert estimate.error_us >= 0


def test_the_filter_keeps_a_bounded_number_of_samples() -> None:
    world, clock = World(), ClockFilter()
    world.exchange(clock, 1, 1)
    for _ in range(SAMPLES):
        world.exchange(clock, 300, 300)
    estimate = clock.estimate(round(world.now))
    assert estimate is not None
    assert estimate.round_trip_us == 600


def test_reset_forgets_everything() -> None:
    world, clock = World(), ClockFilter()
    world.exchange(clock, 100, 100)
    clock.reset()
    assert world.error(clock) is None
    world.offset_us += HOUR_US
    world.exchange(clock, 100, 100)
    assert world.error(clock) is not None
