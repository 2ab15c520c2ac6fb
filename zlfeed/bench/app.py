"""`zlfeed bench`: runs what was asked for, round by round, and tells what it measured."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from zlfeed.bench import measure, plan, terminal, viewers
from zlfeed.bench.plan import Chain, Feed, Format, Plain, Server, Viewer
from zlfeed.bench.results import Result, Results
from zlfeed.bench.senders import Tools
from zlfeed.config import Settings
from zlfeed.errors import ExitCode, UsageError, ZlfeedError
from zlfeed.opencv import load_cv2
from zlfeed.publisher.encode.ffmpeg import find_ffmpeg
from zlfeed.publisher.mediamtx.locate import locate
from zlfeed.signals import Shutdown

GROUPS = ("plain", "improvements", "limit", "clients", "formats", "readers", "slow", "joining", "monitor")
DEFAULT = ("plain", "improvements", "limit")
DRAWN = ("plain", "improvements", "limit", "clients", "formats")
"""Those of which a picture can be drawn."""
READERS = (1, 10, 50, 200)
CODECS = ("h264", "h265")
CROWD_SECONDS = 8.0
"""CPU times come in steps of 10 ms."""
LINK_SHARES = (2.0, 1.0, 0.75, 0.5)
"""Of the bitrate: what the slow link lets through."""
LINK_SECONDS = 20.0
MONITOR_SECONDS = 20.0
"""It draws twice a second, and CPU times come in steps of 10 ms."""
GOPS = (10, 60, 300)
OPENINGS = 6


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure: `groups` of GROUPS, so many rounds, so many seconds a run; where to draw."""

    groups: Sequence[str] = DEFAULT
    rounds: int = 2
    seconds: float = 4.0
    picture: Path | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One measurement: what it is called, and how it is made."""

    text: str
    make: Callable[[], Awaitable[Sequence[Result]]]


def groups_of(only: str | None, *, everything: bool) -> tuple[str, ...]:
    """The groups that --only names, in their own order. Raises UsageError."""
    if everything:
        return GROUPS
    if only is None:
        return DEFAULT
    asked = [name.strip() for name in only.split(",") if name.strip()]
    if wrong := [name for name in asked if name not in GROUPS]:
        raise UsageError(f"--only knows no group {wrong[0]!r}: it takes one or more of {','.join(GROUPS)}")
    if not asked:
        raise UsageError(f"--only takes one or more of {','.join(GROUPS)}")
    return tuple(name for name in GROUPS if name in asked)


def check_picture(file: Path, groups: Sequence[str]) -> None:
    """Raises UsageError when the picture could not be drawn: told now, and not when all is measured."""
    if not set(groups) & set(DRAWN):
        raise UsageError(f"--picture draws the latencies of the groups {','.join(DRAWN)}: name one with --only")
    folder = file.absolute().parent
    if file.is_dir() or not os.access(file if file.exists() else folder, os.W_OK):
        raise UsageError(f"--picture {file} cannot be written: give a file in a folder that is there and yours")


def run(settings: Settings, options: Options, *, as_json: bool) -> int:
    """Measures; the exit code. Raises ZlfeedError."""
    return asyncio.run(_run(settings, options, as_json))


async def _run(settings: Settings, options: Options, as_json: bool) -> int:
    if settings.codec not in CODECS:
        raise UsageError(f"bench compares with what the usual chain can do, which is {' and '.join(CODECS)}")
    if options.picture is not None:
        check_picture(options.picture, options.groups)
    width, height = settings.size or (640, 480)
    wanted = Format(width, height, settings.fps or 30.0, settings.bitrate, settings.codec, settings.gop)
    found = locate(settings.mediamtx_path)
    tools = Tools(find_ffmpeg(settings.ffmpeg_path), found.path if found else None)
    progress = Console(stderr=True, highlight=False)
    results = Results(wanted, as_json=as_json)
    steps = list(_steps(options, wanted, tools, progress))
    if not steps:
        raise ZlfeedError("there is nothing to measure")
    code = await _measured(steps, results, progress)
    if results.runs or results.crowds or results.links or results.joins or results.monitors:
        versions = {"FFmpeg": _ffmpeg_version(tools.ffmpeg), "OpenCV": load_cv2().__version__}
        results.tell(versions | ({"MediaMTX": found.version} if found else {}))
        if options.picture is not None and results.runs:
            results.draw(options.picture)
    return code


async def _measured(steps: Sequence[Step], results: Results, progress: Console) -> int:
    """Takes every step, or those until a signal; the exit code."""
    shutdown = Shutdown()
    with shutdown.installed():
        asked = asyncio.create_task(shutdown.requested.wait())
        began = time.monotonic()
        for done, step in enumerate(steps):
            left = (time.monotonic() - began) / done * (len(steps) - done) if done else None
            about = "" if left is None else f", about {left:.0f} s left"
            progress.print(f"[{done + 1}/{len(steps)}] {step.text}{about}", markup=False)
            measuring = asyncio.ensure_future(step.make())
            await asyncio.wait((measuring, asked), return_when=asyncio.FIRST_COMPLETED)
            if shutdown.code is not None:
                measuring.cancel()
                await asyncio.gather(measuring, return_exceptions=True)
                return shutdown.code
            for result in measuring.result():
                results.add(result)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    return ExitCode.OK


def _steps(options: Options, wanted: Format, tools: Tools, progress: Console) -> Iterator[Step]:
    server: Server = "mediamtx" if tools.mediamtx else "relay"
    if tools.mediamtx is None:
        progress.print("no MediaMTX on PATH: the plain chain goes through a relay with every improvement off")
    chains = list(_chains(options, wanted, server, progress))
    for number, chain in plan.interleaved(chains, options.rounds):
        yield _chain_step(chain, number, options, tools)
    both: list[tuple[str, Feed | Plain]] = [
        ("zlfeed", Feed()),
        ("MediaMTX" if tools.mediamtx else "plain relay", Plain(server)),
    ]
    for number, (name, sender) in plan.interleaved(both, options.rounds):
        if "readers" in options.groups:
            yield _readers_step(name, sender, wanted, number, options, tools)
    rates = [round(share * wanted.bitrate) for share in LINK_SHARES]
    fixed: tuple[str, Feed | Plain] = ("zlfeed, fixed bitrate", Feed(("--no-adaptive",)))
    links = [(name, sender, rate) for rate in rates for name, sender in (both[0], fixed, *both[1:])]
    for number, (name, sender, rate) in plan.interleaved(links, options.rounds):
        if "slow" in options.groups:
            yield _link_step(name, sender, rate, wanted, number, options, tools)
    if "joining" in options.groups:
        yield from _joining_steps(both, wanted, options, tools)
    if "monitor" in options.groups:
        for number in range(1, options.rounds + 1):
            yield _monitor_step(wanted, number, options, tools)


def _chains(options: Options, wanted: Format, server: Server, progress: Console) -> Iterator[Chain]:
    if "plain" in options.groups:
        yield from plan.plain_group(wanted, server)
    if "limit" in options.groups:
        if importlib.util.find_spec("av"):
            yield from plan.limit_group(wanted)
        else:
            progress.print("no PyAV here, so the limit is not measured: python -m pip install av")
    if "improvements" in options.groups:
        yield from plan.improvements_group(wanted)
    if "clients" in options.groups:
        yield from plan.clients_group(wanted, server, viewers.installed())
    if "formats" in options.groups:
        yield from plan.formats_group(server)


def _chain_step(chain: Chain, number: int, options: Options, tools: Tools) -> Step:
    async def make() -> Sequence[Result]:
        return [await measure.run_chain(chain, number, options.seconds, tools)]

    return Step(f"round {number}: {chain.group}, {chain.name}", make)


def _readers_step(name: str, sender: Feed | Plain, wanted: Format, number: int, options: Options, tools: Tools) -> Step:
    async def make() -> Sequence[Result]:
        seconds = max(options.seconds, CROWD_SECONDS)
        return await measure.run_crowd(name, sender, wanted, READERS, number, seconds, tools)

    return Step(f"round {number}: {name}, {', '.join(map(str, READERS))} readers", make)


def _link_step(
    name: str, sender: Feed | Plain, rate: int, wanted: Format, number: int, options: Options, tools: Tools
) -> Step:
    seconds = max(options.seconds, LINK_SECONDS)

    async def make() -> Sequence[Result]:
        return [await measure.run_slow_link(name, sender, wanted, rate, number, seconds, tools)]

    return Step(f"round {number}: {name} through {rate // 1000} kbit/s", make)


def _joining_steps(
    both: Sequence[tuple[str, Feed | Plain]], wanted: Format, options: Options, tools: Tools
) -> Iterator[Step]:
    (_, ours), (usual, plain) = both
    chains: list[tuple[str, Feed | Plain, Viewer]] = [
        ("zlfeed", ours, Viewer("receive")),
        ("zlfeed, OpenCV", ours, Viewer()),
        (f"{usual}, OpenCV", plain, Viewer()),
    ]
    cases = [(name, sender, viewer, gop) for gop in GOPS for name, sender, viewer in chains]
    for number, (name, sender, viewer, gop) in plan.interleaved(cases, options.rounds):
        yield _joining_step(name, sender, viewer, replace(wanted, gop=gop), number, tools)


def _joining_step(name: str, sender: Feed | Plain, viewer: Viewer, wanted: Format, number: int, tools: Tools) -> Step:
    async def make() -> Sequence[Result]:
        return [await measure.run_openings(name, sender, viewer, wanted, number, OPENINGS, tools)]

    return Step(f"round {number}: joining {name} at GOP {wanted.gop}", make)


def _monitor_step(wanted: Format, number: int, options: Options, tools: Tools) -> Step:
    async def make() -> Sequence[Result]:
        return [await terminal.run_monitor(wanted, number, max(options.seconds, MONITOR_SECONDS), tools)]

    return Step(f"round {number}: the monitor at {terminal.CELLS}×{terminal.ROWS}", make)


def _ffmpeg_version(ffmpeg: Path) -> str:
    try:
        done = subprocess.run([ffmpeg, "-version"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return os.fspath(ffmpeg)
    words = done.stdout.split()
    return words[2] if len(words) > 2 else os.fspath(ffmpeg)
