"""How many connections a port takes: looked at when one is accepted, before TLS, HTTP or RTSP have had a word.

The servers behind count too, whom they let in, and turn the others away in words. This is for those who never come so
far: who opens connections and leaves a handshake half done has only so many, and the others still have theirs.
"""

from __future__ import annotations

import socket
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from zlfeed.net import is_loopback, neighbourhood

LOCAL_RESERVE = 16
"""Beyond `total`, for this machine."""
_OWN = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """Connections open at a time."""

    total: int
    each: int
    """Of one address; this machine has all there are."""


class Doorway:
    """The count of one port's connections, on all its sockets; `on_refused` hears the address of each beyond it."""

    def __init__(self, limit: Limit, on_refused: Callable[[str], None] = lambda _host: None) -> None:
        self._limit = limit
        self._on_refused = on_refused
        self._open: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._open.total()

    def enter(self, host: str) -> str | None:
        """As whom a connection from there is counted, until `leave`; None when it has no place."""
        who = _OWN if is_loopback(host) else neighbourhood(host)
        total = self._limit.total + (LOCAL_RESERVE if who == _OWN else 0)
        if len(self) >= total or (who != _OWN and self._open[who] >= self._limit.each):
            self._on_refused(host)
            return None
        self._open[who] += 1
        return who

    def leave(self, who: str) -> None:
        """One of those is closed."""
        self._open[who] -= 1
        if self._open[who] <= 0:
            del self._open[who]

    def guard(self, listeners: list[socket.socket]) -> list[socket.socket]:
        """The same listening sockets, which accept no more than that; what was given is detached."""
        return [_Guarded(self, listener) for listener in listeners]


class _Guarded(socket.socket):
    """A listening socket that closes at once what has no place."""

    def __init__(self, doorway: Doorway, listener: socket.socket) -> None:
        family, kind, number = listener.family, listener.type, listener.proto
        super().__init__(family, kind, number, fileno=listener.detach())
        self.setblocking(False)
        self._doorway = doorway

    def accept(self) -> tuple[socket.socket, object]:
        """As socket.accept(). Raises ConnectionAbortedError for one that has no place, which asyncio passes over."""
        found, address = super().accept()
        who = self._doorway.enter(str(address[0]))
        if who is None:
            found.close()
            raise ConnectionAbortedError
        return _Counted(self._doorway, who, found), address


class _Counted(socket.socket):
    """An accepted connection, which leaves the count when it is closed."""

    def __init__(self, doorway: Doorway, who: str, found: socket.socket) -> None:
        family, kind, number = found.family, found.type, found.proto
        super().__init__(family, kind, number, fileno=found.detach())
        self._leave = weakref.finalize(self, doorway.leave, who)  # once, and for one that nobody closes too

    def close(self) -> None:
        """As socket.close()."""
        super().close()
        self._leave()
