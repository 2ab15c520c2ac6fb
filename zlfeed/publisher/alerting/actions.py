"""What is done about alerts besides telling them: a command, a webhook. Neither can hold up or end anything else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import signal
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict
from urllib.parse import urlsplit

from zlfeed import __version__, logs
from zlfeed.exits import exit_words
from zlfeed.model import CameraStatus, Event
from zlfeed.pdeath import with_parent
from zlfeed.publisher.alerting.alerts import Alarms, Limits, Outgoing
from zlfeed.publisher.logpipe import LogPipe

log = logs.get(__name__)

COMMAND_S = 10.0
WEBHOOK_S = 5.0
LOOK_S = 1.0
QUEUE_LIMIT = 32
"""Events that wait for a slow command or webhook; then the oldest is dropped."""
_SECRETS = {"ZLFEED_TOKEN", "ZLFEED_READONLY_TOKEN", "ZLFEED_ALERT_WEBHOOK", "ZLFEED_SERVER"}
"""Variables of ours that a command has no use for; whatever it leaves running would keep them."""


class Alerting:
    """Watches the figures, and hands alerts to a command and a webhook; all on the event loop."""

    def __init__(
        self,
        limits: Limits,
        *,
        statuses: Callable[[], Iterable[CameraStatus]],
        on_event: Callable[[str, str, str, str], None],
        command: str | None = None,
        webhook: str | None = None,
    ) -> None:
        """`on_event` takes level, code, text and camera of an alert; it gives every event of the feed to take()."""
        self._alarms = Alarms(limits)
        self._statuses = statuses
        self._on_event = on_event
        self._command = command
        self._webhook = webhook
        self._outgoing = Outgoing()
        self._queue: deque[Event] = deque(maxlen=QUEUE_LIMIT)
        self._filled = asyncio.Event()
        self._dropped = 0
        self._posting: threading.Thread | None = None

    def change(self, limits: Limits, command: str | None, webhook: str | None) -> None:
        """From now on like this; what an alarm was raised for is looked at afresh."""
        self._alarms = Alarms(limits)
        self._command, self._webhook = command, webhook

    def take(self, event: Event) -> None:
        """Takes an event of the feed; what is an alert goes out. Never raises, never blocks."""
        if (self._command or self._webhook) and (going := self._outgoing.take(event, time.monotonic())):
            self._send(going)

    async def run(self) -> None:
        """Until cancelled; a command that runs then is ended."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look())
            tasks.create_task(self._work())

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            now = time.monotonic()
            for status in self._statuses():
                for notice in self._alarms.look(status, now):
                    self._on_event(*notice)
            for event in self._outgoing.due(now):
                self._send(event)

    def _send(self, event: Event) -> None:
        if len(self._queue) == QUEUE_LIMIT:
            self._dropped += 1
            log.warning("alert_dropped", code=self._queue[0].code, dropped=self._dropped)
        self._queue.append(event)
        self._filled.set()

    async def _work(self) -> None:
        """One alert at a time: the command first, then the webhook."""
        while True:
            while not self._queue:
                self._filled.clear()
                await self._filled.wait()
            event = self._queue.popleft()
            line = as_json(event)
            if self._command and (failure := await run_command(self._command, event, line)):
                log.warning("alert_command_failed", code=event.code, error=failure)
            if self._webhook and (failure := await self._post(self._webhook, line)):
                log.warning(
                    "alert_webhook_failed", code=event.code, host=urlsplit(self._webhook).hostname, error=failure
                )

    async def _post(self, url: str, line: bytes) -> str | None:
        if self._posting and self._posting.is_alive():
            return "the webhook still has not answered the one before"
        # A thread of its own that ends with the process: the pool's threads are waited for at the end.
        loop, answer = asyncio.get_running_loop(), asyncio.Event()
        failure: list[str] = []

        def post() -> None:
            try:
                post_json(url, line)
            except (OSError, ValueError) as error:
                failure.append(str(error) or type(error).__name__)
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(answer.set)

        self._posting = threading.Thread(target=post, name="alert-webhook", daemon=True)
        self._posting.start()
        try:
            async with asyncio.timeout(2 * WEBHOOK_S):
                await answer.wait()
        except TimeoutError:
            return f"no answer within {2 * WEBHOOK_S:g} s"
        self._posting = None  # it has said its last; that it may be a moment from its end must not cost the next alert
        return failure[0] if failure else None


def as_json(event: Event) -> bytes:
    """An event as the command and the webhook get it: the `event` line of --json, and the publisher's name."""
    return json.dumps({"type": "event", "publisher": platform.node(), **asdict(event)}, ensure_ascii=False).encode()


def post_json(url: str, line: bytes) -> None:
    """Posts it; blocks for WEBHOOK_S at each step. Raises OSError, with the status of an answer that is a refusal."""
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": f"zlfeed/{__version__}"}
    request = urllib.request.Request(url, data=line, headers=headers, method="POST")
    with urllib.request.urlopen(request, timeout=WEBHOOK_S):
        pass


async def run_command(command: str, event: Event, line: bytes, timeout_s: float | None = None) -> str | None:
    """Runs a shell command with the event on stdin and in ZLFEED_EVENT_…; how it failed, if it did.

    It has COMMAND_S, or `timeout_s`; then it and all it started are killed.
    """
    fields = {f"ZLFEED_EVENT_{name.upper()}": str(value) for name, value in asdict(event).items()}
    words = LogPipe("alert-command")
    try:
        process = await asyncio.create_subprocess_exec(
            *with_parent(["/bin/sh", "-c", command]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=words.write_fd,
            start_new_session=True,
            env={**{name: value for name, value in os.environ.items() if name not in _SECRETS}, **fields},
        )
    except OSError as error:
        return f"it cannot be run: {os.strerror(error.errno or 0)}"
    finally:
        words.started()
    try:
        async with asyncio.timeout(timeout_s or COMMAND_S):
            await process.communicate(line + b"\n")
    except TimeoutError:
        return f"it did not end within {timeout_s or COMMAND_S:g} s"
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
    if process.returncode == 0:
        return None
    await asyncio.to_thread(words.close)
    last = words.last_line()
    return f"it {exit_words(process.returncode or 0)}" + (f": {last}" if last else "")
