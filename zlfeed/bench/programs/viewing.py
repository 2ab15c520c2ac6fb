"""What the bench's viewers share: they note each picture in hand, say when they are settled, and what they saw."""

from __future__ import annotations

import time
from typing import Any

from zlfeed import timecode
from zlfeed.bench.figures import LIVE_MS, LOOK_LIMIT_S, WARM_UP_S
from zlfeed.bench.programs.speech import say

_KEEP_S = 10.0


class Recorder:
    """Notes pictures for `seconds` after the warm-up. `seconds` 0: only until the first live one."""

    def __init__(self, seconds: float) -> None:
        self.opened_us = time.monotonic_ns() // 1000
        self.live = False
        self._seconds = seconds
        self._samples: list[tuple[int, int, int]] = []
        self._unread = 0
        self._settled = False

    def take(self, picture: Any) -> bool:
        """Notes a picture that has just come in hand: grey (H, W) or BGR (H, W, 3). Whether to go on."""
        now_us = time.monotonic_ns() // 1000
        return self.note(timecode.read(picture), now_us)

    def note(self, code: timecode.Timecode | None, at_us: int) -> bool:
        """Notes a picture that was in hand at `at_us` (monotonic), with its timecode. Whether to go on."""
        if code is None:
            self._unread += 1
        else:
            wall_us = at_us + (time.time_ns() - time.monotonic_ns()) // 1000
            age_us = wall_us - timecode.unwrap(code.time_us, wall_us)
            self._samples.append((at_us, age_us, code.frame))
            self.live = self.live or age_us <= LIVE_MS * 1000
        return not self._over(at_us)

    def _over(self, now_us: int) -> bool:
        if not self._seconds:
            return self.live or now_us - self.opened_us > LOOK_LIMIT_S * 1e6
        if not self._samples:
            return False
        settled_us = self._samples[0][0] + WARM_UP_S * 1e6
        if not self._settled and now_us >= settled_us:
            self._settled = True
            say("settled")
        return now_us >= settled_us + self._seconds * 1e6

    def report(self) -> dict[str, Any]:
        """What it saw: times and ages in µs."""
        return {
            "opened_us": self.opened_us,
            "ended_us": time.monotonic_ns() // 1000,
            "samples": self._samples,
            "unread": self._unread,
        }


def finish(**seen: Any) -> None:
    """Says what was seen, and stays a while so that the CPU time of this process can be read."""
    say("seen", **seen)
    time.sleep(_KEEP_S)
