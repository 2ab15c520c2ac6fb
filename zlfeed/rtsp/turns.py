"""Who sends much is heard a piece at a time, so that requests keep nobody's frames waiting."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

PIECE_BYTES = 1024
"""What one client may say at a stretch: some thirty of the shortest requests, 1 to 2 ms."""
_PAUSE_S = 0.005


class Turns:
    """Clients that have more to say take turns, one piece every 5 ms for all of them together."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def ask(self, hear: Callable[[], None]) -> None:
        """Has `hear` called when it is its turn; it asks again when that was not all."""
        self._waiting.append(hear)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_PAUSE_S, self._next)

    def _next(self) -> None:
        self._timer = None
        hear = self._waiting.popleft()
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_later(_PAUSE_S, self._next)
        hear()

    def close(self) -> None:
        """Nobody is heard any more."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
