"""How much bitrate the viewers' links carry: lowered when one does not, raised again when it holds. Pure.

Each viewer's link has a limit of its own, and the feed has the least of them; when that viewer leaves, its limit goes
with it. Lowering is quick and by much, raising slow and by little: a step too high costs frames, one too low only
sharpness.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

LOOK_S = 1.0
"""How often the links are looked at."""
DROPPED, LOST, MISSED = 0.10, 0.05, 0.10
"""Of a second's frames left out by the relay, of packets lost, of frames the viewer missed: more is too much."""
_LOOKS, _BAD_LOOKS = 3, 2
"""A moment's hiccup is no slow link: so many looks of the last so many must be bad."""
_DEAF_LOOKS = 5
"""A viewer that took nothing for so many looks is not slow, it does not read: no bitrate would help."""
_LOWER, _LOWEST_STEP, _OF_CARRIED = 0.7, 0.4, 0.9
_RAISE = 1.25
SETTLE_S = 3.0
"""After a change the new bitrate has so long to show: another encoder takes over, queues run empty."""
HOLD_S, LONGEST_HOLD_S = 8.0, 120.0
"""How long a link must hold before more is tried on it; twice as long each time that was too much."""


@dataclass(frozen=True, slots=True)
class Link:
    """One viewer's link since the last look. `name` is for people, `id` stays the same.

    `sent` and `dropped` are frames, `lost` is a share of the packets and `missed` of the frames, as the viewer reports
    them (None: no news). `bits_per_s` is what was sent to it.
    """

    id: str
    name: str
    sent: int = 0
    dropped: int = 0
    lost: float | None = None
    missed: float | None = None
    bits_per_s: float | None = None

    def trouble(self) -> str | None:
        """What shows that it does not carry the bitrate, in words; None when nothing does."""
        frames = self.sent + self.dropped
        if frames and self.dropped / frames > DROPPED:
            return f"{self.dropped} of {frames} frames were too late for it"
        if self.lost is not None and self.lost > LOST:
            return f"{self.lost * 100:.0f} % of its packets are lost"
        if self.missed is not None and self.missed > MISSED:
            return f"it misses {self.missed * 100:.0f} % of the frames"
        return None


@dataclass(frozen=True, slots=True)
class Step:
    """A change: the bitrate in bit/s from now on, and why, for people."""

    bitrate: int
    lowered: bool
    why: str


@dataclass(slots=True)
class _Track:
    """What is known of one link. `limit` None: it carried everything so far. Times are seconds."""

    limit: float | None = None
    before_raise: float | None = None
    hold_s: float = HOLD_S
    settled_at: float = 0.0
    good_since: float | None = None
    looks: deque[bool] = field(default_factory=lambda: deque(maxlen=_LOOKS))
    sent: deque[int] = field(default_factory=lambda: deque(maxlen=_DEAF_LOOKS))

    @property
    def deaf(self) -> bool:
        return len(self.sent) == _DEAF_LOOKS and not any(self.sent)


class Adaptive:
    """Decides on one feed's bitrate, look by look. `current` is what was decided last, None while nothing limits it."""

    def __init__(self) -> None:
        self.current: int | None = None
        self._tracks: dict[str, _Track] = {}

    def look(self, links: Sequence[Link], *, asked: int, floor: int, now: float) -> Step | None:
        """What is to change, if anything. `asked` is the bitrate without limits, `floor` the least, in bit/s."""
        present = {link.id for link in links}
        gone = [id_ for id_ in self._tracks if id_ not in present]
        for id_ in gone:
            del self._tracks[id_]
        used = min(self.current or asked, asked)
        reasons = [reason for link in links if (reason := self._look_at(link, used, asked, floor, now))]
        limits = [track.limit for track in self._tracks.values() if track.limit is not None]
        wanted = round(max(floor, min([*limits, asked])))
        before, self.current = used, None if wanted >= asked else wanted
        if wanted == before:
            return None
        unlimited = "who had the slow link has left" if gone else "the links carry it"
        return Step(wanted, wanted < before, reasons[0] if reasons else unlimited)

    def _look_at(self, link: Link, used: int, asked: int, floor: int, now: float) -> str | None:
        """Takes one link's news; why its limit was lowered, if it was."""
        track = self._tracks.setdefault(link.id, _Track())
        trouble = link.trouble()
        track.sent.append(link.sent if link.sent or link.dropped else 1)
        if track.deaf:
            track.limit = None
            return None
        if now < track.settled_at:
            return None
        track.looks.append(trouble is not None)
        if trouble is not None:
            track.good_since = None
            # What comes through not at all may be someone who does not read: a slow link lets something through soon.
            if sum(track.looks) >= _BAD_LOOKS and used > floor and link.sent:
                self._lower(track, link, used, floor, now)
                return f"{link.name}: {trouble}"
            return None
        if track.good_since is None:
            track.good_since = now
        if track.limit is None and now - track.good_since >= HOLD_S:
            track.before_raise, track.hold_s = None, HOLD_S  # it carries everything: what was before counts no more
        if track.limit is not None and now - track.good_since >= track.hold_s:
            self._raise(track, asked, now)
        return None

    def _lower(self, track: _Track, link: Link, used: int, floor: int, now: float) -> None:
        if track.before_raise is not None:
            # More was tried, and it was too much: back to what held, and longer until the next attempt.
            track.limit = track.before_raise
            track.hold_s = min(track.hold_s * 2, LONGEST_HOLD_S)
            track.before_raise = None
        else:
            carried = _OF_CARRIED * link.bits_per_s if link.bits_per_s else used * _LOWER
            track.limit = max(used * _LOWEST_STEP, min(used * _LOWER, carried))
        track.limit = max(track.limit, floor)
        self._settle(track, now)

    def _raise(self, track: _Track, asked: int, now: float) -> None:
        assert track.limit is not None
        if track.before_raise is not None:
            track.hold_s = max(HOLD_S, track.hold_s / 2)  # what was tried last has held
        track.before_raise, track.limit = track.limit, track.limit * _RAISE
        if track.limit >= asked:
            track.limit = None
            track.before_raise = asked / _RAISE
        self._settle(track, now)

    def _settle(self, track: _Track, now: float) -> None:
        track.settled_at = now + SETTLE_S
        track.good_since = None
        track.looks.clear()
