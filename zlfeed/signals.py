"""SIGINT, SIGTERM and, on a terminal, SIGHUP end a command in order; a second one ends it at once.

Without a terminal SIGHUP means "read your configuration again" to those who send it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

from zlfeed import logs
from zlfeed.errors import ExitCode

log = logs.get(__name__)

_CODES = {"SIGINT": ExitCode.SIGINT, "SIGTERM": ExitCode.SIGTERM, "SIGHUP": ExitCode.SIGTERM}


class Shutdown:
    """Set by the first signal; `code` is the exit code it asks for."""

    def __init__(self, on_reload: Callable[[], None] | None = None) -> None:
        """`on_reload` is called for a SIGHUP without a terminal; without it that is ignored."""
        self.requested = asyncio.Event()
        self.code: int | None = None
        self._on_reload = on_reload

    def request(self, code: int) -> None:
        """Asks for the end; the first to ask decides the code."""
        if self.code is None:
            self.code = code
            self.requested.set()

    def _on_signal(self, name: str) -> None:
        if self.code is not None:
            force(_CODES[name])
        self.request(_CODES[name])

    @contextmanager
    def installed(self) -> Iterator[Shutdown]:
        """Catches the signals while inside."""
        loop = asyncio.get_running_loop()
        if sys.platform == "win32":
            previous = [signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(self._on_signal, "SIGINT"))]
            try:
                yield self
            finally:
                signal.signal(signal.SIGINT, previous[0])
            return
        has_terminal = sys.stdin is not None and sys.stdin.isatty()
        for name in _CODES:
            ends = name != "SIGHUP" or has_terminal
            loop.add_signal_handler(getattr(signal, name), self._on_signal if ends else self._on_hangup, name)
        try:
            yield self
        finally:
            for name in _CODES:
                loop.remove_signal_handler(getattr(signal, name))

    def _on_hangup(self, name: str) -> None:
        if self._on_reload is None:
            log.info("signal_ignored", name=name)
        else:
            self._on_reload()


def force(code: int) -> None:
    """Ends this process at once, its children first."""
    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.Error:
            continue
    os._exit(code)
