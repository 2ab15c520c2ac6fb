"""What a run of the bench has measured so far, and how it is told: JSON lines as they come, tables and a picture."""

from __future__ import annotations

import dataclasses
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from zlfeed import __version__
from zlfeed.bench import goals, picture, tables
from zlfeed.bench.figures import median_of
from zlfeed.bench.goals import Goal
from zlfeed.bench.measure import Crowd, Openings, Run, SlowLink
from zlfeed.bench.plan import Feed, Format
from zlfeed.bench.programs.speech import say
from zlfeed.bench.terminal import Watching
from zlfeed.errors import ZlfeedError

_TITLES = {
    "plain": "capture → picture in hand, ms",
    "improvements": "each improvement alone, ms",
    "clients": "stock clients, ms",
    "formats": "sizes, rates and codecs, ms",
}
Result = Run | Crowd | SlowLink | Openings | Watching


class Results:
    """Takes results, in the order in which they are measured."""

    def __init__(self, wanted: Format, *, as_json: bool) -> None:
        self.runs: dict[tuple[str, str], list[Run]] = {}
        self.crowds: list[Crowd] = []
        self.links: list[SlowLink] = []
        self.joins: list[Openings] = []
        self.monitors: list[Watching] = []
        self._wanted = wanted
        self._as_json = as_json

    def add(self, result: Result) -> None:
        """Takes one; with JSON it is told at once."""
        match result:
            case Run():
                self.runs.setdefault(result.chain.key, []).append(result)
            case Crowd():
                self.crowds.append(result)
            case SlowLink():
                self.links.append(result)
            case Openings():
                self.joins.append(result)
            case Watching():
                self.monitors.append(result)
        if self._as_json:
            _say_result(result)

    def goals(self) -> list[Goal]:
        """The goals that this run says something about; they hold for 640×480 at 30 fps."""
        return [
            *goals.of_latency(self.runs),
            *goals.of_readers(self.crowds),
            *goals.of_openings(self.joins, self._wanted.fps),
            *goals.of_monitor(self.monitors),
        ]

    def tell(self, tools: dict[str, str]) -> None:
        """Everything, when all is measured. `tools` is what was used, by name."""
        if self._as_json:
            self._say_all(tools)
        else:
            self._print_all(tools)

    def _say_all(self, tools: dict[str, str]) -> None:
        for of in self.runs.values():
            figures = median_of([run.latency for run in of if not run.error])
            times = tables.sooner(self.runs, of)
            chain = of[0].chain
            say(
                "chain", group=chain.group, chain=chain.name, rounds=len(of), **_rounded(dataclasses.asdict(figures)),
                against=chain.against or None, sooner=_rounded(times), note=chain.note,
            )  # fmt: skip
        for goal in self.goals():
            say("goal", text=goal.text, value=_rounded(goal.value), limit=goal.limit, unit=goal.unit, met=goal.met)
        say("bench", version=__version__, format=self._wanted.text, **machine(), **tools)

    def _print_all(self, tools: dict[str, str]) -> None:
        console = Console(highlight=False)
        for group, title in _TITLES.items():
            if any(key[0] == group for key in self.runs):
                _print(console, tables.latency(self.runs, group, title))
            if group == "plain" and (ours := self.runs.get(("plain", "zlfeed"))):
                console.print(tables.stages(ours))
        if self.runs:
            console.print(
                "  Medians over the rounds; max and lost are the worst. first, live: opening →\n"
                "  first picture, → first one at most 100 ms old. CPU: sender/viewer, of a core.\n"
                "  sooner: p50 against the first chain (of its kind), within each round.\n"
            )
        if self.crowds:
            _print(console, tables.readers(self.crowds))
        if self.links:
            _print(console, tables.slow_links(self.links, self._wanted.bitrate))
        if self.joins:
            _print(console, tables.openings(self.joins))
        if self.monitors:
            _print(console, tables.monitors(self.monitors))
        if (table := tables.goals(self.goals())) is not None:
            console.print(table)
        where = machine()
        console.print(f"  {self._wanted.text}, loopback")
        console.print(f"  {where['cpu']}, {where['cores']} cores, load {where['load']}, {where['system']}")
        console.print(f"  zlfeed {__version__}, {', '.join(f'{name} {version}' for name, version in tools.items())}")

    def draw(self, file: Path) -> None:
        """The picture of the latencies. Raises ZlfeedError when it cannot be written."""
        wanted = (("plain", "plain chain"), ("plain", "stock viewer"), ("plain", "zlfeed"), ("plain", "the limit"))
        keys = [key for key in wanted if key in self.runs] or list(self.runs)
        rows = [
            picture.Row(
                key[1],
                [age for run in self.runs[key] for age in run.ages_ms],
                isinstance(self.runs[key][0].chain.sender, Feed),
            )
            for key in keys
        ]
        about = f"{self._wanted.text}; {machine()['cpu']}, {machine()['cores']} cores; loopback"
        try:
            file.write_text(picture.svg(rows, "Capture → picture in hand", about), encoding="utf-8")
        except OSError as error:
            raise ZlfeedError(f"the picture {file} cannot be written: {error.strerror}") from None


def _print(console: Console, things: Iterable[Any]) -> None:
    for thing in things:
        console.print(thing)
    console.print()


def _say_result(result: Result) -> None:
    if isinstance(result, Run):
        say(
            "run", group=result.chain.group, chain=result.chain.name, round=result.number,
            **_rounded(dataclasses.asdict(result.latency)), publisher_cpu=_rounded(result.publisher_cpu),
            server_cpu=_rounded(result.server_cpu), viewer_cpu=_rounded(result.viewer_cpu),
            stages_ms=_rounded(result.stages_ms), ages_ms=_rounded(list(result.ages_ms)), error=result.error or None,
        )  # fmt: skip
        return
    kind = {Crowd: "readers", SlowLink: "slow_link", Openings: "joining", Watching: "monitor"}[type(result)]
    values = _rounded(dataclasses.asdict(result))
    if isinstance(result, SlowLink) and result.behind is not None:
        values["behind"] = _rounded(result.behind._asdict())
    values["round"] = values.pop("number", 1)
    say(kind, **{**values, "error": result.error or None})


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return value


def machine() -> dict[str, Any]:
    """Where it was measured."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "cpu": _cpu_name(),
        "cores": psutil.cpu_count(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}, Python {platform.python_version()}",
        "load": None if load is None else round(load, 1),
    }


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model"):
                return value.strip()
    except OSError:
        return platform.processor() or platform.machine()
    return platform.processor() or platform.machine()
