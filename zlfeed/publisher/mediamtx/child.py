"""One MediaMTX process: started with a configuration of ours, watched, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from pathlib import Path

import psutil

from zlfeed.errors import StartError
from zlfeed.exits import exit_words
from zlfeed.pdeath import with_parent
from zlfeed.publisher.logpipe import LogPipe
from zlfeed.publisher.mediamtx import config
from zlfeed.publisher.mediamtx.config import MediaMtxSettings

_CONFIGURATION = "mediamtx.yml"
_FOLDER = "zlfeed-mediamtx-"
_STOP_STEPS = ((signal.SIGINT, 1.0), (signal.SIGTERM, 0.5), (signal.SIGKILL, 1.0))


class MediaMtxProcess:
    """A running MediaMTX; its configuration file (0600: it holds the token) lives until it has been read."""

    def __init__(
        self, process: asyncio.subprocess.Process, log: LogPipe, folder: tempfile.TemporaryDirectory[str]
    ) -> None:
        self._process = process
        self._log = log
        self._folder = folder
        self._file = Path(folder.name) / _CONFIGURATION

    @classmethod
    async def start(cls, program: Path, settings: MediaMtxSettings) -> MediaMtxProcess:
        """Starts the program. Raises StartError."""
        try:
            log = LogPipe("mediamtx")
        except OSError as error:
            raise StartError(f"{program} cannot be started: {os.strerror(error.errno or 0)}") from None
        folder = None
        try:
            await asyncio.to_thread(_sweep)
            folder = tempfile.TemporaryDirectory(prefix=f"{_FOLDER}{os.getpid()}-")  # a folder of 0700
            file = Path(folder.name) / _CONFIGURATION
            _write_private(file, config.text(settings))
            process = await asyncio.create_subprocess_exec(
                *with_parent([str(program), str(file)]),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log.write_fd,
                stderr=log.write_fd,
                env=config.environment(os.environ),
                cwd=folder.name,
                start_new_session=True,
            )
        except OSError as error:
            if folder is not None:
                folder.cleanup()
            raise StartError(f"{program} cannot be started: {os.strerror(error.errno or 0)}") from None
        finally:
            log.started()
        return cls(process, log, folder)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    async def wait(self) -> str:
        """Waits until it has ended, and says how: exit code or signal, and its last words."""
        code = await self._process.wait()
        await asyncio.to_thread(self._log.close)  # its last words may still be in the pipe
        return f"MediaMTX {exit_words(code)}" + self._words(code)

    def _words(self, code: int) -> str:
        lines = self._log.lines()
        told = [line for line in lines if " ERR " in line or " FAT" in line or "panic" in line]
        if code > 0 and not told:
            told = lines  # it ended by itself: its last line may say why
        return f": {told[-1]}" if told else ""

    def configured(self) -> None:
        """It serves, and needs its configuration no more: should we be killed, no token stays behind."""
        self._file.unlink(missing_ok=True)

    def log_lines(self) -> list[str]:
        """Its last messages."""
        return self._log.lines()

    async def stop(self, *, force: bool = False) -> None:
        """Ends it, by force if need be (`force`: at once, for one that hangs); reaped when this returns."""
        try:
            for step, patience_s in _STOP_STEPS[-1:] if force else _STOP_STEPS:
                if self._process.returncode is not None:
                    break
                with contextlib.suppress(ProcessLookupError):
                    self._process.send_signal(step)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), patience_s)
        finally:
            self._log.close()
            self._folder.cleanup()


def _write_private(file: Path, text: str) -> None:
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)


def _sweep() -> None:
    """Removes what publishers that were killed have left, perhaps with a token in it."""
    for left in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*-*"):
        owner = left.name.removeprefix(_FOLDER).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)  # another user's stays
