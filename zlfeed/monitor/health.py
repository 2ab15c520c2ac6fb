"""The health rule: from one camera's status to good, warn or bad, with the reasons. Pure.

These are the published thresholds; settings may say others (limits.py). A figure that nobody measured is no reason: it
is shown as unknown.

| figure                                   | warn         | bad           |
|------------------------------------------|--------------|---------------|
| contact with the publisher               |              | lost          |
| age of the last status                   | > 3 s        | > 10 s        |
| state of the feed                        | starting, private | anything but live |
| fps against fps asked                    | < 90 %       | < 50 %        |
| latency p95, worst viewer                | > 50 ms      | > 150 ms      |
| CPU of the machine                       | > 85 %       | > 97 %        |
| memory                                   | > 85 %       | > 95 %        |
| temperature (a Raspberry Pi throttles at 80 °C) | > 70 °C | > 80 °C      |
| loss that a viewer has (UDP)             | > 1 %        | > 5 %         |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from zlfeed.monitor import format as fmt
from zlfeed.monitor.limits import BAD, GOOD, UNKNOWN, WARN, Limit, Thresholds

if TYPE_CHECKING:
    from zlfeed.model import CameraStatus

_RANK = {UNKNOWN: -1, GOOD: 0, WARN: 1, BAD: 2}
_STATES = {
    "starting": (WARN, "the feed is starting"),
    "private": (WARN, "private: viewers see a slate"),
    "no_signal": (BAD, "the camera gives no picture"),
    "encoder_down": (BAD, "the encoder is down"),
    "stopped": (BAD, "the feed is stopped"),
}


class Reason(NamedTuple):
    """Why health is not good. `code` is stable; `text` is for people."""

    level: str
    code: str
    text: str


class Health(NamedTuple):
    """The worst level of all reasons; unknown before the first status."""

    level: str = UNKNOWN
    reasons: tuple[Reason, ...] = ()


def fps_level(fps: float | None, asked: float | None, limits: Thresholds) -> str:
    """The level of a frame rate; good when nobody said what was asked."""
    if fps is None:
        return UNKNOWN
    return limits.fps_share.level(fps / asked) if asked else GOOD


def worst(levels: Iterator[str]) -> str:
    """The worst of some levels, good when there are none."""
    return max(levels, key=_RANK.__getitem__, default=GOOD)


def assess(
    status: CameraStatus | None, *, connected: bool, age_s: float | None, limits: Thresholds | None = None
) -> Health:
    """The health of a camera whose last status is `age_s` seconds old."""
    limits = limits or Thresholds()
    if status is None:
        return Health()
    reasons = tuple(_reasons(status, connected, age_s, limits))
    ordered = tuple(sorted(reasons, key=lambda reason: -_RANK[reason.level]))
    return Health(worst(reason.level for reason in reasons), ordered)


def _reasons(status: CameraStatus, connected: bool, age_s: float | None, limits: Thresholds) -> Iterator[Reason]:
    if not connected:
        yield Reason(BAD, "no_contact", f"no contact for {fmt.ago(age_s)}")
        return
    if (level := limits.age_s.level(age_s)) in (WARN, BAD):
        yield Reason(level, "stale", f"no status for {fmt.ago(age_s)}")
    if status.state != "live":
        level, text = _STATES.get(status.state, (BAD, f"the feed is {status.state}"))
        yield Reason(level, status.state, f"{text}: {status.error_message}" if status.error_message else text)
        return
    if status.error_message:
        yield Reason(WARN, "error", status.error_message)
    if (level := fps_level(status.fps, status.fps_asked, limits)) in (WARN, BAD):
        yield Reason(level, "fps", f"{fmt.number(status.fps)} of {fmt.number(status.fps_asked, 0)} frames a second")
    p95 = status.latency_ms.p95 if status.latency_ms else None
    yield from _over("latency", "latency p95", limits.latency_ms, p95, lambda value: f"{fmt.ms(value)} ms")
    yield from _over("cpu", "CPU", limits.cpu_percent, status.cpu_percent, fmt.percent)
    yield from _over("memory", "memory", limits.memory_percent, status.memory_percent, fmt.percent)
    yield from _over("temperature", "temperature", limits.temperature_c, status.temperature_c, fmt.temperature)
    for viewer in status.viewers:
        yield from _over("loss", f"loss to {viewer.address}", limits.loss_percent, viewer.loss_percent, fmt.percent)


def _over(code: str, what: str, limit: Limit, value: float | None, show: Callable[[float], str]) -> Iterator[Reason]:
    level = limit.level(value)
    if value is not None and level in (WARN, BAD):
        yield Reason(level, code, f"{what} {show(value)}, limit {show(limit.bad if level == BAD else limit.warn)}")
