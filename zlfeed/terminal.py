"""A terminal's ways: whether there is one, its colours, and one line at its foot that renews itself."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

GAP = "  "


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person looks at `stream`, on something that obeys escape sequences."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb" and _obeys(stream)


def has_colours(stream: TextIO | None) -> bool:
    """Whether to colour what goes to `stream`. NO_COLOR counts even when it is empty, as it does in the monitor."""
    return "NO_COLOR" not in os.environ and is_terminal(stream)


def _obeys(stream: TextIO) -> bool:
    """Windows consoles obey escape sequences once they are told to (ENABLE_VIRTUAL_TERMINAL_PROCESSING)."""
    if sys.platform != "win32":
        return True
    import ctypes
    import msvcrt

    kernel32 = ctypes.windll.kernel32
    handle = msvcrt.get_osfhandle(stream.fileno())
    mode = ctypes.c_ulong()
    return bool(kernel32.GetConsoleMode(handle, ctypes.byref(mode)) and kernel32.SetConsoleMode(handle, mode.value | 4))


def fitted(parts: Sequence[str], width: int) -> str:
    """As many of the parts, in their order, as `width` columns hold; the first one always, shortened if it must be."""
    line, *rest = parts
    for part in rest:
        if len(line) + len(GAP) + len(part) > width:
            break
        line += GAP + part
    return line if len(line) <= width else line[: max(0, width - 1)] + "…"


class RenewingLine:
    """The line at the foot of a terminal; on anything else nothing of it is written.

    What is printed above it, and the log on the same terminal, make way for it. Parts are in order of importance: a
    narrow terminal shows the first ones. Methods raise BrokenPipeError when nobody reads any more.
    """

    def __init__(self) -> None:
        global _foot
        self.live = is_terminal(sys.stdout)
        self._parts: Sequence[str] = ()
        if self.live:
            _foot = self

    def show(self, parts: Sequence[str]) -> None:
        """Shows these parts instead of those before; none: takes the line away."""
        with _lock:
            self.clear()
            self._parts = parts
            self.redraw()

    def above(self, lines: Iterable[str]) -> None:
        """Prints lines that stay."""
        with _lock:
            self.clear()
            write("".join(f"{line}\n" for line in lines))
            self.redraw()

    def clear(self) -> None:
        """Makes way."""
        if self.live and self._parts:
            write("\r\x1b[K")

    def redraw(self) -> None:
        """Is there again."""
        if self.live and self._parts:
            # The last column stays free: a cursor behind it wraps on some terminals.
            write(fitted(self._parts, shutil.get_terminal_size().columns - 1))


_foot: RenewingLine | None = None
_lock = threading.RLock()
"""The log is written from every thread."""


@contextmanager
def above_foot() -> Iterator[None]:
    """What is written to this terminal meanwhile, by whatever stream, stands above the line that renews itself."""
    with _lock:
        if _foot:
            _foot.clear()
        yield
        if _foot:
            _foot.redraw()


def write(text: str) -> None:
    """Writes to stdout at once."""
    if sys.stdout is not None:
        sys.stdout.write(text)
        sys.stdout.flush()


def silence_stdout() -> None:
    """stdout cannot be written any more: what is said there from now on, or waits in its buffer, goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
