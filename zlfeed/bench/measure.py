"""One measurement each: a sender and those who look, from their start to their end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from urllib.parse import urlsplit

import psutil

from zlfeed.bench import figures, viewers
from zlfeed.bench.figures import Behind, Latency, Sample
from zlfeed.bench.plan import Chain, Feed, Format, Plain, Viewer
from zlfeed.bench.senders import Sending, Tools, command, program, sending
from zlfeed.children import Command
from zlfeed.errors import ZlfeedError

_SETTLED_S = 30.0
_SLACK_S = 20.0
_START_S = 2.0
"""What a sender does at its start (its spare encoder, caches) is no part of what it costs."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a chain gave. CPU in percent of one core, with children; `error` when there was no picture."""

    chain: Chain
    number: int
    latency: Latency
    publisher_cpu: float | None = None
    server_cpu: float | None = None
    viewer_cpu: float | None = None
    stages_ms: dict[str, float | None] = field(default_factory=dict)
    ages_ms: Sequence[float] = ()
    error: str = ""

    @property
    def sender_cpu(self) -> float | None:
        """Publisher and server together: what the sending machine pays."""
        return None if self.publisher_cpu is None else self.publisher_cpu + (self.server_cpu or 0.0)


class CpuClock:
    """CPU time of process trees between now and `percent()`, in percent of one core."""

    def __init__(self, groups: Sequence[Iterable[int]]) -> None:
        self._groups = [tuple(group) for group in groups]
        self._began = time.monotonic()
        self._before = [_cpu_seconds(group) for group in self._groups]

    def percent(self) -> list[float | None]:
        """One figure a group; None for a group without processes."""
        elapsed = time.monotonic() - self._began
        spent = [_cpu_seconds(group) - before for group, before in zip(self._groups, self._before, strict=True)]
        return [s / elapsed * 100 if group else None for s, group in zip(spent, self._groups, strict=True)]


def _cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time of processes and their children; 0 for one that is gone."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            for member in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    times = member.cpu_times()
                    total += times.user + times.system
    return total


async def run_chain(chain: Chain, number: int, seconds: float, tools: Tools) -> Run:
    """One run of a chain. A chain that gives no picture is a result too, with the reason."""
    try:
        if chain.sender is None:
            return await _run_limit(chain, number, seconds)
        async with sending(chain.sender, chain.format, tools) as stream:
            start, arguments = viewers.argv(chain.viewer, stream.url, chain.format, seconds, tools.ffmpeg)
            async with command("viewer", *arguments, start=start) as viewer:
                return await _watch(chain, number, seconds, stream, viewer)
    except ZlfeedError as error:
        return Run(chain, number, Latency(), error=str(error))


async def _watch(chain: Chain, number: int, seconds: float, stream: Sending, viewer: Command) -> Run:
    await viewer.line("settled", _SETTLED_S)
    cpu = CpuClock([stream.publisher, stream.server, [viewer.pid]])
    seen = await viewer.line("seen", seconds + _SLACK_S)
    publisher, server, looking = cpu.percent()
    samples = [Sample(*sample) for sample in seen["samples"]]
    return Run(
        chain, number, figures.latency(seen["opened_us"], samples, seen["unread"]), publisher, server, looking,
        dict(stream.stages), figures.ages_ms(figures.steady(samples)),
    )  # fmt: skip


async def _run_limit(chain: Chain, number: int, seconds: float) -> Run:
    gop = chain.format.gop or round(chain.format.fps)
    start, arguments = viewers.limit_argv(chain.format, seconds, gop)
    async with command("limit", *arguments, start=start) as limit:
        await limit.line("settled", _SETTLED_S)
        stages = await limit.line("stages", seconds + _SLACK_S)
        seen = await limit.line("seen", _SLACK_S)
    samples = [Sample(*sample) for sample in seen["samples"]]
    latency = figures.latency(seen["opened_us"], samples, seen["unread"])
    del stages["type"]
    return Run(chain, number, latency, stages_ms=stages, ages_ms=figures.ages_ms(figures.steady(samples)))


@dataclass(frozen=True, slots=True)
class Crowd:
    """What serving many readers cost: CPU of the process that serves them, in percent of one core.

    `idle_cpu` is what it took without readers, so that what else it does (ours: capturing) can be taken off;
    `sender_cpu` that of everything on the sending side.
    """

    server: str
    readers: int
    number: int
    cpu: float | None = None
    idle_cpu: float | None = None
    sender_cpu: float | None = None
    frames_min: int = 0
    frames_max: int = 0
    error: str = ""

    @property
    def added_cpu(self) -> float | None:
        """What the readers cost."""
        return None if self.cpu is None or self.idle_cpu is None else self.cpu - self.idle_cpu


