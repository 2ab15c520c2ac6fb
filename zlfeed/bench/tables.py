"""The bench's tables for people; each fits 80 columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from rich import box
from rich.console import RenderableType
from rich.table import Table

from zlfeed.bench.figures import median, median_of, ratio
from zlfeed.bench.goals import Goal, Runs
from zlfeed.bench.measure import Crowd, Openings, Run, SlowLink
from zlfeed.bench.terminal import Watching

_T = TypeVar("_T")
_K = TypeVar("_K")


def number(value: float | None, digits: int = 1) -> str:
    """A figure, or a dash for one that was not measured."""
    return "–" if value is None else f"{value:.{digits}f}"


def _table(title: str, first: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def sooner(runs: Runs, of: Sequence[Run]) -> float | None:
    """How many times sooner a chain's p50 is than that of the chain it is compared with."""
    chain = of[0].chain
    against = runs.get((chain.group, chain.against), ())
    return ratio([run.latency.p50_ms for run in against], [run.latency.p50_ms for run in of])


def latency(runs: Runs, group: str, title: str) -> list[RenderableType]:
    """The chains of one group, and below what each is and why one failed."""
    table = _table(title, "chain", "p50", "p99", "max", "first", "live", "lost", "CPU %", "sooner")
    below: list[RenderableType] = []
    for (of_group, name), of in runs.items():
        if of_group != group:
            continue
        figures = median_of([run.latency for run in of if not run.error])
        times = sooner(runs, of)
        cpu = "/".join(number(median(values), 0) for values in zip(*(_cpu(run) for run in of), strict=True))
        table.add_row(
            name, number(figures.p50_ms), number(figures.p99_ms), number(figures.max_ms, 0),
            number(figures.first_picture_ms, 0), number(figures.live_ms, 0), str(figures.lost), cpu,
            "" if times is None else f"{times:.1f}×",
        )  # fmt: skip
        below += [f"  {name}: {of[0].chain.note}"] if of[0].chain.note else []
        below += [f"  {name}, round {run.number}: {run.error}" for run in of if run.error]
    return [table, *below]


def _cpu(run: Run) -> tuple[float | None, float | None]:
    return run.sender_cpu, run.viewer_cpu


def stages(of: Sequence[Run]) -> RenderableType:
    """Where the time of our own chain goes: means of the publisher's stages, and what is left of the median."""
    table = _table("zlfeed: where the time goes, ms", "stage", "mean")
    names = list(dict.fromkeys(name for run in of for name in run.stages_ms))
    means = {name: median(run.stages_ms.get(name) for run in of) for name in names}
    whole = median(sum(run.ages_ms) / len(run.ages_ms) for run in of if run.ages_ms)
    for name, mean in means.items():
        table.add_row(name, number(mean, 2))
    known = [mean for mean in means.values() if mean is not None]
    if whole is not None and known:
        table.add_row("network + decode", number(whole - sum(known), 2))
        table.add_row("all", number(whole, 2))
    return table


def readers(crowds: Sequence[Crowd]) -> list[RenderableType]:
    """CPU by the number of readers."""
    table = _table(
        "many readers: CPU of the serving process, % of a core", "server", "readers", "CPU", "without readers"
    )
    table.add_column("a reader", justify="right")
    table.add_column("frames each", justify="right")
    for (server, count), of in _grouped(crowds, lambda c: (c.server, c.readers)).items():
        added = median(c.added_cpu for c in of)
        fewest, most = min(c.frames_min for c in of), max(c.frames_max for c in of)
        table.add_row(
            server, str(count), number(median(c.cpu for c in of)), number(median(c.idle_cpu for c in of)),
            number(None if added is None else added / count, 3) if count else "–",
            f"{fewest}–{most}",
        )  # fmt: skip
    return [table, *(f"  {c.server}, {c.readers} readers: {c.error}" for c in crowds if c.error)]


def slow_links(links: Sequence[SlowLink], bitrate: int) -> list[RenderableType]:
    """What comes through links of less than the bitrate."""
    table = _table("a slow link: how old the newest picture is", "server", "kbit/s", "of bitrate", "p50 ms")
    for heading in ("max ms", "fps", "longest freeze ms"):
        table.add_column(heading, justify="right")
    for (server, rate), of in _grouped(links, lambda s: (s.server, s.rate)).items():
        table.add_row(
            server, str(rate // 1000), f"{rate / bitrate:.0%}",
            number(median(s.behind.p50_ms if s.behind else None for s in of), 0),
            number(median(s.behind.max_ms if s.behind else None for s in of), 0),
            number(median(s.fps for s in of)), number(median(s.longest_freeze_ms for s in of), 0),
        )  # fmt: skip
    return [table, *(f"  {s.server} at {s.rate}: {s.error}" for s in links if s.error)]


def openings(of: Sequence[Openings]) -> list[RenderableType]:
    """How long a viewer waits who joins anywhere in a group of pictures."""
    table = _table("joining: first and live picture, ms", "chain", "GOP", "first", "worst", "live", "worst", "openings")
    for (name, gop), some in _grouped(of, lambda o: (o.name, o.gop)).items():
        first = [value for o in some for value in o.first_ms]
        live = [value for o in some for value in o.live_ms]
        known = [value for value in live if value is not None]
        never = len(live) - len(known)
        table.add_row(
            name, str(gop), number(median(first), 0), number(max(first, default=None), 0), number(median(known), 0),
            number(max(known, default=None), 0) if not never else f"{never} never", str(len(live)),
        )  # fmt: skip
    return [table, *(f"  {o.name}, GOP {o.gop}: {o.error}" for o in of if o.error)]


def monitors(of: Sequence[Watching]) -> list[RenderableType]:
    """What the monitor costs, round by round."""
    table = _table("the monitor at 120×40, twice a second; a feed with one viewer", "figure")
    for run in of:
        table.add_column(f"round {run.number}", justify="right")
    figures: list[tuple[str, Callable[[Watching], float | None], int]] = [
        ("start → first paint, ms", lambda run: run.first_paint_ms, 0),
        ("start → figures, ms", lambda run: run.figures_ms, 0),
        ("CPU, % of a core", lambda run: run.cpu, 1),
        ("to the terminal, KB/s", lambda run: run.terminal_kb_s, 1),
        ("memory, MB", lambda run: run.memory_mb, 0),
        ("memory grows in this first minute, KB/min", lambda run: run.growth_kb_min, 0),
        ("status traffic both ways, B/s", lambda run: run.status_bytes_s, 0),
    ]
    for text, figure, digits in figures:
        table.add_row(text, *(number(figure(run), digits) for run in of))
    return [table, *(f"  round {run.number}: {run.error}" for run in of if run.error)]


def goals(of: Iterable[Goal]) -> RenderableType | None:
    """What this project wants, and what this run reached."""
    table = _table("goals", "figure", "here", "at most", "")
    for goal in of:
        met = "[green]met[/]" if goal.met else "[yellow]not met[/]"
        table.add_row(goal.text, goal.show(goal.value), goal.show(goal.limit), met)
    return table if table.row_count else None


def _grouped(items: Sequence[_T], key: Callable[[_T], _K]) -> dict[_K, list[_T]]:
    groups: dict[_K, list[_T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups
