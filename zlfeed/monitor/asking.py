"""What the terminal says of itself, asked before Textual takes it over: whether it shows sixel, and a cell's size.

The question goes out before Textual is imported and the answer is read after it: nobody waits for it.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import termios
import time
import tty
from typing import NamedTuple

QUESTION = b"\x1b[16t\x1b[c"
"""A cell's size in pixels (XTWINOPS 16), which may stay unanswered; device attributes (DA1), which never do."""
LATE_S = 0.15
"""How long an answer is waited for that has not come during the imports."""
_ATTRIBUTES = re.compile(rb"\x1b\[\?([\d;]*)c")
_CELL = re.compile(rb"\x1b\[6;(\d+);(\d+)t")
_SIXEL = b"4"


class Answer(NamedTuple):
    """Whether sixel is shown; a cell's (width, height) in pixels, None when unknown."""

    sixel: bool = False
    cell: tuple[int, int] | None = None


def parse(said: bytes) -> Answer:
    """What the terminal answered; pure."""
    attributes, cell = _ATTRIBUTES.search(said), _CELL.search(said)
    size = (int(cell[2]), int(cell[1])) if cell else None
    return Answer(attributes is not None and _SIXEL in attributes[1].split(b";"), size if size and all(size) else None)


def cell_size(fd: int) -> tuple[int, int] | None:
    """A cell's (width, height) in pixels as the kernel knows it; None where it does not."""
    try:
        rows, cells, across, down = struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))
    except OSError:
        return None
    return (across // cells, down // rows) if cells and rows and across >= cells and down >= rows else None


class Question:
    """One question to the terminal at `fd`. `answer()` gives the terminal back as it was."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._before = termios.tcgetattr(fd)
        tty.setcbreak(fd, termios.TCSANOW)
        os.write(fd, QUESTION)

    def answer(self) -> Answer:
        """What it said; waits at most a moment."""
        said, until = b"", time.monotonic() + LATE_S
        try:
            while not _ATTRIBUTES.search(said):
                ready, _, _ = select.select([self._fd], [], [], max(0.0, until - time.monotonic()))
                if not ready or not (data := os.read(self._fd, 1024)):
                    break
                said += data
        finally:
            termios.tcsetattr(self._fd, termios.TCSANOW, self._before)
        answer = parse(said)
        return answer._replace(cell=cell_size(self._fd) or answer.cell)
