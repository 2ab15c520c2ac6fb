"""Figures over a sliding window: percentiles, means and rates. Pure: the caller gives the time.

Times are seconds of time.monotonic(). One thread may add while others read: only `add` changes anything, and it
drops what has left the window.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from itertools import pairwise

_RATE_LIMIT = 8192


def percentile(values: Sequence[float], q: float) -> float | None:
    """The `q`-th percentile (0 to 100) of `values` in any order, by nearest rank; None when there are none.

    Nearest rank always answers with a value that was measured, and is the least value that `q` % of all do not exceed.
    """
    if not 0 <= q <= 100:
        raise ValueError(f"a percentile lies between 0 and 100, not at {q}")
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(q / 100 * len(values)) - 1)]


class Window:
    """The values of the last `seconds`, at most `limit` of them (the newest)."""

    def __init__(self, seconds: float, limit: int = 4096) -> None:
        self._seconds = seconds
        self._items: deque[tuple[float, float]] = deque(maxlen=limit)

    def add(self, now: float, value: float) -> None:
        """Takes a value measured at `now`."""
        self._items.append((now, value))
        while self._items[0][0] < now - self._seconds:
            self._items.popleft()

    def values(self, now: float) -> list[float]:
        """The values not older than the window at `now`, oldest first."""
        oldest = now - self._seconds
        return [value for at, value in list(self._items) if at >= oldest]

    def mean(self, now: float) -> float | None:
        """The arithmetic mean, None when the window is empty."""
        values = self.values(now)
        return math.fsum(values) / len(values) if values else None

    def max(self, now: float) -> float | None:
        """The greatest value, None when the window is empty."""
        return max(self.values(now), default=None)

    def percentile(self, now: float, q: float) -> float | None:
        """The `q`-th percentile (0 to 100), None when the window is empty."""
        return percentile(self.values(now), q)


class Rate:
    """Amount per second over the last `seconds`.

    Measured from the first to the last addition in the window, so that 30 evenly spaced frames a second read 30.0 and
    not 29.5 or 30.5 by where the window's edges fall. When additions stay away longer than they used to, the rate
    sinks at once, and is 0 when the window is empty.
    """

    def __init__(self, seconds: float = 2.0) -> None:
        self._seconds = seconds
        self._items: deque[tuple[float, float]] = deque(maxlen=_RATE_LIMIT)
        self._since: float | None = None

    def add(self, now: float, amount: float = 1.0) -> None:
        """Takes an amount that came at `now`."""
        if self._since is None:
            self._since = now
        self._items.append((now, amount))
        while self._items[0][0] < now - self._seconds:
            self._items.popleft()

    def per_second(self, now: float) -> float | None:
        """The rate at `now`; None until there are two additions, or one and a whole window to divide it by."""
        if self._since is None:
            return None
        oldest = now - self._seconds
        items = [item for item in list(self._items) if item[0] >= oldest]
        if len(items) >= 2 and items[-1][0] > items[0][0]:
            first, last = items[0][0], items[-1][0]
            longest = max(later[0] - sooner[0] for sooner, later in pairwise(items))
            # Overdue by more than the longest gap seen: the silence itself is part of what is measured.
            span = max(last - first, now - first - longest)
            return math.fsum(amount for _, amount in items[1:]) / span
        if now - self._since < self._seconds:
            return None
        return math.fsum(amount for _, amount in items) / self._seconds
