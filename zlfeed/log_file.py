"""--log-file: JSON lines into a file that is rotated. A disk that is slow, full or gone costs the feed nothing."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

QUEUE_LIMIT = 4096
"""Lines that wait for the disk; then new ones are left out and counted."""
_END_S = 2.0


class _Rotating(RotatingFileHandler):
    """Keeps what went wrong, instead of printing a traceback."""

    failure: OSError | None = None

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        self.failure = error if isinstance(error, OSError) else OSError(0, str(error))
        # Opened anew for the next line: what could not be written must not pile up in it.
        stream, self.stream = self.stream, None
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


class LogFile:
    """Written by a thread of its own; `write` never blocks and never raises."""

    def __init__(self, path: Path, size: int, count: int, on_trouble: Callable[[str], None]) -> None:
        """At `size` bytes the file becomes `path.1`, and so on up to `count` of them.

        `on_trouble` gets a sentence when writing fails, once until it works again; in the writing thread.
        """
        self._path = path
        self._handler = _Rotating(path, maxBytes=size, backupCount=count, encoding="utf-8", delay=True)
        self._handler.setFormatter(logging.Formatter("%(message)s"))
        self._on_trouble = on_trouble
        self._lines: queue.Queue[str | None] = queue.Queue(QUEUE_LIMIT)
        self._left_out = 0
        self._in_trouble = False
        self._thread = threading.Thread(target=self._run, name="log-file", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Takes a line, without its end."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._left_out += 1

    def close(self) -> None:
        """Writes what waits, for a moment at most."""
        try:
            self._lines.put(None, timeout=_END_S)
        except queue.Full:
            return
        self._thread.join(_END_S)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            if self._left_out:
                left_out, self._left_out = self._left_out, 0
                self._emit(f'{{"event": "log_lines_left_out", "level": "warning", "lines": {left_out}}}')
            self._emit(line)
        self._handler.close()

    def _emit(self, line: str) -> None:
        self._handler.failure = None
        self._handler.handle(logging.LogRecord("zlfeed", logging.INFO, "", 0, line, None, None))
        failure = self._handler.failure
        if failure is None:
            self._in_trouble = False
        elif not self._in_trouble:
            self._in_trouble = True
            why = os.strerror(failure.errno) if failure.errno else str(failure)
            self._on_trouble(f"the log file {self._path} cannot be written: {why}; the feed goes on without it")
