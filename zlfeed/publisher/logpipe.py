"""A child's stderr: the last 100 lines are kept, and shown only when it failed."""

from __future__ import annotations

import os
import threading
from collections import deque

from zlfeed.logs import scrub

_KEPT = 100
_LINE_LIMIT = 2000


class LogPipe:
    """A pipe whose write end a child gets as its stderr. A thread drains it, so that the child never waits for us."""

    def __init__(self, name: str) -> None:
        self._read_fd, self.write_fd = os.pipe()
        self._lines: deque[str] = deque(maxlen=_KEPT)
        self._thread = threading.Thread(target=self._drain, name=f"log-{name}", daemon=True)

    def started(self) -> None:
        """The child has its end (or has not come to be): ours is closed, and reading begins."""
        os.close(self.write_fd)
        self.write_fd = -1
        self._thread.start()

    def _drain(self) -> None:
        with open(self._read_fd, "rb", buffering=0) as source:
            rest = b""
            while chunk := source.read(8192):
                *lines, rest = (rest + chunk).split(b"\n")
                self._lines.extend(map(_clean, filter(None, lines)))
                rest = rest[-_LINE_LIMIT:]
            if rest:
                self._lines.append(_clean(rest))

    def lines(self) -> list[str]:
        """The last lines, oldest first, without credentials."""
        return list(self._lines)

    def last_line(self) -> str:
        """The newest line, empty when there is none."""
        return self._lines[-1] if self._lines else ""

    def close(self) -> None:
        """Waits a moment for the reader, which ends when the child has closed its end."""
        if self._thread.is_alive():
            self._thread.join(0.2)


def _clean(line: bytes) -> str:
    return scrub(line[:_LINE_LIMIT].decode("utf-8", "replace").strip())
