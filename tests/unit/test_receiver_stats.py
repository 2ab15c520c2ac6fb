"""The receiver's figures: latency, what counts as missed, what stays out, and that nothing is invented."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zlfeed.clock import Estimate
from zlfeed.metrics import percentile
from zlfeed.model import Latency, Stage
from zlfeed.receiver.figures import Histogram, missed_between, stage_times
from zlfeed.receiver.stats import Statistics
from zlfeed.timecode import TIME_MODULUS, Timecode

WALL = 1_700_000_000_000_000
HOUR_US = 3_600_000_000
INTERVAL = 33_333


class Feed:
    """A publisher whose wall clock is `ahead_us` ahead of WALL + our monotonic clock, and the receiver's statistics."""

    def __init__(self, ahead_us: int = 0, error_us: int = 200) -> None:
        self.stats = Statistics(0)
        self.stats.opening(0)
        self.stats.opened("FFMPEG")
        self.ahead_us = ahead_us
        self.estimate: Estimate | None = Estimate(WALL + ahead_us, error_us, 2 * error_us)
        self.frame = 0

    def picture(self, at_us: int, latency_us: int, frame: int | None = None) -> float | None:
        self.frame = self.frame + 1 if frame is None else frame
        captured = WALL + self.ahead_us + at_us - latency_us
        age = self.stats.picture(at_us, Timecode(captured % TIME_MODULUS, self.frame % 65536), WALL, self.estimate)
        return None if age is None else age.ms


def test_latency_is_by_the_publishers_clock_however_far_it_is_off() -> None:
    feed = Feed(ahead_us=HOUR_US)
    for i in range(30):
        assert feed.picture(40_000 + i * INTERVAL, 5_000 + i) == pytest.approx(5 + i / 1000)
    figures = feed.stats.second(1_040_000, WALL + 1_040_000, feed.estimate)
    assert figures.latency_ms is not None
    assert figures.latency_ms.p50 == pytest.approx(5.015)
    assert figures.latency_ms.max == pytest.approx(5.029)
    assert figures.latency_error_ms == pytest.approx(0.2)
    assert figures.clock_offset_ms == pytest.approx(3_600_000)
    assert figures.fps == pytest.approx(30, abs=0.1)
    assert figures.first_picture_ms == figures.live_ms == 40.0


def test_without_a_clock_estimate_nothing_is_known_but_the_rest() -> None:
    feed = Feed()
    feed.estimate = None
    for i in range(31):
        assert feed.picture(i * INTERVAL, 5_000) is None
    figures = feed.stats.second(1_000_000, WALL, None)
    assert figures.latency_ms is None
    assert (figures.clock_offset_ms, figures.clock_error_ms, figures.live_ms) == (None, None, None)
    assert figures.frames == 31
    assert figures.fps == pytest.approx(30, abs=0.1)
    assert figures.first_picture_ms == 0.0


def test_the_pictures_of_the_burst_stay_out_of_latency_and_fps() -> None:
    feed = Feed()
    for i in range(30):  # a second's worth of old pictures in 30 ms, then live
        feed.picture(10_000 + i * 1_000, (30 - i) * INTERVAL + 4_000)
    for i in range(1, 30):
        feed.picture(40_000 + i * INTERVAL, 4_000)
    figures = feed.stats.summary(1_010_000, WALL, feed.estimate)
    assert figures.frames == 59
    assert figures.latency_ms is not None
    assert figures.latency_ms.max == 4.0
    assert figures.fps == pytest.approx(30, abs=0.1)
    assert figures.first_picture_ms == 10.0
    assert figures.live_ms == 38.0


def test_pictures_before_the_first_estimate_are_judged_by_it() -> None:
    feed = Feed()
    later, feed.estimate = feed.estimate, None
    feed.picture(10_000, 900_000)
    feed.picture(20_000, 5_000)
    feed.estimate = later
    feed.picture(53_000, 6_000)
    figures = feed.stats.second(1_000_000, WALL, feed.estimate)
    assert figures.live_ms == 20.0
    assert figures.latency_ms is not None
    assert figures.latency_ms.max == 6.0


def test_without_an_estimate_the_youngest_picture_shows_which_were_old() -> None:
    feed = Feed()
    feed.estimate = None
    for i in range(30):
        feed.picture(10_000 + i * 1_000, (30 - i) * INTERVAL)
    for i in range(1, 30):
        feed.picture(40_000 + i * INTERVAL, 4_000)
    assert feed.stats.second(1_010_000, WALL, None).fps == pytest.approx(31, abs=1.5)


