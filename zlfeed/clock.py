"""The offset between the publisher's clock and ours, from four-timestamp exchanges. Pure.

An exchange (RFC 5905 section 8) bounds the offset: whatever the two ways' shares of the round trip, it lies within
± half of it around the middle. The exchange with the least error wins, and its error grows as the clocks drift apart.
"""

from __future__ import annotations

import math
import time
from collections import deque
from typing import NamedTuple

RESOLUTION_US = 1
"""What cutting the four times to whole µs can add to the error."""
DRIFT = 50e-6
"""How fast two clocks may part, s per s: what crystals of small computers keep, and NTP's slewing mostly does."""
SAMPLES = 64


def monotonic_us() -> int:
    """This client's monotonic clock in µs: the one that `ClockFilter` and its callers count in.

    perf_counter and not monotonic: on Linux they are the same clock, on Windows before Python 3.13 monotonic moves in
    steps of 16 ms.
    """
    return time.perf_counter_ns() // 1000


class Estimate(NamedTuple):
    """The publisher's wall clock − the client's monotonic clock is `offset_us` ± `error_us`, all µs."""

    offset_us: int
    error_us: int
    round_trip_us: int


class _Sample(NamedTuple):
    offset_us: int
    round_trip_us: int
    since_us: int  # t0: the offset may have drifted since, even during the exchange

    def error_us(self, now_us: int) -> int:
        drift_us = math.ceil(DRIFT * max(0, now_us - self.since_us))
        return (self.round_trip_us + 1) // 2 + RESOLUTION_US + drift_us

    def agrees(self, other: _Sample, now_us: int) -> bool:
        """Whether some offset is within the error of both."""
        return abs(self.offset_us - other.offset_us) <= self.error_us(now_us) + other.error_us(now_us)


class ClockFilter:
    """Finds offset = publisher's wall clock − this client's monotonic clock, and how far it can be wrong.

    A step of the client's wall clock changes nothing. A step of the publisher's makes a sample contradict the ones
    before it: then there is no estimate until a second sample agrees with the contradicting one.
    """

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES)
        self._suspect: _Sample | None = None

    def add(self, t0_us: int, t1_us: int, t2_us: int, t3_us: int) -> None:
        """Takes an exchange: sent t0 and received t3 by the client's monotonic clock, received t1 and answered t2 by
        the publisher's wall clock, µs. One whose times cannot be (a round trip under zero) is ignored.
        """
        round_trip = (t3_us - t0_us) - (t2_us - t1_us)
        if round_trip < 0 or t3_us < t0_us or t2_us < t1_us:
            return
        sample = _Sample(((t1_us - t0_us) + (t2_us - t3_us)) // 2, round_trip, t0_us)
        if self._suspect is None:
            if all(sample.agrees(known, t3_us) for known in self._samples):
                self._samples.append(sample)
            else:
                self._suspect = sample
        elif sample.agrees(self._suspect, t3_us):
            self._samples.clear()
            self._samples.extend((self._suspect, sample))
            self._suspect = None
        else:
            self._suspect = sample

    def estimate(self, now_us: int) -> Estimate | None:
        """The offset as known at `now_us` (client's monotonic clock, µs); None before contact and in contradiction."""
        if self._suspect is not None or not self._samples:
            return None
        best = min(reversed(self._samples), key=lambda sample: sample.error_us(now_us))
        return Estimate(best.offset_us, best.error_us(now_us), best.round_trip_us)

    def reset(self) -> None:
        """Forgets everything: another publisher, or the same one started anew."""
        self._samples.clear()
        self._suspect = None
