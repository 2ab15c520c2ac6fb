"""The whole chain on this machine: test picture, publisher, receiver, each as users run it; the verdict in ms."""

from __future__ import annotations

import asyncio

from zlfeed.children import Command
from zlfeed.doctor.finding import Finding
from zlfeed.errors import StartError

_READY_S = 30.0
_SECONDS = 3
_SLOW_MS = 50.0
"""Above this a machine is too slow or too busy for its picture, whatever the reason."""


def run() -> Finding:
    """Runs it once."""
    return asyncio.run(_run())


async def _run() -> Finding:
    arguments = ["--camera", "test", "--no-auth", "--host", "localhost", "--server", "embedded", "--json"]
    try:
        publisher = await Command.start("publish", *arguments, "--rtsp-port", "0", "--websocket-port", "0", hear=True)
        try:
            urls = (await publisher.line("ready", _READY_S))["urls"]
            draining = asyncio.create_task(publisher.drain())
            watching = [urls["rtsp"], "--status-url", urls["websocket"], "--headless", "--json"]
            receiver = await Command.start("receive", *watching, hear=True)
            try:
                summary = await _watched(receiver)
            finally:
                await receiver.stop()
                draining.cancel()
                await asyncio.gather(draining, return_exceptions=True)
        finally:
            await publisher.stop()
    except StartError as error:
        return Finding("self test", "fail", str(error))
    return verdict(summary)


async def _watched(receiver: Command) -> dict[str, object]:
    """The summary of some seconds from the first timed picture on, however long a busy machine takes to that."""
    try:
        async with asyncio.timeout(_READY_S):
            while (await receiver.line("second", _READY_S))["latency_ms"] is None:
                pass
    except TimeoutError:
        pass  # the verdict says what came instead
    else:
        for _ in range(_SECONDS):
            await receiver.line("second", _READY_S)
    receiver.ask_to_end()
    return await receiver.line("summary", _READY_S)


def verdict(summary: dict[str, object]) -> Finding:
    """What the receiver's summary says of this machine."""
    latency = summary["latency_ms"]
    if not isinstance(latency, dict):
        return Finding("self test", "fail", f"{summary['frames']} pictures came, their latency unknown")
    text = (
        f"{summary['frames']} pictures, {summary['missed']} missed, latency p50 {latency['p50']} ms, "
        f"p99 {latency['p99']} ms ± {summary['latency_error_ms']} ms"
    )
    if latency["p50"] > _SLOW_MS:
        return Finding("self test", "warn", text, "this machine is busy or slow: a smaller --size or --fps helps")
    return Finding("self test", "ok", text)
