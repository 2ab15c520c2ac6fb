"""What this project wants to reach, and what this run reached: ratios within the rounds. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zlfeed.bench.figures import LOOK_LIMIT_S, median, ratio
from zlfeed.bench.measure import Crowd, Openings, Run
from zlfeed.bench.terminal import Watching


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure and what it should be: at most `limit`. `value` None: not measured in this run."""

    text: str
    value: float | None
    limit: float
    unit: str = "×"

    def show(self, value: float | None) -> str:
        """A value of this goal's kind: 1/20, 0.60×, 50 ms."""
        if value is None:
            return "–"
        if self.unit != "×":
            return f"{value:.0f} {self.unit}"
        return f"1/{1 / value:.1f}" if 0 < self.limit <= 0.2 and value > 0 else f"{value:.2f}×"

    @property
    def met(self) -> bool | None:
        """Whether it was reached; None when it was not measured."""
        return None if self.value is None else self.value <= self.limit


SERVERS = ("zlfeed", "MediaMTX")
_SOONER = {(480, 30.0): 1 / 20, (1080, 30.0): 1 / 10}
"""The goal for the p50 by height and rate; elsewhere it is to be no later than the plain chain's."""

Runs = Mapping[tuple[str, str], Sequence[Run]]
"""(group, chain) → its runs, one a round."""


def of_latency(runs: Runs) -> list[Goal]:
    """The goals for latency and for the publisher's CPU, as far as their chains were run."""

    def p50(group: str, name: str) -> list[float | None]:
        return [run.latency.p50_ms for run in runs.get((group, name), ())]

    ours, plain = p50("plain", "zlfeed"), p50("plain", "plain chain")
    own = runs.get(("plain", "zlfeed"), ())
    usual = runs.get(("plain", "plain chain"), ())
    hd = ("formats", "h264 1080p30, zlfeed"), ("formats", "h264 1080p30, plain")
    stock = [
        None if a is None or b is None else a - b + run.chain.format.frame_ms
        for a, b, run in zip(p50("plain", "stock viewer"), plain, own, strict=False)
    ]
    goals = [
        Goal("p50 against the plain chain", ratio(ours, plain), _SOONER.get(_kind(own), 1.0)),
        Goal("p50 against the limit", ratio(ours, p50("plain", "the limit")), 2.5),
        Goal("p99 against the p50", ratio([run.latency.p99_ms for run in own], ours), 3.0),
        Goal("1080p30: p50 against the plain chain", ratio(p50(*hd[0]), p50(*hd[1])), 1 / 10),
        Goal("stock viewer: p50 over plain chain less a frame", median(stock), 0.0, "ms"),
        Goal("first picture, median", median(run.latency.first_picture_ms for run in own), 50.0, "ms"),
        Goal("live picture, median", median(run.latency.live_ms for run in own), 150.0, "ms"),
        Goal(
            "publisher's CPU against the plain chain's",
            ratio([run.publisher_cpu for run in own], [run.publisher_cpu for run in usual]),
            0.6,
        ),
    ]
    return [goal for goal in goals if goal.value is not None]


def _kind(runs: Sequence[Run]) -> tuple[int, float]:
    """What a goal may depend on: height and rate."""
    return (runs[0].chain.format.height, runs[0].chain.format.fps) if runs else (0, 0.0)


def of_readers(crowds: Sequence[Crowd]) -> list[Goal]:
    """The goal for the cost of 50 readers, when both servers were measured."""
    cost = {server: [c.added_cpu for c in crowds if c.server == server and c.readers == 50] for server in SERVERS}
    value = ratio(cost["zlfeed"], cost["MediaMTX"])
    return [] if value is None else [Goal("50 readers: CPU against MediaMTX's", value, 0.8)]


def of_openings(openings: Sequence[Openings], fps: float) -> list[Goal]:
    """The goals for joining, at groups of pictures of up to two seconds: the worst of all openings."""
    short = [o for o in openings if o.name == "zlfeed" and o.gop <= 2 * fps]
    first = [value for o in short for value in o.first_ms]
    live = [LOOK_LIMIT_S * 1000 if value is None else value for o in short for value in o.live_ms]
    goals = []
    if first:
        goals.append(Goal("first picture, GOP ≤ 2 s, worst", max(first), 50.0, "ms"))
    if live:
        goals.append(Goal("live picture, GOP ≤ 2 s, worst", max(live), 150.0, "ms"))
    return goals


def of_monitor(runs: Sequence[Watching]) -> list[Goal]:
    """What the monitor may cost: medians over the rounds."""
    goals = [
        Goal("monitor: first paint", median(run.first_paint_ms for run in runs), 600.0, "ms"),
        Goal("monitor: CPU of a core", median(run.cpu for run in runs), 5.0, "%"),
        Goal("monitor: to the terminal", median(run.terminal_kb_s for run in runs), 20.0, "KB/s"),
        Goal("monitor: memory", median(run.memory_mb for run in runs), 100.0, "MB"),
        Goal("monitor: status traffic, both ways", median(run.status_bytes_s for run in runs), 300.0, "B/s"),
    ]
    return [goal for goal in goals if goal.value is not None]
