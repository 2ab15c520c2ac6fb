"""What a reader on a slow link gets: whole frames, up to date, or none (design 1.9); no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

AGE_LIMIT_S = 0.150
"""A frame that waits no longer than this (and the round trip) is never dropped."""
LATE_LIMIT_S = 0.350
"""How old a frame may be in the reader's hands, beside what a keyframe takes on this link."""
KEYFRAME_WAIT_S = 0.250
"""How long a keyframe may wait for what is before it: dropping it costs a whole group of pictures."""
BURST_LIMIT_S = 0.500
STUCK_LIMIT_S = 10.0
MAX_BACKLOG = 4 << 20
"""Bytes a reader may be behind before frames are dropped whatever their age: the bound on its memory."""
_LOOK_S = 0.100
"""What waits for less is not worth a look."""
_RATE_WINDOW_S = 0.500
_RATE_AT_LEAST_S = 0.100


class _Write(NamedTuple):
    """One write that the peer has not confirmed wholly: from which offset to which, when, and when it is late."""

    start: int
    end: int
    at: float
    late: float


class Delivery:
    """Decides access unit by access unit whether a reader gets it.

    A frame is dropped, and with it those up to the next keyframe, when the oldest unacknowledged one is older than
    150 ms plus the link's minimum round trip, and this one would come too late at the rate at which the link drains:
    after the next keyframe is due, or older than 350 ms and a keyframe's own time on the link. So a link of just the
    bitrate carries every frame, and a slower one as many as it can before each keyframe. Times are seconds of one
    monotonic clock; offsets are bytes since the start. `bounded=False` (MediaMTX's pull) drops nothing until
    MAX_BACKLOG.
    """

    def __init__(self, *, bounded: bool = True) -> None:
        self.bounded = bounded
        self.frames_sent = 0
        self.frames_dropped = 0
        self.bytes_sent = 0
        self.round_trip_s = 0.0
        self.rate: float | None = None
        """Bytes a second that the link drains, as last seen while it had something to do; None: not yet seen."""
        self.keyframe_bytes = 0
        """The size of the keyframe that was sent last."""
        self._waiting = True
        self._unacknowledged: deque[_Write] = deque()
        self._looks: deque[tuple[float, int]] = deque()

    def wants(
        self,
        keyframe: bool,
        now: float,
        acknowledged: Callable[[], int],
        *,
        size: int = 0,
        next_keyframe_s: float | None = None,
        full: bool = False,
    ) -> bool:
        """Whether to send the next access unit, of `size` bytes; counts it as dropped when not.

        `next_keyframe_s` is the time until the next keyframe is due, None when nobody knows. `full` says that there
        is no room. `acknowledged` gives the bytes the peer has confirmed. It costs a system call, and is asked for
        only when there is something old enough to matter.
        """
        behind = full or self._behind(keyframe, size, now, acknowledged, next_keyframe_s)
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
        start = self.bytes_sent
        self.bytes_sent += size
        self.frames_sent += frames
        self._unacknowledged.append(_Write(start, self.bytes_sent, now, now + limit_s + self.round_trip_s))

    def skip(self) -> None:
        """What comes next must be a keyframe; what is under way still counts."""
        self._waiting = True

    def restart(self) -> None:
        """The reader paused: what comes next must be a keyframe, and what is under way counts no more."""
        self._waiting = True
        self._unacknowledged.clear()
        self._looks.clear()

    def stuck_s(self, now: float, acknowledged: Callable[[], int]) -> float:
        """For how long the oldest unacknowledged write has waited, seconds."""
        if not self._unacknowledged or now - self._unacknowledged[0].at < 1.0:
            return 0.0
        self._trim(acknowledged())
        return now - self._unacknowledged[0].at if self._unacknowledged else 0.0

    def _behind(
        self,
        keyframe: bool,
        size: int,
        now: float,
        acknowledged: Callable[[], int],
        next_keyframe_s: float | None,
    ) -> bool:
        pending = self._unacknowledged
        if not pending or (now - pending[0].at < _LOOK_S + self.round_trip_s and len(pending) < 64):
            return False
        confirmed = acknowledged()
        self._trim(confirmed)
        self._look(confirmed, now)
        backlog = self.bytes_sent - confirmed
        if backlog > MAX_BACKLOG:
            return True
        if not self.bounded or not pending or now < pending[0].late:
            return False
        if not self.rate:
            return True
        if keyframe:
            return backlog / self.rate > KEYFRAME_WAIT_S + self.round_trip_s
        return not self.in_time(backlog + size, self.rate, next_keyframe_s)

    def in_time(self, size: int, rate: float, next_keyframe_s: float | None) -> bool:
        """Whether a link that drains `rate` bytes a second has passed `size` bytes on while they are worth it."""
        limit = LATE_LIMIT_S + self.round_trip_s + self.keyframe_bytes / rate
        if next_keyframe_s is not None:
            limit = min(limit, next_keyframe_s)
        return size / rate <= limit

    def _trim(self, confirmed: int) -> None:
        pending = self._unacknowledged
        while pending and pending[0].end <= confirmed:
            pending.popleft()

    def _look(self, confirmed: int, now: float) -> None:
        """Measures the rate at which the link drains, over the last half second in which it always had something."""
        looks = self._looks
        if not self._unacknowledged:
            looks.clear()
            return
        if not looks and self.rate is None:
            oldest = self._unacknowledged[0]
            looks.append((oldest.at + self.round_trip_s, oldest.start))
        looks.append((now, confirmed))
        while len(looks) > 2 and now - looks[1][0] >= _RATE_WINDOW_S:
            looks.popleft()
        since, start = looks[0]
        if now - since >= _RATE_AT_LEAST_S:
            self.rate = (confirmed - start) / (now - since)
