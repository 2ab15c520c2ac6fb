"""Alerts: a reason of the health rule that lasts is raised once, acknowledged, and cleared when it is over. Pure.

Raised after `HOLD_S`, cleared after `CLEAR_S` without it, so that a figure at its limit does not flutter. What comes
back within `QUIET_S` is raised again without ringing: an alarm that repeats itself gets switched off.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from zlfeed.monitor.health import Reason
from zlfeed.monitor.limits import BAD, WARN

HOLD_S = 3.0
CLEAR_S = 5.0
QUIET_S = 60.0
MOMENT_S = 600.0
"""What happens in a moment, and has no end, stands until it was seen, at most so long."""
MOMENTS = frozenset({"viewer_refused"})
"""The publisher's events that are alerts and no state: no reason of the health rule tells of them."""
_MACHINE = frozenset({"no_contact", "cpu", "memory", "temperature"})
"""Reasons that all cameras of a publisher have together."""

Subject = tuple[str, str]
"""(publisher's URL, camera); no camera where it is about all of them."""


def by_subject(cameras: Iterable[tuple[Subject, Iterable[Reason]]]) -> list[tuple[Subject, list[Reason]]]:
    """Every camera's reasons; those about the whole machine once, in their worst form, whatever it has of cameras."""
    own: dict[Subject, list[Reason]] = {}
    shared: dict[tuple[Subject, str], Reason] = {}
    for (url, camera), reasons in cameras:
        for reason in reasons:
            if reason.code not in _MACHINE:
                own.setdefault((url, camera), []).append(reason)
                continue
            key = ((url, ""), reason.code)
            if key not in shared or (reason.level == BAD and shared[key].level != BAD):
                shared[key] = reason
    for (subject, _), reason in shared.items():
        own.setdefault(subject, []).append(reason)
    return list(own.items())


class Alert(NamedTuple):
    """One reason of one camera. `rings` is false for one that has just been there."""

    id: int
    subject: Subject
    code: str
    level: str
    text: str
    since_s: float
    acknowledged: bool = False
    rings: bool = True


@dataclass(slots=True)
class _Track:
    """What is known of a reason: when it was first and last seen, and the alert when it was raised."""

    first_s: float
    last_s: float
    alert: Alert | None = None
    moment: bool = False


class AlertBook:
    """All cameras' alerts. `update` is to be called a few times a second."""

    def __init__(self) -> None:
        self._tracks: dict[tuple[Subject, str], _Track] = {}
        self._rang_s: dict[tuple[Subject, str], float] = {}
        self._last_id = 0

    @property
    def active(self) -> tuple[Alert, ...]:
        """The alerts that are raised, the oldest first."""
        raised = [track.alert for track in self._tracks.values() if track.alert]
        return tuple(sorted(raised, key=lambda alert: alert.id))

    def update(self, seen: Iterable[tuple[Subject, Iterable[Reason]]], now_s: float) -> tuple[list[Alert], list[Alert]]:
        """Takes every camera's reasons of this moment; gives (raised, cleared)."""
        raised: list[Alert] = []
        for subject, reasons in seen:
            for reason in reasons:
                if reason.level in (WARN, BAD):
                    raised += self._see((subject, reason.code), reason, now_s)
        cleared = []
        for key, track in list(self._tracks.items()):
            if track.moment:
                seen_or_old = track.alert is None or track.alert.acknowledged or now_s - track.last_s > MOMENT_S
                if seen_or_old:
                    del self._tracks[key]
            elif now_s - track.last_s > (CLEAR_S if track.alert else 0):
                del self._tracks[key]
                if track.alert:
                    cleared.append(track.alert)
        self._rang_s = {key: at for key, at in self._rang_s.items() if now_s - at < QUIET_S or key in self._tracks}
        return raised, cleared

    def happened(self, subject: Subject, code: str, level: str, text: str, now_s: float) -> None:
        """Raises what happened just now and is over already; again before it was seen, it is the same alert."""
        track = self._tracks.setdefault((subject, code), _Track(now_s, now_s, moment=True))
        track.last_s = now_s
        if track.alert is not None:
            track.alert = track.alert._replace(text=text)
        else:
            self._raise(track, (subject, code), Reason(level, code, text), now_s)

    def acknowledge(self) -> int:
        """Marks all as seen; how many were new."""
        fresh = [track for track in self._tracks.values() if track.alert and not track.alert.acknowledged]
        for track in fresh:
            assert track.alert is not None
            track.alert = track.alert._replace(acknowledged=True)
        return len(fresh)

    def _see(self, key: tuple[Subject, str], reason: Reason, now_s: float) -> list[Alert]:
        track = self._tracks.setdefault(key, _Track(now_s, now_s))
        track.last_s = now_s
        if track.alert is not None:
            worse = reason.level == BAD and track.alert.level == WARN
            track.alert = track.alert._replace(level=reason.level, text=reason.text)
            # What gets worse is news although it was acknowledged; it does not ring twice.
            if worse:
                track.alert = track.alert._replace(acknowledged=False)
            return []
        if now_s - track.first_s < HOLD_S:
            return []
        return [self._raise(track, key, reason, now_s)]

    def _raise(self, track: _Track, key: tuple[Subject, str], reason: Reason, now_s: float) -> Alert:
        self._last_id += 1
        rings = now_s - self._rang_s.get(key, -QUIET_S) >= QUIET_S
        self._rang_s[key] = now_s
        track.alert = Alert(self._last_id, key[0], key[1], reason.level, reason.text, track.first_s, rings=rings)
        return track.alert
