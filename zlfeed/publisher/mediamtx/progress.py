"""Whether each path of MediaMTX's gets what is sent to it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

STUCK_S = 6.0
"""MediaMTX drops a silent source after 10 s itself; what does not advance for this long is stuck."""
FIRST_S = 15.0
"""A path that had nothing yet: MediaMTX asks again 5 s after it was told that there is no such stream."""


@dataclass(slots=True)
class _Path:
    since: float
    fed: int
    received: int
    ever: bool = False


class Progress:
    """Watches one MediaMTX's paths, from its start on. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self.well_at = 0.0
        """When something advanced last, or nothing was to."""
        self._paths: dict[str, _Path] = {}

    def look(self, now: float, fed: Mapping[str, int], received: Mapping[str, int]) -> str | None:
        """The path that is stuck, if one is: frames are sent (`fed`, so far) and its bytes do not advance."""
        for name, frames in fed.items():
            got = received.get(name, 0)
            path = self._paths.setdefault(name, _Path(now, frames, got))
            if got != path.received or frames == path.fed:
                path.ever = path.ever or got != path.received
                path.since, path.fed, path.received = now, frames, got
                self.well_at = now
            elif now - path.since > (STUCK_S if path.ever else FIRST_S):
                return name
        return None