async def run_crowd(
    name: str, sender: Feed | Plain, wanted: Format, counts: Sequence[int], number: int, seconds: float, tools: Tools
) -> list[Crowd]:
    """The cost of so many readers on one sender, for each count in turn."""
    results: list[Crowd] = []
    try:
        async with sending(sender, wanted, tools) as stream:
            # Who serves: MediaMTX or the relay alone; of ours the one process that also captures, without children.
            serving = stream.server or stream.publisher
            await asyncio.sleep(_START_S)
            idle = OwnCpuClock(serving)
            await asyncio.sleep(seconds)
            idle_cpu = idle.percent()
            for count in counts:
                result = await _serve(name, count, number, seconds, stream, serving)
                results.append(replace(result, idle_cpu=idle_cpu))
    except ZlfeedError as error:
        results.append(Crowd(name, 0, number, error=str(error)))
    return results


async def _serve(name: str, count: int, number: int, seconds: float, stream: Sending, serving: Sequence[int]) -> Crowd:
    arguments = (stream.url, str(count), f"{seconds:g}")
    async with command("readers", *arguments, start=program("crowd")) as readers:
        await readers.line("settled", _SETTLED_S)
        own = OwnCpuClock(serving)
        tree = CpuClock([stream.publisher, stream.server])
        seen = await readers.line("seen", seconds + _SLACK_S)
        cpu = own.percent()
        publisher, server = tree.percent()
    frames = seen["frames"] or [0]
    total = None if publisher is None else publisher + (server or 0.0)
    return Crowd(
        name, count, number, cpu, sender_cpu=total, frames_min=min(frames), frames_max=max(frames),
        error="; ".join(seen["errors"]),
    )  # fmt: skip


class OwnCpuClock:
    """CPU time of processes without their children, in percent of one core."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self._began = time.monotonic()
        self._before = self._seconds()

    def _seconds(self) -> float:
        times = [process.cpu_times() for process in self._processes]
        return sum(t.user + t.system for t in times)

    def percent(self) -> float:
        """Since it was made."""
        return (self._seconds() - self._before) / (time.monotonic() - self._began) * 100


@dataclass(frozen=True, slots=True)
class SlowLink:
    """What a viewer saw through a link of so many bit/s. `fps` is what was delivered."""

    server: str
    rate: int
    number: int
    behind: Behind | None = None
    fps: float | None = None
    longest_freeze_ms: float | None = None
    error: str = ""


async def run_slow_link(
    name: str, sender: Feed | Plain, wanted: Format, rate: int, number: int, seconds: float, tools: Tools
) -> SlowLink:
    """The receiver's own viewer through a link of `rate` bit/s, for `seconds`."""
    try:
        async with sending(sender, wanted, tools) as stream:
            parts = urlsplit(stream.url)
            link_arguments = (parts.hostname or "127.0.0.1", str(parts.port), str(rate))
            async with command("slow link", *link_arguments, start=program("slow_link")) as link:
                port = (await link.line("ready", _SLACK_S))["port"]
                url = f"rtsp://127.0.0.1:{port}{parts.path}"
                start, arguments = viewers.argv(Viewer("receive"), url, wanted, seconds, tools.ffmpeg)
                async with command("viewer", *arguments, start=start) as viewer:
                    seen = await viewer.line("seen", seconds + _SETTLED_S + _SLACK_S)
    except ZlfeedError as error:
        return SlowLink(name, rate, number, error=str(error))
    # From the first picture on: what a slow link does to joining is part of it.
    samples = [Sample(*sample) for sample in seen["samples"]]
    gaps = [b.at_us - a.at_us for a, b in pairwise(samples)]
    return SlowLink(
        name, rate, number, figures.behind(samples, seen["ended_us"]),
        len(gaps) * 1e6 / sum(gaps) if sum(gaps) else None, max(gaps) / 1000 if gaps else None,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Openings:
    """How long a viewer waited for its first and for its first live picture, ms; one entry an opening."""

    name: str
    gop: int
    number: int
    first_ms: Sequence[float] = ()
    live_ms: Sequence[float | None] = ()
    error: str = ""


async def run_openings(
    name: str, sender: Feed | Plain, viewer: Viewer, wanted: Format, number: int, count: int, tools: Tools
) -> Openings:
    """Opens a stream `count` times, somewhere in its group of pictures, and reads until it is live."""
    gop = wanted.gop or 0
    try:
        async with sending(sender, wanted, tools) as stream:
            start, arguments = viewers.argv(viewer, stream.url, wanted, 0, tools.ffmpeg, openings=count)
            async with command("viewer", *arguments, start=start) as looking:
                seen = await looking.line("seen", count * _SLACK_S)
    except ZlfeedError as error:
        return Openings(name, gop, number, error=str(error))
    first, live = [], []
    for opening in seen["openings"]:
        samples = [Sample(*sample) for sample in opening["samples"]]
        if samples:
            first.append((samples[0].at_us - opening["opened_us"]) / 1000)
        live.append(figures.live_ms(opening["opened_us"], samples))
    return Openings(name, gop, number, first, live)
