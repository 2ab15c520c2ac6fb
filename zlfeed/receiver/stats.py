"""What a receiver measures, by the second and over the whole run. Pure: the caller gives times and clock estimates.

Times `*_us` are µs of clock.monotonic_us() unless they are said to be wall-clock times.

Latency is capture → decoded picture in hand: the picture's timecode tells the first, by the publisher's clock, and the
clock estimate translates. Without an estimate it is unknown.

A server that sends its current group of pictures at PLAY makes a connection begin with a burst of old pictures. They
stay out of the latency and of the fps until one is at most LIVE_MS old and came at its own pace: not sooner after the
one before than half the time between their captures. `live_ms` is the first at most LIVE_MS old. A way that is never
that quick counts from CATCH_UP_US after the connection's first picture, and then there is no `live_ms`.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace

from zlfeed import timecode
from zlfeed.clock import Estimate
from zlfeed.metrics import Rate, percentile
from zlfeed.model import Latency
from zlfeed.receiver.figures import Age, Figures, Histogram, buckets, missed_between
from zlfeed.timecode import Timecode

LIVE_MS = 100.0
CATCH_UP_US = 2_000_000
_IMPOSSIBLE_MS = 1.0
"""How far a picture may come from the future, beyond the error: the drift's bound is not everybody's."""
_LIMIT = 4096
"""Pictures kept between two calls of second(): 17 s at the fastest, where one is the rule."""


def _age(in_hand_us: int, captured_us: int, estimate: Estimate) -> Age:
    return Age((in_hand_us + estimate.offset_us - captured_us) / 1000, estimate.error_us / 1000)


class _Tally:
    """What is counted alike for a second and for the run."""

    def __init__(self) -> None:
        self.frames = self.missed = self.unread = self.reconnects = 0
        self.freeze_us: int | None = None
        self.error_ms: float | None = None

    def gap(self, gap_us: int) -> None:
        self.freeze_us = gap_us if self.freeze_us is None else max(self.freeze_us, gap_us)


class Statistics:
    """Takes each picture as it comes; gives figures by the second and for the run. Not locked: one thread at a time."""

    def __init__(self, began_us: int) -> None:
        self._run = _Tally()
        self._second = _Tally()
        self._histogram = Histogram()
        self._values: deque[float] = deque(maxlen=_LIMIT)
        self._rate = Rate(1.0)
        self._counted = 0
        self._counted_from_us = 0
        self._opened_us = began_us
        self._connection_first_us: int | None = None
        self._caught_up = False
        self._judged: tuple[int, int] | None = None
        self._last: Timecode | None = None
        self._last_us: int | None = None
        self._pending: deque[tuple[int, int]] = deque(maxlen=_LIMIT)
        self._first_picture_ms: float | None = None
        self._live_ms: float | None = None
        self.size: tuple[int, int] | None = None
        """The pictures' width and height in pixels, None before the first."""
        self._backend: str | None = None

    @property
    def frames(self) -> int:
        """Pictures in hand since the run began."""
        return self._run.frames

    @property
    def last_picture_us(self) -> int | None:
        """When the last picture was in hand."""
        return self._last_us

    def opening(self, now_us: int) -> None:
        """An attempt to open the stream begins."""
        self._judge_pending(None)
        self._opened_us = now_us
        self._connection_first_us = None
        self._caught_up = False
        self._judged = None
        self._last = None

    @property
    def reconnects(self) -> int:
        """How often the stream was open again after it had given pictures."""
        return self._run.reconnects

    def opened(self, backend: str) -> None:
        """The stream is open by a backend; again, when there were pictures before."""
        self._backend = backend
        if self._run.frames:
            self._run.reconnects += 1
            self._second.reconnects += 1

    def contradicts(self, code: Timecode, in_hand_us: int, wall_us: int, estimate: Estimate) -> bool:
        """Whether the timecode of a picture, not taken yet, shows that the publisher's clock was set meanwhile.

        Either it comes from the future, or capture times run backwards while frame numbers go on.
        """
        captured_us = timecode.unwrap(code.time_us, wall_us)
        if _age(in_hand_us, captured_us, estimate).ms < -estimate.error_us / 1000 - _IMPOSSIBLE_MS:
            return True
        if self._last is None:
            return False
        step = (code.frame - self._last.frame) % timecode.FRAME_MODULUS
        return 0 < step < timecode.FRAME_MODULUS // 2 and timecode.unwrap(self._last.time_us, wall_us) > captured_us

    def picture(self, in_hand_us: int, code: Timecode | None, wall_us: int, estimate: Estimate | None) -> Age | None:
        """Takes a picture; its age when that is known.

        `wall_us` is the publisher's wall clock within four years (our own will do): timecodes are modulo 2⁴⁸ µs.
        `estimate` is one that the timecode does not contradict, None when there is none.
        """
        for tally in (self._run, self._second):
            tally.frames += 1
            tally.unread += code is None
            if self._last_us is not None:
                tally.gap(in_hand_us - self._last_us)
            if code is not None and self._last is not None:
                tally.missed += missed_between(self._last, code)
        self._last_us = in_hand_us
        if self._first_picture_ms is None:
            self._first_picture_ms = (in_hand_us - self._opened_us) / 1000
        if self._connection_first_us is None:
            self._connection_first_us = in_hand_us
        if code is None:
            self._count(in_hand_us, None)
            return None
        self._last = code
        captured_us = timecode.unwrap(code.time_us, wall_us)
        if estimate is None:
            if self._caught_up:
                self._count(in_hand_us, None)
            else:
                self._pending.append((in_hand_us, captured_us))
            return None
        self._judge_pending(estimate)
        return self._judge(in_hand_us, captured_us, estimate)

    def _judge_pending(self, estimate: Estimate | None) -> None:
        """Counts the pictures of a new connection that came before there was an estimate.

        They wait for the first one, a second at the most. When none came, the youngest of them shows which were old.
        """
        pending = list(self._pending)
        self._pending.clear()
        youngest_us = min((in_hand_us - captured_us for in_hand_us, captured_us in pending), default=0)
        for in_hand_us, captured_us in pending:
            if estimate is not None:
                self._judge(in_hand_us, captured_us, estimate)
            elif in_hand_us - captured_us - youngest_us <= LIVE_MS * 1000:
                self._count(in_hand_us, None)
                self._caught_up = True

    def _judge(self, in_hand_us: int, captured_us: int, estimate: Estimate) -> Age:
        """The picture's age; counts the picture unless it belongs to the burst that a connection begins with."""
        age = _age(in_hand_us, captured_us, estimate)
        before, self._judged = self._judged, (in_hand_us, captured_us)
        if not self._caught_up:
            live = age.ms <= LIVE_MS
            if live and self._live_ms is None and not self._run.reconnects:
                self._live_ms = (in_hand_us - self._opened_us) / 1000
            at_own_pace = before is not None and 2 * (in_hand_us - before[0]) >= captured_us - before[1]
            late = self._connection_first_us is not None and in_hand_us - self._connection_first_us >= CATCH_UP_US
            self._caught_up = (live and at_own_pace) or late
        if self._caught_up:
            self._count(in_hand_us, age)
        return age

    def _count(self, in_hand_us: int, age: Age | None) -> None:
        """Takes a picture into the fps and, when its age is known, into the latency."""
        self._rate.add(in_hand_us / 1e6)
        self._counted += 1
        if self._counted == 1:
            self._counted_from_us = in_hand_us
        if age is None:
            return
        self._histogram.add(age.ms)
        self._values.append(age.ms)
        for tally in (self._run, self._second):
            tally.error_ms = age.error_ms if tally.error_ms is None else max(tally.error_ms, age.error_ms)

    def second(self, now_us: int, wall_us: int, estimate: Estimate | None) -> Figures:
        """The figures since the last call, and begins the next second. `wall_us` is our own wall clock."""
        self._judge_pending(None)
        values = list(self._values)
        self._values.clear()
        latency = None
        if values:
            latency = Latency(percentile(values, 50), percentile(values, 95), percentile(values, 99), max(values))
        figures = self._figures(self._second, self._rate.per_second(now_us / 1e6), latency, now_us, wall_us, estimate)
        self._second = _Tally()
        if not values:
            return figures
        # A clock's error may make a very quick picture seem to come from the future.
        return replace(figures, latency_buckets=buckets(values), latency_sum_ms=math.fsum(max(0.0, v) for v in values))

    def summary(self, now_us: int, wall_us: int, estimate: Estimate | None) -> Figures:
        """The figures of the run so far."""
        self._judge_pending(None)
        fps = None
        if self._last_us is not None and self._counted > 1 and self._last_us > self._counted_from_us:
            fps = (self._counted - 1) * 1e6 / (self._last_us - self._counted_from_us)
        return self._figures(self._run, fps, self._histogram.latency(), now_us, wall_us, estimate)

    def _figures(
        self,
        tally: _Tally,
        fps: float | None,
        latency: Latency | None,
        now_us: int,
        wall_us: int,
        estimate: Estimate | None,
    ) -> Figures:
        freeze_us = tally.freeze_us
        if self._last_us is not None:
            # A freeze that has not ended yet is one.
            freeze_us = max(freeze_us or 0, now_us - self._last_us)
        offset_ms = None if estimate is None else (estimate.offset_us + now_us - wall_us) / 1000
        return Figures(
            frames=tally.frames,
            fps=fps,
            latency_ms=latency,
            latency_error_ms=tally.error_ms,
            clock_offset_ms=offset_ms,
            clock_error_ms=None if estimate is None else estimate.error_us / 1000,
            first_picture_ms=self._first_picture_ms,
            live_ms=self._live_ms,
            missed=tally.missed,
            unread_timecodes=tally.unread,
            longest_freeze_ms=None if freeze_us is None else freeze_us / 1000,
            reconnects=tally.reconnects,
            width=self.size[0] if self.size else None,
            height=self.size[1] if self.size else None,
            backend=self._backend,
        )
