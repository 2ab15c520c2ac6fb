"""The monitor's end by a signal, or with its terminal: in order, which leaves the terminal as it was, else at once.

Textual hands what it draws to a thread through a short queue. A terminal that is gone, or takes nothing any more (a
connection that hangs, Ctrl-S), stops that thread, then everything that has something to draw: the event loop, and the
orderly end too.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from zlfeed.errors import ExitCode

LAST_RESORT_S = 3.0
"""What the orderly end may take."""
_CODES = {"SIGINT": ExitCode.SIGINT, "SIGTERM": ExitCode.SIGTERM, "SIGHUP": ExitCode.SIGTERM}


class Ending:
    """Made before the terminal is changed, so that its line modes can be given back whatever happens."""

    def __init__(self) -> None:
        self._modes = _line_modes()
        self._before: dict[int, Any] = {}

    def catch(self, end: Callable[[int], object]) -> None:
        """From now on a signal calls `end(exit code)`, and LAST_RESORT_S later it ends the process."""

        def on_signal(number: int, _frame: FrameType | None) -> None:
            leave(_CODES[signal.Signals(number).name])

        def leave(code: int) -> None:
            last_resort = threading.Timer(LAST_RESORT_S, self._leave, [code])
            last_resort.daemon = True
            last_resort.start()
            end(code)

        for name in _CODES:
            # Only a main thread may have handlers. Python's own, not the event loop's: that may be what is stuck.
            with contextlib.suppress(ValueError, AttributeError):
                number = getattr(signal, name)
                self._before[number] = signal.signal(number, on_signal)
        if self._modes is not None and sys.platform == "linux":
            # The kernel tells of it by SIGHUP only whom the terminal controls: not what setsid began, or a sandbox.
            threading.Thread(target=self._wait_for_hangup, args=[leave], daemon=True).start()

    def _wait_for_hangup(self, leave: Callable[[int], None]) -> None:
        """Calls `leave` when nobody has the other end of the terminal any more."""
        gone = select.poll()
        gone.register(sys.__stdin__.fileno(), 0)  # type: ignore[union-attr]
        gone.poll()
        if self._before:
            leave(ExitCode.SIGTERM)

    def release(self) -> None:
        """The signals do again what they did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _leave(self, code: int) -> None:
        if self._modes is not None and sys.platform != "win32":
            import termios

            with contextlib.suppress(termios.error, OSError, ValueError):
                termios.tcsetattr(sys.stdin, termios.TCSANOW, self._modes)
        os._exit(code)


def _line_modes() -> list[Any] | None:
    if sys.platform == "win32":
        return None
    import termios

    try:
        return termios.tcgetattr(sys.stdin)
    except (termios.error, OSError, ValueError):
        return None
