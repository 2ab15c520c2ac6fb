"""The figures of a receiver (contract 4.1), and the arithmetic behind them. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from zlfeed import timecode
from zlfeed.model import LATENCY_BOUNDS_MS, Latency, Stage
from zlfeed.timecode import Timecode

MAX_FPS = 240
"""The fastest feed that there is (Settings.fps)."""


class Age(NamedTuple):
    """How old a picture was when it was in hand, ms, ± error_ms."""

    ms: float
    error_ms: float


_REPORTED = ("latency_buckets", "latency_sum_ms")
"""What goes to the publisher, and not into the lines for people and programs here."""


def buckets(values: Sequence[float]) -> list[int]:
    """How many of `values`, ms, fall into each of LATENCY_BOUNDS_MS, and beyond the last; none of them: nothing."""
    found = [0] * (len(LATENCY_BOUNDS_MS) + 1) if values else []
    for value in values:
        found[bisect_left(LATENCY_BOUNDS_MS, value)] += 1
    return found


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one second, or of the run (contract 4.1, `receive --json`). None is what was not measured.

    Counts are those of the second, or of the run. `latency_error_ms` is the largest error of any latency in them;
    `clock_error_ms` that of the clock estimate at their end.
    """

    frames: int
    fps: float | None
    latency_ms: Latency | None
    latency_error_ms: float | None
    clock_offset_ms: float | None
    clock_error_ms: float | None
    first_picture_ms: float | None
    live_ms: float | None
    missed: int
    unread_timecodes: int
    longest_freeze_ms: float | None
    reconnects: int
    width: int | None
    height: int | None
    backend: str | None
    latency_buckets: Sequence[int] = ()
    """As ViewerReport has them; of a second only."""
    latency_sum_ms: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The fields for a JSON line; durations in ms to two places."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__ if name not in _REPORTED}
        if self.latency_ms is not None:
            fields["latency_ms"] = {name: round_ms(getattr(self.latency_ms, name)) for name in Latency.__slots__}
        return {name: round_ms(value) if isinstance(value, float) else value for name, value in fields.items()}


def stage_times(latency: Latency | None, stages: Sequence[Stage]) -> dict[str, float | None] | None:
    """Where a frame's time went in the last second, ms: the publisher's stages, and what is left of the latency.

    All are medians, the publisher's of its last two seconds; `network_decode` is the latency's less theirs, so that
    its error is all of theirs together. It is None where that would be less than nothing, and all of it is None when
    the publisher does not tell its stages.
    """
    times = {stage.name: stage.p50_ms for stage in stages}
    known = [time for time in times.values() if time is not None]
    if not known or len(known) < len(times):
        return None
    left = latency.p50 - math.fsum(known) if latency and latency.p50 is not None else -1.0
    return {name: round_ms(time) for name, time in {**times, "network_decode": left if left >= 0 else None}.items()}


def round_ms(value: float | None) -> float | None:
    """To two places: 10 µs are beyond what any of this can tell."""
    return None if value is None else round(value, 2)


def missed_between(last: Timecode, new: Timecode) -> int:
    """How many pictures were captured between two that came one after the other.

    None when the number repeats or runs backwards (the picture before the keyframe that a server starts with, a
    publisher that began anew), nor when it leaps further than MAX_FPS allows in the capture time between the two: a
    publisher that began anew counts from another number, and says nothing of loss.
    """
    step = (new.frame - last.frame) % timecode.FRAME_MODULUS
    between_us = timecode.unwrap(new.time_us, last.time_us) - last.time_us
    if step == 0 or step > timecode.FRAME_MODULUS // 2 or step > max(1.0, between_us / 1e6) * MAX_FPS:
        return 0
    return step - 1


class Histogram:
    """Values rounded to three significant digits: percentiles of any number of them, to 0.5 %, in little memory.

    (900 bins a decade; latencies span five or six decades, and mostly fill a few dozen bins.) The maximum is exact.
    """

    def __init__(self) -> None:
        self._bins: Counter[float] = Counter()
        self._max: float | None = None
        self.count = 0

    def add(self, value: float) -> None:
        """Takes a value."""
        self._bins[float(f"{value:.3g}")] += 1
        self._max = value if self._max is None else max(self._max, value)
        self.count += 1

    def percentile(self, q: float) -> float | None:
        """The `q`-th percentile (0 to 100) by nearest rank; None when there are no values."""
        wanted = max(1, math.ceil(q / 100 * self.count))
        seen = 0
        for value in sorted(self._bins):
            seen += self._bins[value]
            if seen >= wanted:
                return value
        return None

    def latency(self) -> Latency | None:
        """The percentiles as the contract wants them; None when there are no values."""
        if not self.count:
            return None
        return Latency(self.percentile(50), self.percentile(95), self.percentile(99), self._max)
