"""`zlfeed …` as its users run it: a process of its own, with its JSON lines, its words, and what it leaves behind."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import psutil

from zlfeed.pdeath import with_parent

_TAG = "ZLFEED_TEST_RUN"
_TRIALS = Path("zlfeed", "encoders.json")
_trials: list[bytes] = []
"""What the last publisher kept of its encoder trials: who starts the next has published on this machine before."""


class Running:
    """A command that runs, apart from this machine's configuration. At the end everything it started is ended too.

    Its processes are told by a mark in their environment, `env`, which children inherit and nothing else has.
    """

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        wrapper: Sequence[str] = (),
        cwd: Path | None = None,
        program: Sequence[str] = ("-m", "zlfeed"),
    ) -> None:
        self._arguments = arguments
        self._wrapper = wrapper
        self._program = program
        self._tag = uuid.uuid4().hex
        self._folder = tempfile.TemporaryDirectory(prefix="zlfeed-test-")
        self._cwd = cwd or Path(self._folder.name)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("ZLFEED_", "FAKETIME")) and k not in _OLDER}
        home = dict.fromkeys(("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), self._folder.name)
        self.env = {**clean, **home, "PYTHONUNBUFFERED": "1", _TAG: self._tag, **(env or {})}
        if _trials and not (env and "XDG_STATE_HOME" in env):
            kept = Path(self._folder.name, _TRIALS)
            kept.parent.mkdir()
            kept.write_bytes(_trials[-1])
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._words: list[str] = []
        self.out: list[str] = []
        """Every line of stdout so far."""

    def __enter__(self) -> Self:
        command = [*self._wrapper, sys.executable, "-P", *self._program, *self._arguments]
        command[0] = shutil.which(command[0]) or command[0]
        command = with_parent(command)  # should the tests be killed, nothing stays
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=self._cwd, env=self.env, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout
        assert self.process.stderr
        self._threads = [
            threading.Thread(target=self._read_out, args=(self.process.stdout,), daemon=True),
            threading.Thread(target=self._read_words, args=(self.process.stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kill()
        self.process.wait(10)
        for thread in self._threads:
            thread.join(5)
        assert self.process.stdout
        assert self.process.stderr
        self.process.stdout.close()
        self.process.stderr.close()
        with contextlib.suppress(OSError):
            _trials[:] = [Path(self.env["XDG_STATE_HOME"], _TRIALS).read_bytes()]
        self._folder.cleanup()
        if error is not None:
            error.add_note(f"zlfeed {' '.join(self._arguments)} said on stderr:\n{self.words[-4000:]}")

    def _kill(self) -> None:
        for process in self.processes():
            try:
                process.kill()
            except psutil.Error:
                continue

    def close(self) -> None:
        """For one that others started, with `env`: ends what is left of it."""
        self._kill()
        self._folder.cleanup()

    def _read_out(self, stream: IO[str]) -> None:
        for line in stream:
            self.out.append(line)
            self._lines.put(line)
        self._lines.put(None)

    def _read_words(self, stream: IO[str]) -> None:
        self._words.extend(stream)

    @property
    def words(self) -> str:
        """What it said on stderr so far."""
        return "".join(self._words)

    def line(self, kind: str, within_s: float = 30.0, **fields: Any) -> dict[str, Any]:
        """The next JSON line of that type in which these fields have these values."""
        deadline = time.monotonic() + within_s
        while (left := deadline - time.monotonic()) > 0:
            try:
                text = self._lines.get(timeout=left)
            except queue.Empty:
                break
            assert text is not None, (
                f"it ended (exit code {self.process.wait(10)}) before a {kind!r} line\n{self.words}"
            )
            line: dict[str, Any] = json.loads(text)
            if line["type"] == kind and all(line.get(name) == value for name, value in fields.items()):
                return line
        raise AssertionError(f"no {kind!r} line {fields or ''} within {within_s:g} s")

    def wait(self, within_s: float = 20.0) -> int:
        """Its exit code, once it has ended and all its words are here."""
        code = self.process.wait(within_s)
        for thread in self._threads:
            thread.join(within_s)
        return code

    def end(self, number: int = signal.SIGINT, within_s: float = 20.0) -> int:
        """Sends it a signal and waits; its exit code."""
        zlfeed = psutil.Process(self.process.pid)
        if self._wrapper:
            (zlfeed,) = zlfeed.children()
        zlfeed.send_signal(number)
        return self.wait(within_s)

    def processes(self) -> list[psutil.Process]:
        """It and whatever it started that still runs, wherever it hangs in the process tree."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(_TAG) == self._tag and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def left_behind(self, within_s: float = 5.0) -> list[str]:
        """What still runs after that long; empty is good."""
        deadline = time.monotonic() + within_s
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return [_command_line(process) for process in left]


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return f"PID {process.pid}"


_OLDER = {
    "PI_VPN_IP", "WINDOWS_VPN_IP", "WEBSOCKET_PORT", "RTSP_PORT", "HLS_PORT", "WEBRTC_PORT", "STREAM_NAME",
    "CONNECTION_TIMEOUT",
}  # fmt: skip

PUBLISH = ("publish", "--json", "--no-auth", "--server", "embedded", "--rtsp-port", "0", "--websocket-port", "0")
"""A publisher for tests: this machine only, on ports of its own, without a MediaMTX that may be here."""


def publishing(*arguments: str, **options: Any) -> Running:
    """A publisher, of the test picture unless the arguments name a --camera."""
    camera = () if any(argument.startswith("--camera") for argument in arguments) else ("--camera", "test")
    return Running(*PUBLISH, *camera, *arguments, **options)


def receiving(urls: Mapping[str, str], *arguments: str, **options: Any) -> Running:
    """A headless receiver of what a publisher's `ready` line names."""
    return Running(
        "receive", urls["rtsp"], "--status-url", urls["websocket"], "--headless", "--json", *arguments, **options
    )
