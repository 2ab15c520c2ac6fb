"""When to raise the alarm, and when to be quiet. Pure: times are seconds of one monotonic clock, given by the caller.

An alarm is raised once when a figure has been past its limit for HOLD_S, and is over when the figure has been well
within it for CLEAR_S. It is not raised again within QUIET_S: an alarm that repeats itself gets switched off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from zlfeed.model import CameraStatus, Event

HOLD_S = 5.0
CLEAR_S = 10.0
QUIET_S = 60.0
MARGIN = 0.1
"""A figure is well within its limit when it is so much of the limit away from it."""
_MAX_HOSTS = 256
_MAX_TOLD = 8
"""So many addresses a minute are told of: a thousand that knock are one attack, not a thousand lines."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too much; None: no alarm."""

    latency_ms: float | None = None
    """p95, as the worst viewer reports it."""
    fps_share: float | None = None
    """Of the rate asked for; too little, here."""
    temperature_c: float | None = None


class Notice(NamedTuple):
    """What an event is to say."""

    level: str
    code: str
    text: str
    camera: str = ""


class Alarm:
    """One figure with hysteresis; `low`: being too low is the worry. A figure that is not known changes nothing."""

    def __init__(self, limit: float, *, low: bool = False) -> None:
        self._limit = limit
        self._sign = -1.0 if low else 1.0
        self._raised = False
        self._since: float | None = None
        self._quiet_until = float("-inf")

    def update(self, value: float | None, now: float) -> Literal["raised", "over"] | None:
        """Takes the figure of this moment; what is to be said of it."""
        turning = value is not None and (self._is_well(value) if self._raised else self._is_past(value))
        if not turning:
            self._since = None
            return None
        if self._since is None:
            self._since = now
        if now - self._since < (CLEAR_S if self._raised else HOLD_S) or (not self._raised and now < self._quiet_until):
            return None
        self._raised, self._since = not self._raised, None
        if self._raised:
            self._quiet_until = now + QUIET_S
            return "raised"
        return "over"

    def _is_past(self, value: float) -> bool:
        return (value - self._limit) * self._sign > 0

    def _is_well(self, value: float) -> bool:
        return (value - self._limit) * self._sign < -self._limit * MARGIN


class _Figure(NamedTuple):
    """A figure with its limit, and how the two are said."""

    kind: str
    camera: str
    limit: float | None
    value: float | None
    text: str
    low: bool = False


class Alarms:
    """The alarms of all cameras; the temperature is the machine's, and has no camera."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._alarms: dict[tuple[str, str], Alarm] = {}

    def look(self, status: CameraStatus, now: float) -> Iterator[Notice]:
        """Takes a camera's status, about once a second; what is to be said of it."""
        for figure in self._figures(status):
            if figure.limit is None:
                continue
            key = (figure.kind, figure.camera)
            alarm = self._alarms.setdefault(key, Alarm(figure.limit, low=figure.low))
            match alarm.update(figure.value, now):
                case "raised":
                    yield Notice("warning", f"alert_{figure.kind}", figure.text, figure.camera)
                case "over":
                    yield Notice("info", f"alert_{figure.kind}_over", f"good again: {figure.text}", figure.camera)

    def _figures(self, status: CameraStatus) -> Iterator[_Figure]:
        limits, camera = self._limits, status.camera
        p95 = status.latency_ms.p95 if status.latency_ms else None
        text = f"camera {camera}: latency p95 {_shown(p95)} ms, limit {_shown(limits.latency_ms)} ms"
        yield _Figure("latency", camera, limits.latency_ms, p95, text)
        # While the feed is not live there is no rate to speak of, and other events say why.
        live = status.state == "live"
        share = status.fps / status.fps_asked if live and status.fps is not None and status.fps_asked else None
        text = f"camera {camera}: {_shown(status.fps)} of {_shown(status.fps_asked)} frames a second"
        yield _Figure("fps", camera, limits.fps_share, share, text, low=True)
        text = f"the processor has {_shown(status.temperature_c)} °C, limit {_shown(limits.temperature_c)} °C"
        yield _Figure("temperature", "", limits.temperature_c, status.temperature_c, text)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}".removesuffix(".0")


class Refusals:
    """Who was turned away: told at most once a minute for each address, and of few addresses, whatever a flood does."""

    def __init__(self) -> None:
        self._hosts: dict[str, tuple[float, int]] = {}

    def note(self, host: str, reason: str, now: float) -> Notice | None:
        """Takes a refusal; what is to be said of it, if anything."""
        told_at, held = self._hosts.pop(host, (float("-inf"), 0))
        if now - told_at < QUIET_S:
            self._hosts[host] = (told_at, held + 1)
            return None
        fresh = [at for at, _ in self._hosts.values() if now - at < QUIET_S]
        self._hosts[host] = (now, 0)
        while len(self._hosts) > _MAX_HOSTS:
            del self._hosts[next(iter(self._hosts))]
        if len(fresh) >= _MAX_TOLD:
            return None
        before = f", and {held} times before" if held else ""
        return Notice("warning", "viewer_refused", f"{host} was turned away: {reason}{before}")


class Sent(NamedTuple):
    """The last event of a topic that was handed over, and the newest that was held back since."""

    at: float
    code: str
    waiting: Event | None = None
    held: int = 0


ENDS = {
    "camera_back": "camera_lost",
    "camera_opened": "camera_lost",
    "alert_latency_over": "alert_latency",
    "alert_fps_over": "alert_fps",
    "alert_temperature_over": "alert_temperature",
    "mediamtx_back": "fallback",
    "push_connected": "push_lost",
}
"""What ends what: both are one topic, of which the last word counts."""


class Outgoing:
    """Which events go to the alert command and webhook: warnings and errors, and what ends them.

    Of one topic of one camera at most one goes in QUIET_S. What comes in between waits, and only the last of it goes,
    unless it says what was said last. So a camera that comes and goes is told of once a minute, and its last state
    always gets through.
    """

    def __init__(self) -> None:
        self._sent: dict[tuple[str, str], Sent] = {}

    def take(self, event: Event, now: float) -> Event | None:
        """Takes an event; it, when it goes at once."""
        topic = ENDS.get(event.code, event.code)
        if event.level == "info" and event.code not in ENDS:
            return None
        key = (topic, event.camera)
        sent = self._sent.get(key)
        if sent is None and event.code in ENDS:
            return None  # nothing was said of what has ended
        if sent is None or now - sent.at >= QUIET_S:
            self._sent[key] = Sent(now, event.code)
            return event
        self._sent[key] = sent._replace(waiting=event, held=sent.held + 1)
        return None

    def due(self, now: float) -> list[Event]:
        """Those that waited, and go now."""
        going = []
        for key, sent in list(self._sent.items()):
            if now - sent.at < QUIET_S:
                continue
            event = sent.waiting
            if event is None:
                if sent.code in ENDS or key[0] not in ENDS.values():
                    del self._sent[key]  # the topic is closed
                continue
            if event.code == sent.code and key[0] in ENDS.values():
                self._sent[key] = sent._replace(waiting=None, held=0)
                continue
            text = f"{event.text} ({sent.held} such events in the last minute)" if sent.held > 1 else event.text
            going.append(replace(event, text=text))
            self._sent[key] = Sent(now, event.code)
        return going
