"""The thresholds of the health rule and of the graphs' colours, and how they are said in settings. Pure.

The defaults are the published rule (docs/monitor.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

UNKNOWN, GOOD, WARN, BAD = "unknown", "good", "warn", "bad"


class Limit(NamedTuple):
    """Two thresholds; past them a figure is warn or bad. With `low` a figure below them is the worry."""

    warn: float
    bad: float
    low: bool = False

    def level(self, value: float | None) -> str:
        """good, warn or bad; unknown for None."""
        if value is None:
            return UNKNOWN
        if self.low:
            return BAD if value < self.bad else WARN if value < self.warn else GOOD
        return BAD if value > self.bad else WARN if value > self.warn else GOOD

    def __str__(self) -> str:
        return "off" if self in (OFF, OFF_LOW) else f"{self.warn:g}, {self.bad:g}"


OFF = Limit(math.inf, math.inf)
OFF_LOW = Limit(-math.inf, -math.inf, low=True)


class Thresholds(NamedTuple):
    """The limits of the rule, by what they are about."""

    age_s: Limit = Limit(3, 10)
    fps_share: Limit = Limit(0.9, 0.5, low=True)
    latency_ms: Limit = Limit(50, 150)
    cpu_percent: Limit = Limit(85, 97)
    memory_percent: Limit = Limit(85, 95)
    temperature_c: Limit = Limit(70, 80)
    loss_percent: Limit = Limit(1, 5)


def parser(example: Limit) -> Callable[[object], Limit]:
    """Reads a limit of the same kind as `example`: "50,150" in a variable, [50, 150] in a file, or off."""

    def parse(said: object) -> Limit:
        if isinstance(said, Limit):
            return said
        if said in ("off", False):
            return OFF_LOW if example.low else OFF
        parts: Sequence[Any] = (
            said.split(",") if isinstance(said, str) else said if isinstance(said, list | tuple) else [said]
        )
        try:
            warn, bad = (float(part) for part in parts)
        except (TypeError, ValueError):
            raise ValueError(
                f"a limit is two numbers, for a look and for trouble, like {example.warn:g},{example.bad:g}; "
                f"or off, not {_shown(said)}"
            ) from None
        if not (math.isfinite(warn) and math.isfinite(bad) and min(warn, bad) >= 0):
            raise ValueError(f"a limit's two numbers are not below 0, not {_shown(said)}")
        if example.low and max(warn, bad) > 1:
            raise ValueError(f"these limits are shares of what was asked, from 0 to 1, not {_shown(said)}")
        if (warn < bad) if example.low else (warn > bad):
            order = "the higher" if example.low else "the lower"
            raise ValueError(f"of the two limits {order} comes first, not {_shown(said)}")
        return Limit(warn, bad, example.low)

    return parse


def _shown(said: object) -> str:
    return ",".join(map(str, said)) if isinstance(said, list | tuple) else repr(said)
