"""What the bench makes of what its viewers saw. Pure: times are in µs of one machine's clocks, results in ms."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, NamedTuple

from zlfeed.metrics import percentile
from zlfeed.timecode import FRAME_MODULUS

LIVE_MS = 100.0
"""A picture at most this old is live."""
WARM_UP_S = 2.0
"""What comes in this time after the first picture (stale pictures, catching up) stays out of the percentiles."""

LOOK_LIMIT_S = 15.0
"""How long one opening may take to become live, before it counts as never."""


class Sample(NamedTuple):
    """A picture in hand: when (monotonic), how long after its capture, and which."""

    at_us: int
    age_us: int
    frame: int


@dataclass(frozen=True, slots=True)
class Latency:
    """What a viewer measured in one run. None is what was not measured; `lost` frames never came."""

    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None
    first_picture_ms: float | None = None
    live_ms: float | None = None
    longest_freeze_ms: float | None = None
    frames: int = 0
    lost: int = 0
    unread: int = 0


def steady(samples: Sequence[Sample]) -> Sequence[Sample]:
    """The samples after the warm-up."""
    if not samples:
        return ()
    begin = samples[0].at_us + round(WARM_UP_S * 1e6)
    return [sample for sample in samples if sample.at_us >= begin]


def ages_ms(samples: Iterable[Sample]) -> list[float]:
    """Capture → picture in hand of each, ms."""
    return [sample.age_us / 1000 for sample in samples]


def latency(opened_us: int, samples: Sequence[Sample], unread: int) -> Latency:
    """The figures of one run of a viewer that began to open the stream at `opened_us`."""
    if not samples:
        return Latency(unread=unread)
    kept = steady(samples)
    ages = ages_ms(kept)
    p50, p95, p99 = (percentile(ages, q) for q in (50, 95, 99))
    return Latency(
        p50, p95, p99, max(ages, default=None),
        first_picture_ms=(samples[0].at_us - opened_us) / 1000,
        live_ms=live_ms(opened_us, samples),
        longest_freeze_ms=max(((b.at_us - a.at_us) / 1000 for a, b in pairwise(kept)), default=None),
        frames=len(kept),
        lost=sum((b.frame - a.frame - 1) % FRAME_MODULUS for a, b in pairwise(kept) if b.frame != a.frame),
        unread=unread,
    )  # fmt: skip


def live_ms(opened_us: int, samples: Sequence[Sample]) -> float | None:
    """From opening to the first live picture; None when there was none."""
    first = next((sample for sample in samples if sample.age_us <= LIVE_MS * 1000), None)
    return None if first is None else (first.at_us - opened_us) / 1000


class Behind(NamedTuple):
    """How old the newest picture was over a time, not only when one came: no bound is met by standing still."""

    p50_ms: float
    max_ms: float


def behind(samples: Sequence[Sample], end_us: int, step_us: int = 10_000) -> Behind | None:
    """The age of the newest picture from the first sample to `end_us`, looked at every `step_us`; the exact maximum."""
    if not samples:
        return None
    looks: list[float] = []
    worst = 0
    nexts = [sample.at_us for sample in samples[1:]] + [max(end_us, samples[-1].at_us)]
    begin = samples[0].at_us
    for sample, until in zip(samples, nexts, strict=True):
        worst = max(worst, sample.age_us + until - sample.at_us)
        first_look = begin + -(-(sample.at_us - begin) // step_us) * step_us
        looks += [(sample.age_us + at - sample.at_us) / 1000 for at in range(first_look, until, step_us)]
    return Behind(percentile(looks, 50) or worst / 1000, worst / 1000)


def median(values: Iterable[float | None]) -> float | None:
    """The median of what was measured; None when nothing was."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def median_of(runs: Sequence[Latency]) -> Latency:
    """Each figure's median over rounds; the maxima and the losses are those of the worst round."""
    if not runs:
        return Latency()
    values: dict[str, Any] = {}
    for field in fields(Latency):
        of_runs = [getattr(run, field.name) for run in runs]
        known = [value for value in of_runs if value is not None]
        worst = field.name in ("max_ms", "longest_freeze_ms", "lost", "unread")
        values[field.name] = (max(known) if worst else statistics.median(known)) if known else None
    values["frames"] = sum(run.frames for run in runs)
    return Latency(**values)


def ratio(numerators: Sequence[float | None], denominators: Sequence[float | None]) -> float | None:
    """The median over rounds of numerator / denominator within the round: what the machine does to both cancels."""
    pairs = zip(numerators, denominators, strict=False)
    return median(n / d if n is not None and d else None for n, d in pairs)
