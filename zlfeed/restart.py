"""When to start a part again, and when to give it up: a state machine without I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Literal

from zlfeed.model import Part
from zlfeed.retry import backoff

State = Literal["starting", "running", "backing_off", "given_up", "off"]


class Restarts:
    """Counts a part's failures and says how long to wait before the next start.

    Only failures before health count against the budget: `budget` of them within `window_s` and the part is given up.
    A part that was healthy for `healthy_after_s` starts again with the shortest delay and a full budget. `budget` None:
    retried for ever. Times are seconds of one monotonic clock.
    """

    def __init__(
        self,
        *,
        budget: int | None,
        window_s: float = 60.0,
        healthy_after_s: float = 10.0,
        delays: Callable[[], Iterator[float]] = backoff,
    ) -> None:
        self.state: State = "starting"
        self.total = 0
        """Failures since the beginning."""
        self.restarts = 0
        """Those of them after it had run."""
        self.attempts = 0
        """Failures in a row since it ran last."""
        self.last_error = ""
        self._budget = budget
        self._window_s = window_s
        self._healthy_after_s = healthy_after_s
        self._new_delays = delays
        self._delays = delays()
        self._failures: deque[float] = deque()
        self._running_since: float | None = None
        self._failed_at = 0.0
        self._due_at = 0.0

    def starting(self) -> None:
        """The part is being started."""
        self.state = "starting"
        self._running_since = None

    def running(self, now: float) -> None:
        """The part serves."""
        if self.state != "running":
            self.state = "running"
            self.attempts = 0
            self._running_since = now

    def failed(self, now: float, error: str) -> float | None:
        """The part has failed: seconds to wait before the next start, None when it is given up."""
        self.total += 1
        self.last_error = error
        self._failed_at = now
        if self.state == "running":
            self.restarts += 1
        else:
            self.attempts += 1
        since = self._running_since
        self._running_since = None
        if since is not None and now - since >= self._healthy_after_s:
            self.reset()
        else:
            self._failures.append(now)
            while self._failures[0] < now - self._window_s:
                self._failures.popleft()
        if self._budget is not None and len(self._failures) >= self._budget:
            self.state = "given_up"
            return None
        self.state = "backing_off"
        delay = next(self._delays)
        self._due_at = now + delay
        return delay

    def give_up(self) -> None:
        """Whatever its budget, somebody else does its work from now on."""
        self.state = "given_up"
        self._running_since = None

    def off(self) -> None:
        """It is not wanted just now."""
        self.state = "off"
        self._running_since = None

    def reset(self) -> None:
        """A full budget and the shortest delay again."""
        self._failures.clear()
        self._delays = self._new_delays()

    def part(self, name: str, now: float) -> Part:
        """How it is, for those who watch over it."""
        return Part(
            name,
            self.state,
            restarts=self.restarts,
            attempts=self.attempts,
            last_error=self.last_error if self.total else None,
            last_error_age_s=max(0.0, now - self._failed_at) if self.total else None,
            retry_in_s=max(0.0, self._due_at - now) if self.state == "backing_off" else None,
        )
