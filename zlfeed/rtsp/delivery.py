"""What a reader on a slow link gets: whole frames, up to date, or none (design 1.9); no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

AGE_LIMIT_S = 0.150
BURST_LIMIT_S = 0.500
STUCK_LIMIT_S = 10.0
MAX_BACKLOG = 4 << 20
"""Bytes a reader may be behind before frames are dropped whatever their age: the bound on its memory."""


class Delivery:
    """Decides access unit by access unit whether a reader gets it.

    Frames are dropped, up to the next keyframe, while the oldest unacknowledged one is older than 150 ms plus the
    link's minimum round trip. Times are seconds of one monotonic clock; offsets are bytes since the start.
    `bounded=False` (MediaMTX's pull) drops nothing until MAX_BACKLOG.
    """

    def __init__(self, *, bounded: bool = True) -> None:
        self.bounded = bounded
        self.frames_sent = 0
        self.frames_dropped = 0
        self.bytes_sent = 0
        self.round_trip_s = 0.0
        self._waiting = True
        self._unacknowledged: deque[tuple[int, float, float]] = deque()  # end offset, sent at, too old at

    def wants(self, keyframe: bool, now: float, acknowledged: Callable[[], int], *, full: bool = False) -> bool:
        """Whether to send the next access unit; counts it as dropped when not.

        `full` says that there is no room for it. `acknowledged` gives the bytes the peer has confirmed. It costs a
        system call, and is asked for only when there is something old enough to matter.
        """
        behind = full or self._behind(now, acknowledged)
        if behind or (self._waiting and not keyframe):
            if not self._waiting or self.frames_sent:
                self.frames_dropped += 1
            self._waiting = True
            return False
        self._waiting = False
        return True

    def sent(self, size: int, now: float, *, frames: int = 1, limit_s: float = AGE_LIMIT_S) -> None:
        """Notes a write of `size` bytes; `limit_s` is how long it may stay unacknowledged (a burst: longer)."""
        self._waiting = False
        self.bytes_sent += size
        self.frames_sent += frames
        self._unacknowledged.append((self.bytes_sent, now, now + limit_s + self.round_trip_s))

    def restart(self) -> None:
        """The reader paused: what comes next must be a keyframe, and what is under way counts no more."""
        self._waiting = True
        self._unacknowledged.clear()

    def stuck_s(self, now: float, acknowledged: Callable[[], int]) -> float:
        """For how long the oldest unacknowledged write has waited, seconds."""
        if not self._unacknowledged or now - self._unacknowledged[0][1] < 1.0:
            return 0.0
        self._trim(acknowledged())
        return now - self._unacknowledged[0][1] if self._unacknowledged else 0.0

    def _behind(self, now: float, acknowledged: Callable[[], int]) -> bool:
        pending = self._unacknowledged
        if not pending or (now < pending[0][2] and len(pending) < 64):
            return False
        confirmed = acknowledged()
        self._trim(confirmed)
        if self.bytes_sent - confirmed > MAX_BACKLOG:
            return True
        return self.bounded and bool(pending) and now >= pending[0][2]

    def _trim(self, confirmed: int) -> None:
        pending = self._unacknowledged
        while pending and pending[0][0] <= confirmed:
            pending.popleft()