def test_a_slow_way_counts_after_two_seconds_and_is_never_called_live() -> None:
    feed = Feed()
    for i in range(120):
        feed.picture(i * INTERVAL, 250_000)
    figures = feed.stats.summary(4_000_000, WALL, feed.estimate)
    assert figures.live_ms is None
    assert figures.latency_ms is not None
    assert figures.latency_ms.p50 == 250.0
    assert figures.latency_error_ms == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("last", "new", "missed"),
    [
        ((0, 7), (33_333, 8), 0),
        ((0, 7), (100_000, 10), 2),
        ((0, 65_535), (66_666, 1), 1),
        ((0, 7), (0, 7), 0),  # repeated by a server
        ((1_000_000, 50), (0, 20), 0),  # the burst after a reconnect begins before
        ((0, 50_000), (3_000_000, 0), 0),  # a publisher that began anew
        ((0, 100), (3_000_000, 40_000), 0),
        ((0, 100), (3_000_000, 190), 89),  # held up for three seconds
        ((HOUR_US, 100), (0, 103), 2),  # the clock was set back: the numbers still tell
        ((TIME_MODULUS - 10, 1), (66_656, 3), 1),
    ],
)
def test_missed_pictures_are_gaps_in_the_numbers_of_one_run(
    last: tuple[int, int], new: tuple[int, int], missed: int
) -> None:
    assert missed_between(Timecode(*last), Timecode(*new)) == missed


def test_counts_are_by_the_second_and_by_the_run() -> None:
    feed = Feed()
    feed.picture(10_000, 5_000, frame=1)
    feed.picture(76_000, 5_000, frame=3)
    feed.stats.picture(110_000, None, WALL, feed.estimate)
    first = feed.stats.second(1_000_000, WALL, feed.estimate)
    feed.stats.opening(1_100_000)
    feed.stats.opened("FFMPEG")
    feed.stats.size = (320, 240)
    feed.picture(1_110_000, 5_000, frame=9)
    second = feed.stats.second(2_000_000, WALL, feed.estimate)
    run = feed.stats.summary(2_000_000, WALL, feed.estimate)
    assert [(f.frames, f.missed, f.unread_timecodes, f.reconnects) for f in (first, second, run)] == [
        (3, 1, 1, 0),
        (1, 0, 0, 1),
        (4, 1, 1, 1),
    ]
    # The stream was cut at 110 ms, and is silent again since 1110 ms.
    assert [f.longest_freeze_ms for f in (first, second, run)] == [890.0, 1000.0, 1000.0]
    assert run.first_picture_ms == 10.0
    assert (run.width, run.height) == (320, 240)


def test_before_the_first_picture_all_is_unknown() -> None:
    stats = Statistics(0)
    fields = stats.summary(5_000_000, WALL, None).as_json()
    assert fields == {
        "frames": 0,
        "fps": None,
        "latency_ms": None,
        "latency_error_ms": None,
        "clock_offset_ms": None,
        "clock_error_ms": None,
        "first_picture_ms": None,
        "live_ms": None,
        "missed": 0,
        "unread_timecodes": 0,
        "longest_freeze_ms": None,
        "reconnects": 0,
        "width": None,
        "height": None,
        "backend": None,
    }


@pytest.mark.parametrize("step_us", [HOUR_US, 50_000, -50_000, -HOUR_US])
def test_a_step_of_the_publishers_clock_is_noticed(step_us: int) -> None:
    feed = Feed()
    for i in range(10):
        feed.picture(i * INTERVAL, 5_000)
    assert feed.estimate is not None
    at = 10 * INTERVAL
    good = Timecode((WALL + at - 5_000) % TIME_MODULUS, 11)
    stepped = Timecode((WALL + at - 5_000 + step_us) % TIME_MODULUS, 11)
    assert not feed.stats.contradicts(good, at, WALL, feed.estimate)
    assert feed.stats.contradicts(stepped, at, WALL, feed.estimate)


@given(st.lists(st.floats(min_value=-10, max_value=1e5), min_size=1), st.sampled_from([0, 50, 95, 99, 100]))
def test_the_histogram_is_right_to_half_a_percent(values: list[float], q: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = percentile(values, q)
    assert exact is not None
    assert histogram.percentile(q) == pytest.approx(exact, rel=0.0051, abs=1e-6)
    latency = histogram.latency()
    assert latency is not None
    assert latency.max == max(values)


def test_the_histogram_stays_small() -> None:
    histogram = Histogram()
    for i in range(200_000):
        histogram.add(i / 100)
    assert len(histogram._bins) <= 5 * 900 + 1


def test_what_the_publisher_s_stages_leave_of_the_latency_is_network_and_decoding() -> None:
    stages = [Stage("capture", p50_ms=1.0), Stage("encode", p50_ms=2.5), Stage("relay", p50_ms=0.25)]
    assert stage_times(Latency(p50=5.0), stages) == {
        "capture": 1.0,
        "encode": 2.5,
        "relay": 0.25,
        "network_decode": 1.25,
    }
    assert stage_times(Latency(p50=3.0), stages) == stage_times(None, stages)
    assert stage_times(None, stages) == {"capture": 1.0, "encode": 2.5, "relay": 0.25, "network_decode": None}
    assert stage_times(Latency(p50=5.0), []) is None
    assert stage_times(Latency(p50=5.0), [*stages, Stage("new")]) is None
