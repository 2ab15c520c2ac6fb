"""Waiting for pipes with a time-out, on POSIX and on Windows."""

from __future__ import annotations

import sys
from collections.abc import Sequence

if sys.platform == "win32":
    import ctypes
    import msvcrt
    import time
    from ctypes import wintypes

    class Readable:
        """Which of a few pipes have something to read, or have ended."""

        many = False
        """Anonymous pipes cannot be waited for on Windows; one can be looked at often."""

        def __init__(self, fds: Sequence[int]) -> None:
            self._fds = list(fds)

        def wait(self, timeout_s: float) -> list[int]:
            """The readable ones, at the latest after `timeout_s`."""
            deadline = time.monotonic() + timeout_s
            while True:
                ready = [fd for fd in self._fds if self._has_data(fd)]
                if ready or time.monotonic() >= deadline:
                    return ready
                time.sleep(0.001)

        def _has_data(self, fd: int) -> bool:
            waiting = wintypes.DWORD()
            handle = msvcrt.get_osfhandle(fd)
            ok = ctypes.windll.kernel32.PeekNamedPipe(handle, None, 0, None, ctypes.byref(waiting), None)
            return not ok or waiting.value > 0  # Not ok: its other end is closed.

        def forget(self, fd: int) -> None:
            """Waits for this one no longer."""
            self._fds.remove(fd)

else:
    import select

    class Readable:
        """Which of a few pipes have something to read, or have ended."""

        many = True

        def __init__(self, fds: Sequence[int]) -> None:
            self._poll = select.poll()
            for fd in fds:
                self._poll.register(fd, select.POLLIN)

        def wait(self, timeout_s: float) -> list[int]:
            """The readable ones, at the latest after `timeout_s`."""
            return [fd for fd, _ in self._poll.poll(timeout_s * 1000)]

        def forget(self, fd: int) -> None:
            """Waits for this one no longer."""
            self._poll.unregister(fd)
