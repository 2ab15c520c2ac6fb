"""Runs the chains one after the other, and prints what they measured."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import platform
import sys
import time
from collections.abc import Sequence

import psutil
from rich.console import Console
from rich.table import Table

from zlfeed import __version__
from zlfeed.bench.chains import CHAINS, Chain, Result
from zlfeed.children import Command
from zlfeed.config import Settings
from zlfeed.errors import ExitCode
from zlfeed.metrics import percentile
from zlfeed.signals import Shutdown

_READY_S = 30.0
_SLACK_S = 40.0


def run(settings: Settings, *, as_json: bool) -> int:
    """Measures each chain for settings.duration seconds; the exit code. Raises ZlfeedError."""
    return asyncio.run(_run(settings, as_json))


async def _run(settings: Settings, as_json: bool) -> int:
    seconds = settings.duration or 10.0
    width, height = settings.size or (640, 480)
    fps = settings.fps or 30.0
    progress = Console(stderr=True)
    shutdown = Shutdown()
    results: list[Result] = []
    with shutdown.installed():
        asked = asyncio.create_task(shutdown.requested.wait())
        for index, chain in enumerate(CHAINS):
            progress.print(f"[{index + 1}/{len(CHAINS)}] {chain.name}: {seconds:g} s", highlight=False)
            source = ["--size", f"{width}x{height}", "--fps", f"{fps:g}", "--bitrate", str(settings.bitrate)]
            measuring = asyncio.create_task(_measure(chain, source, seconds))
            await asyncio.wait((measuring, asked), return_when=asyncio.FIRST_COMPLETED)
            if shutdown.code is not None:
                measuring.cancel()
                await asyncio.gather(measuring, return_exceptions=True)
                return shutdown.code
            results.append(measuring.result())
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    conditions = f"{width}×{height} at {fps:g} fps, {settings.bitrate // 1000} kbit/s, {seconds:g} s each"
    if as_json:
        _print_json(results, conditions)
    else:
        _print_table(results, conditions)
    return ExitCode.OK


async def _measure(chain: Chain, source: Sequence[str], seconds: float) -> Result:
    """One publisher and one viewer, from their start to their end."""
    publish = ["--camera", "test", *source, "--no-auth", "--host", "localhost", "--json", "--log-format", "text"]
    ports = ["--rtsp-port", "0", "--websocket-port", "0"]
    publisher = await Command.start("publish", *publish, *ports, *chain.publish, hear=True)
    try:
        urls = (await publisher.line("ready", _READY_S))["urls"]
        drain = asyncio.create_task(publisher.drain())
        await asyncio.sleep(1.0)  # what FFmpeg does at its start is no part of the picture's way
        if chain.viewer == "receive":
            arguments = [urls["rtsp"], "--status-url", urls["websocket"], "--headless", "--json"]
            viewer = await Command.start("receive", *arguments, "--duration", str(seconds), hear=True)
            kind = "summary"
        else:
            program = (sys.executable, "-P", "-m", "zlfeed.bench.stock_reader")
            viewer = await Command.start("stock reader", urls["rtsp"], str(seconds), hear=True, program=program)
            kind = ""
        try:
            before, began = _cpu_seconds(publisher.pid), time.monotonic()
            speaking = asyncio.create_task(viewer.line(kind, seconds + _SLACK_S))
            viewer_cpu = await _cpu_while(speaking, viewer.pid)
            line = await speaking
            publisher_cpu = (_cpu_seconds(publisher.pid) - before) / (time.monotonic() - began) * 100
        finally:
            await viewer.stop()
        drain.cancel()
        await asyncio.gather(drain, return_exceptions=True)
    finally:
        await publisher.stop()
    return _result(chain, line, publisher_cpu, viewer_cpu)


async def _cpu_while(task: asyncio.Task[dict[str, object]], pid: int) -> float | None:
    """The CPU a process takes from its third second to the end of `task`, percent of a core.

    Its start-up is left out, and so is the time after its last sample: a process that has ended tells nothing.
    """
    await asyncio.wait((task,), timeout=3.0)
    before, began = _cpu_seconds(pid), time.monotonic()
    figure: float | None = None
    while not task.done():
        await asyncio.wait((task,), timeout=0.5)
        if (spent := _cpu_seconds(pid)) > before:
            figure = (spent - before) / (time.monotonic() - began) * 100
    return figure


def _cpu_seconds(pid: int) -> float:
    """CPU time of a process and its children, 0 when it is gone."""
    total = 0.0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for member in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                times = member.cpu_times()
                total += times.user + times.system
    return total


def _result(chain: Chain, line: dict[str, object], publisher_cpu: float, viewer_cpu: float | None) -> Result:
    if chain.viewer == "receive":
        latency = line["latency_ms"] or {}
        assert isinstance(latency, dict)
        p50, p95, p99, top = (latency.get(key) for key in ("p50", "p95", "p99", "max"))
    else:
        values = line["latencies_ms"]
        assert isinstance(values, list)
        p50, p95, p99 = (percentile(values, q) for q in (50, 95, 99))
        top = max(values, default=None)
    return Result(
        chain.name, chain.meaning, p50, p95, p99, top,
        line["first_picture_ms"], line["live_ms"], line["frames"], line["missed"], line["unread_timecodes"],  # type: ignore[arg-type]
        publisher_cpu, viewer_cpu,
    )  # fmt: skip


def _print_json(results: Sequence[Result], conditions: str) -> None:
    for result in results:
        sys.stdout.write(json.dumps({"type": "chain", **dataclasses.asdict(result)}) + "\n")
    about = {"type": "bench", "conditions": conditions, "version": __version__, "machine": platform.machine()}
    sys.stdout.write(json.dumps(about) + "\n")


def _number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _print_table(results: Sequence[Result], conditions: str) -> None:
    console = Console(highlight=False)
    table = Table(title=f"capture → picture in hand, ms ({conditions})", title_justify="left")
    table.add_column("chain")
    for heading in (
        "p50",
        "p95",
        "p99",
        "max",
        "first\npicture",
        "live\nafter",
        "frames",
        "missed",
        "CPU %\npublisher",
        "CPU %\nviewer",
        "p50 ×",
    ):
        table.add_column(heading, justify="right")
    against = results[-1].p50_ms
    for r in results:
        ratio = against / r.p50_ms if against and r.p50_ms else None
        table.add_row(
            r.chain, *map(_number, (r.p50_ms, r.p95_ms, r.p99_ms, r.max_ms)), _number(r.first_picture_ms, 0),
            _number(r.live_ms, 0), str(r.frames), str(r.missed), _number(r.publisher_cpu_percent, 0),
            _number(r.viewer_cpu_percent, 0), "–" if ratio is None else f"{ratio:.1f}",
        )  # fmt: skip
    console.print(table)
    for r in results:
        console.print(f"  {r.chain}: {r.meaning}")
    console.print(
        "  live after: open → first picture at most 100 ms old; pictures before it are not in the percentiles"
    )
    console.print(f"  p50 ×: how many times sooner than the {results[-1].chain}; CPU in percent of one core")
