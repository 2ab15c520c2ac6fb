"""Whether frames advance; pure: the caller gives the time, seconds of one monotonic clock."""

from __future__ import annotations

GRACE_S = 2.0
"""Without a frame for so long, or for three frame intervals where those are longer, frames do not advance."""


def grace_s(fps: float | None) -> float:
    """How long a chain of that rate may be without a frame."""
    return max(GRACE_S, 3.0 / fps) if fps else GRACE_S


class Advance:
    """A counter of frames that is looked at now and then."""

    def __init__(self) -> None:
        self._count: int | None = None
        self._since: float | None = None

    def look(self, count: int, now: float) -> float | None:
        """Seconds since the counter was last seen to move; None while it has never moved."""
        if self._count is not None and count != self._count:
            self._since = now
        self._count = count
        return None if self._since is None else now - self._since
