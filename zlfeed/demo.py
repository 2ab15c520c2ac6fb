"""`zlfeed demo`: publisher, receiver and monitor on this machine, each as its users run it, through the public URL."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from zlfeed import logs
from zlfeed.children import Command
from zlfeed.config import Settings
from zlfeed.errors import ExitCode, PortError, UsageError
from zlfeed.net import LOOPBACK, bind_tcp
from zlfeed.signals import Shutdown
from zlfeed.terminal import write

log = logs.get(__name__)

T = TypeVar("T")

_READY_S = 30.0
_IN_ORDER = (ExitCode.OK, ExitCode.SIGINT, ExitCode.SIGTERM)
"""What a command ends with when its user, or its time, ended it."""


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
        publisher = await _command(stack, "publish", *_publish_arguments(settings, camera), hear=True)
        ready = await _unless_asked(publisher.line("ready", _READY_S), shutdown)
        if ready is None:
            return shutdown.code or ExitCode.FAILURE
        _forget_output(stack, publisher)
        urls = ready["urls"]
        lasting = ["--duration", str(settings.duration)] if settings.duration else []
        watching = [urls["rtsp"], "--status-url", urls["websocket"]]
        shown = "--display" if display else "--headless"
        output = ["--json"] if as_json or with_monitor else []
        if as_json:
            write(json.dumps(ready, ensure_ascii=False) + "\n")
        elif not with_monitor:
            write(f"on the air at {urls['rtsp']} (any RTSP player opens it), status at {urls['websocket']}\n")
        receiver = await _command(stack, "receive", *watching, shown, *lasting, *output, hear=with_monitor)
        commands = [receiver, publisher]
        if with_monitor:
            _forget_output(stack, receiver)
            monitor = await _command(stack, "monitor", urls["websocket"], *lasting, hear=False, on_terminal=True)
            commands.insert(0, monitor)
        return await _until_end(commands, shutdown)


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


async def _command(
    stack: contextlib.AsyncExitStack, name: str, *arguments: str, hear: bool, on_terminal: bool = False
) -> Command:
    """A command that is ended with `stack`."""
    command = await Command.start(name, *arguments, hear=hear, on_terminal=on_terminal)
    stack.push_async_callback(command.stop)
    return command


def _forget_output(stack: contextlib.AsyncExitStack, command: Command) -> None:
    """Has what it prints read, and forgotten, until `stack` ends."""
    task = asyncio.create_task(command.drain())

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)


async def _unless_asked(work: Coroutine[Any, Any, T], shutdown: Shutdown) -> T | None:
    """What `work` gives, None when a signal asks for the end first."""
    doing = asyncio.create_task(work)
    asked = asyncio.create_task(shutdown.requested.wait())
    try:
        await asyncio.wait((doing, asked), return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else None
    finally:
        for task in (doing, asked):
            task.cancel()
        await asyncio.gather(doing, asked, return_exceptions=True)


async def _until_end(commands: Sequence[Command], shutdown: Shutdown) -> int:
    """Waits for one of them to end, or for a signal; the exit code. Raises ZlfeedError when one failed."""
    ends = {asyncio.create_task(command.wait()): command for command in commands}
    asked = asyncio.create_task(shutdown.requested.wait())
    try:
        await asyncio.wait((*ends, asked), return_when=asyncio.FIRST_COMPLETED)
        if shutdown.code is not None:
            return shutdown.code
        command, code = next((command, task.result()) for task, command in ends.items() if task.done())
        if code in _IN_ORDER:
            return code
        raise command.failure(code)
    finally:
        for task in (*ends, asked):
            task.cancel()
        await asyncio.gather(*ends, asked, return_exceptions=True)
