"""When pictures are due: the test picture's ticks, a video file's own time, a rate that is lower than the camera's.

No I/O, no clock: times are seconds of any steady clock, given by the caller.
"""

from __future__ import annotations

import math


class Metronome:
    """Ticks at exactly `fps` a second, counted from `start`; ticks that went by are skipped, never bunched."""

    def __init__(self, start: float, fps: float) -> None:
        self._start = start
        self._fps = fps
        self._last = -1

    def next(self, now: float) -> tuple[int, float]:
        """The first tick that is neither past nor given before: its number and its time."""
        self._last = max(self._last + 1, math.ceil((now - self._start) * self._fps))
        return self._last, self._start + self._last / self._fps


class Thinner:
    """Lets through at most `fps` pictures a second, as evenly as those that come allow; None lets all through."""

    def __init__(self, fps: float | None) -> None:
        self._interval = 1 / fps if fps else None
        self._due: float | None = None

    def keep(self, at: float) -> bool:
        """Whether the picture captured at `at` goes on."""
        if self._interval is None:
            return True
        if self._due is None or not -2 * self._interval < at - self._due < self._interval:
            self._due = at
        # A quarter of an interval early is on time: cameras jitter.
        if at < self._due - self._interval / 4:
            return False
        self._due += self._interval
        return True


class Timeline:
    """A looping file's timestamps as one steady time that never goes back.

    A timestamp is believed when it moves on by less than `longest` seconds; any other step (it went back, stands still,
    leaps) counts as one nominal interval, which is 1/fps of the file's own rate, or 1/25 s where that is no rate.
    """

    def __init__(self, fps: float | None, longest: float = 20.0) -> None:
        self.nominal = 1 / fps if fps else 1 / 25
        self._longest = longest
        self._last: float | None = None
        self._at = -self.nominal

    def add(self, timestamp: float | None) -> float:
        """The time in seconds, from 0, at which the next picture is due, given its timestamp in the file in seconds."""
        step = self.nominal
        if timestamp is not None and self._last is not None and 0 < timestamp - self._last < self._longest:
            step = timestamp - self._last
        self._last = timestamp
        self._at += step
        return self._at

    def rewind(self) -> None:
        """The file starts again: the next timestamp stands one nominal interval after the last."""
        self._last = None


def sane_fps(value: float) -> float | None:
    """A frame rate as a device or container gives it, or None when it is no rate: 0, negative, NaN, or over 240."""
    return value if 0.1 <= value <= 240 else None
