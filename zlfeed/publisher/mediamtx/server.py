"""MediaMTX, supervised: process, API and progress; started again with backoff until its budget is spent."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from zlfeed import logs
from zlfeed.errors import StartError
from zlfeed.publisher.mediamtx.api import Api, ApiError, NotAsked, PathState
from zlfeed.publisher.mediamtx.child import MediaMtxProcess
from zlfeed.publisher.mediamtx.config import MediaMtxSettings
from zlfeed.publisher.mediamtx.progress import Progress
from zlfeed.restart import Restarts
from zlfeed.retry import backoff

log = logs.get(__name__)

BUDGET = 5
POLL_S = 0.3
API_TIMEOUT_S = 0.6
API_MISSES = 2
START_S = 10.0
"""How long it may take to serve. A budget of five such starts is spent within its minute."""

EventSink = Callable[[str, str, str], None]


class MediaMtx:
    """Keeps one MediaMTX serving. `paths` is what its API said last; `ready` whether viewers can be served."""

    def __init__(
        self,
        program: Path,
        settings: Callable[[], MediaMtxSettings],
        *,
        feeding: Callable[[], Mapping[str, int]],
        on_event: EventSink,
        on_change: Callable[[], None],
        patience_s: float | None = None,
    ) -> None:
        """`feeding` gives the frames sent to each path so far: while they advance, its bytes must.

        `patience_s`: it is given up when it was missed for so long (or twice as long as its first start took; START_S
        where it has never served), whatever its budget.
        """
        self.paths: dict[str, PathState] = {}
        self.ready = False
        self.ready_since = 0.0
        self.down_since = time.monotonic()
        self.restarts = Restarts(budget=BUDGET, delays=lambda: backoff(first=0.1, factor=1.5))
        self.pid: int | None = None
        self._patience_s = patience_s
        self._first_start_s: float | None = None
        self._missed_since = math.inf
        self._well_at = 0.0
        self._program = program
        self._settings = settings
        self._feeding = feeding
        self._on_event = on_event
        self._on_change = on_change
        self._renewal = asyncio.Event()

    def ask_renewal(self) -> None:
        """Has it started anew with the settings of then, which is no failure of its."""
        self._renewal.set()

    def begin_anew(self, down_since: float) -> None:
        """It gets its port back, which has been closed since then, with a full budget."""
        self.restarts.reset()
        self.restarts.starting()
        self._no_longer(down_since)

    async def run(self) -> None:
        """Keeps it running until cancelled; returns when it is given up."""
        if not self.ready:
            self._missed_since = min(self._missed_since, time.monotonic())
        while True:
            self.restarts.starting()
            self._on_change()
            reason = await self._once()
            now = time.monotonic()
            if self._renewal.is_set():
                self._renewal.clear()
                self._on_event("info", "mediamtx_renewed", "MediaMTX is started anew with the new token")
                continue
            delay = self.restarts.failed(now, reason)
            if delay is None or self._out_of_patience(now):
                why = f"{BUDGET} failures within a minute" if delay is None else "it was missed for too long"
                self.restarts.give_up()
                self._on_event("error", "mediamtx_given_up", f"{reason}; {why}, given up")
                self._on_change()
                return
            self._on_event("warning", "mediamtx_restarted", f"{reason}; started again in {delay:.1f} s")
            self._on_change()
            await asyncio.sleep(delay)

    async def _once(self) -> str:
        """One process from start to end; why it ended."""
        try:
            settings = self._settings()
            process = await MediaMtxProcess.start(self._program, settings)
        except StartError as error:
            return str(error)
        self.pid = process.pid
        hangs = False
        try:
            reason = await self._watch(process, Api(settings.ports.api, settings.api_password, API_TIMEOUT_S))
            hangs = process.runs
            if not self._renewal.is_set():
                log.info("mediamtx_log", lines=process.log_lines())
            return reason
        finally:
            if self.ready:
                self._no_longer(self._well_at if hangs else time.monotonic())
            self.ready = False
            self.pid = None
            self.paths = {}
            await asyncio.shield(process.stop(force=hangs))

    async def _watch(self, process: MediaMtxProcess, api: Api) -> str:
        started, progress = time.monotonic(), Progress()
        served, misses = False, 0
        ended = asyncio.ensure_future(process.wait())
        try:
            while True:
                await asyncio.wait((ended,), timeout=POLL_S if self.ready and not misses else POLL_S / 5)
                now = time.monotonic()
                if ended.done():
                    return ended.result()
                if self._renewal.is_set():
                    return "renewed"
                if self._out_of_patience(now):
                    return "MediaMTX is running, and does not serve"
                try:
                    self.paths = await api.paths()
                    misses = 0
                except NotAsked:
                    continue
                except ApiError as error:
                    misses += 1
                    if (served and misses >= API_MISSES) or now - started > START_S:
                        return f"MediaMTX hangs: its API gave {error}"
                    continue
                received = {name: path.bytes_received for name, path in self.paths.items()}
                if stuck := progress.look(now, self._feeding(), received):
                    return f"MediaMTX is stuck: its path {stuck} received nothing while frames were sent"
                self._well_at = progress.well_at
                self._serves(now, started)
                if self.ready:
                    served = True
                    process.configured()
                elif not served and now - started > START_S:
                    return f"MediaMTX runs, and has no picture to serve after {START_S:g} s"
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)

    def _out_of_patience(self, now: float) -> bool:
        if self._patience_s is None:
            return False
        start_s = START_S if self._first_start_s is None else 2 * self._first_start_s
        return now - self._missed_since > max(self._patience_s, start_s)

    def _no_longer(self, since: float) -> None:
        self.down_since, self._missed_since = since, time.monotonic()

    def _serves(self, now: float, started: float) -> None:
        ready = bool(self.paths) and any(path.ready for path in self.paths.values())
        if ready:
            self.restarts.running(now)
        if ready != self.ready:
            self.ready = ready
            if ready:
                self.ready_since = now
                self._missed_since = math.inf
                if self._first_start_s is None:
                    self._first_start_s = now - started
                gap = (now - self.down_since) * 1000
                self._on_event("info", "mediamtx_ready", f"MediaMTX serves, after {gap:.0f} ms without it")
            else:
                self._no_longer(now)
            self._on_change()
