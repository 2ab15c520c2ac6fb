"""`zlfeed demo`: publisher, receiver and monitor on this machine, each as its users run it, through the public URL."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

from zlfeed import logs
from zlfeed.children import Command
from zlfeed.config import Settings
from zlfeed.errors import ExitCode, PortError, UsageError
from zlfeed.net import LOOPBACK, bind_tcp
from zlfeed.signals import Shutdown

log = logs.get(__name__)

_READY_S = 30.0


def run(settings: Settings, *, camera: str, display: bool, headless: bool, as_json: bool) -> int:
    """Runs the demo to its end; the exit code. Raises ZlfeedError."""
    if headless and display:
        raise UsageError("--headless and --display exclude each other: choose one")
    if not (headless or as_json or sys.stdout.isatty()):
        log.info("demo_headless", reason="stdout is no terminal, so there is no monitor")
        headless = True
    return asyncio.run(_run(settings, camera, display=display, with_monitor=not (headless or as_json), as_json=as_json))


async def _run(settings: Settings, camera: str, *, display: bool, with_monitor: bool, as_json: bool) -> int:
    shutdown = Shutdown()
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(shutdown.installed())
        publisher = await stack.enter_async_context(
            _command("publish", *_publish_arguments(settings, camera), hear=True)
        )
        urls = (await publisher.line("ready", _READY_S))["urls"]
        drain = asyncio.create_task(publisher.drain())
        stack.callback(drain.cancel)
        lasting = ["--duration", str(settings.duration)] if settings.duration else []
        watching = [urls["rtsp"], "--status-url", urls["websocket"]]
        shown = "--display" if display else "--headless"
        output = ["--json"] if as_json or with_monitor else []
        receiver = await stack.enter_async_context(
            _command("receive", *watching, shown, *lasting, *output, hear=with_monitor)
        )
        front = receiver
        if with_monitor:
            heard = asyncio.create_task(receiver.drain())
            stack.callback(heard.cancel)
            front = await stack.enter_async_context(_command("monitor", urls["websocket"], *lasting, hear=False))
        return await _until_end(front, publisher, shutdown)


def _publish_arguments(settings: Settings, camera: str) -> list[str]:
    ports = {"--rtsp-port": settings.rtsp_port, "--websocket-port": settings.websocket_port}
    arguments = ["--camera", camera, "--no-auth", "--host", "localhost", "--json", "--log-format", "text"]
    for option, port in ports.items():
        arguments += [option, str(_free(port, option))]
    return arguments


def _free(port: int, option: str) -> int:
    """The usual port, so that other players find the stream where the README says; another when it is taken."""
    try:
        sockets, _ = bind_tcp(LOOPBACK, port, option=option)
    except PortError as error:
        log.info("demo_other_port", reason=str(error).partition(":")[0], option=option)
        return 0
    for sock in sockets:
        sock.close()
    return port


@contextlib.asynccontextmanager
async def _command(name: str, *arguments: str, hear: bool) -> AsyncIterator[Command]:
    command = await Command.start(name, *arguments, hear=hear)
    try:
        yield command
    finally:
        await command.stop()


async def _until_end(front: Command, publisher: Command, shutdown: Shutdown) -> int:
    """Waits for what the user looks at to end, for a signal, or for the publisher to die."""
    ended = asyncio.create_task(front.wait())
    died = asyncio.create_task(publisher.wait())
    asked = asyncio.create_task(shutdown.requested.wait())
    try:
        await asyncio.wait((ended, died, asked), return_when=asyncio.FIRST_COMPLETED)
        if shutdown.code is not None:
            return shutdown.code
        if ended.done():
            return ended.result() if ended.result() >= 0 else ExitCode.FAILURE
        return died.result() or ExitCode.FAILURE
    finally:
        for task in (ended, died, asked):
            task.cancel()
        await asyncio.gather(ended, died, asked, return_exceptions=True)
