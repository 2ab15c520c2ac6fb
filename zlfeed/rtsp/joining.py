"""A TCP reader's way from the GOP's keyframe to the live picture: in steps, each when the one before is swallowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from zlfeed.rtsp.rtp import AccessUnit

LOOK_AGAIN_S = 0.001
SWALLOWED_BYTES = 3000
"""So little left unacknowledged counts as swallowed: the last two segments' ACK may be delayed. (On loopback a segment
holds 64 KB: what is swallowed there has to be told by its own size of a segment.)"""


@dataclass(slots=True)
class Step:
    """What was written at `began`: `size` bytes, so that the first `units` of the GOP of `keyframe` are on their way.

    The first step is the keyframe alone: a slow link gets one old picture, not a GOP of them. Each that follows is
    as much as all before it, for what a link swallows at once may only have filled a buffer on the way.
    """

    keyframe: AccessUnit
    units: int
    size: int
    began: float
    _first: float = 0.0
    _left: int | None = None

    def look(self, left: int, now: float) -> None:
        """Notes that `left` bytes are unacknowledged."""
        if self._left is None and left < self.size:
            self._first, self._left = now, left

    def rate(self, left: int, now: float) -> float:
        """Bytes a second that the link drains, without those that it took first."""
        if self._left is None:
            return self.size / max(now - self.began, LOOK_AGAIN_S)
        return max(self._left - left, SWALLOWED_BYTES) / max(now - self._first, LOOK_AGAIN_S)

    def rest(self, gop: Sequence[AccessUnit]) -> Sequence[AccessUnit]:
        """What is still to be sent of the GOP as it is now; of a new one everything."""
        return gop[self.units :] if self._same(gop) else gop

    def after(self, gop: Sequence[AccessUnit], now: float) -> Self:
        """The next step: as much as went before, or all that is left."""
        sent = self.units if self._same(gop) else 0
        enough = max(self.size, sum(unit.size for unit in gop[:sent]))
        size, units = 0, sent
        while units < len(gop) and size < enough:
            size += gop[units].size
            units += 1
        return type(self)(gop[0], units, size, now)

    def _same(self, gop: Sequence[AccessUnit]) -> bool:
        return gop[0].captured_ns == self.keyframe.captured_ns
