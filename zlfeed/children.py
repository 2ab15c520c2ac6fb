"""zlfeed's own commands as child processes: started, heard, and never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from zlfeed.errors import ExitCode, StartError, ZlfeedError
from zlfeed.publisher.logpipe import LogPipe

_PR_SET_PDEATHSIG = 1
_STOP_S = 4.0
_LINE_LIMIT = 1 << 20


def _die_with_parent() -> None:
    """In the child: the kernel ends it when the thread that started it ends (prctl(2))."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Command:
    """One `zlfeed …` process; started from a process with a single thread (Linux), for it runs code after the fork."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: LogPipe | None) -> None:
        self.name = name
        self._process = process
        self._log = log

    @classmethod
    async def start(
        cls, name: str, *arguments: str, hear: bool, program: Sequence[str] | None = None, on_terminal: bool = False
    ) -> Command:
        """Starts `zlfeed NAME ARGUMENTS` with this interpreter; `hear` its stdout, else it is ours.

        `on_terminal` leaves it our terminal: its keys, its size and what the monitor draws. All others get none of it.
        """
        log = None if on_terminal else LogPipe(name)
        try:
            process = await asyncio.create_subprocess_exec(
                *(program or (sys.executable, "-P", "-m", "zlfeed", name)),
                *arguments,
                stdin=asyncio.subprocess.DEVNULL if log else None,
                stdout=asyncio.subprocess.PIPE if hear else None,
                stderr=log.write_fd if log else None,
                # A session of its own: Ctrl-C on the terminal is for us, and we end the others in order.
                start_new_session=log is not None and sys.platform != "win32",
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
                limit=_LINE_LIMIT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        except OSError as error:
            raise StartError(f"{name} cannot be started: {os.strerror(error.errno or 0)}") from None
        finally:
            if log:
                log.started()
        return cls(name, process, log)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def line(self, kind: str, timeout_s: float) -> dict[str, Any]:
        """The next JSON line of that type on its stdout. Raises StartError when it ends or says nothing in time."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                while raw := await self._process.stdout.readline():
                    with contextlib.suppress(ValueError):
                        line = json.loads(raw)
                        if isinstance(line, dict) and line.get("type", "") == kind:
                            return line
        except TimeoutError:
            raise StartError(f"zlfeed {self.name} said no {kind!r} within {timeout_s:g} s{self._words()}") from None
        raise self.failure(await self.wait())

    async def drain(self) -> None:
        """Reads and forgets its stdout, so that it never waits for us."""
        assert self._process.stdout is not None
        while await self._process.stdout.read(1 << 16):
            pass

    async def wait(self) -> int:
        """Its exit code, negative for a signal."""
        return await self._process.wait()

    def ask_to_end(self) -> None:
        """Has it end in order; what it says last can still be heard."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    async def stop(self) -> None:
        """Ends it in order, then by force; reaped when this returns."""
        for end in (self._process.terminate, self._process.kill):
            if self._process.returncode is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                end()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _STOP_S)
        if self._log:
            self._log.close()

    def failure(self, code: int) -> ZlfeedError:
        """Its end with `code`, which was not asked for, as our own: in its words, with its exit code."""
        error = ZlfeedError(
            self._last_words() or f"zlfeed {self.name} ended by itself (exit code {code}){self._words()}"
        )
        if code in tuple(ExitCode) and code != ExitCode.OK:
            error.exit_code = ExitCode(code)
        return error

    def _last_words(self) -> str:
        """The sentence that ended it."""
        if self._log is None:
            return ""
        self._log.close()
        said = [line.removeprefix("zlfeed: ") for line in self._log.lines() if line.startswith("zlfeed: ")]
        return "\n".join(said)

    def _words(self) -> str:
        last = self._log.last_line().removeprefix("zlfeed: ") if self._log else ""
        return f": {last}" if last else ""
