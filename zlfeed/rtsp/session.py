"""RTSP sessions (RFC 2326 section 3.4 and appendix A): what SETUP has agreed on, found again by its id; no I/O."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field

from zlfeed.rtsp.stream import LiveStream
from zlfeed.rtsp.transport import Transport

TIMEOUT_S = 60
"""As advertised; a session that shows no sign of life for half as long again is ended."""
MAX_SESSIONS = 512
MAX_SESSIONS_EACH = 128
"""Of one address that is not this machine's: nobody alone can take all the places."""


@dataclass(slots=True, eq=False)
class Session:
    """One viewer of one stream. `alive` is set by every request and taken back by whoever watches the time.

    `pull` marks our own MediaMTX: no viewer, never dropped, and without the burst, of which it would keep nothing.
    """

    stream: LiveStream
    transport: Transport
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    pull: bool = False
    playing: bool = False
    alive: bool = True
    owner: str = ""
    """Where it was set up from; empty for this machine, which may have as many as there are."""
    password: str | None = field(default=None, repr=False)
    """What it was let in by; None where nothing was asked for."""


class SessionTable:
    """All sessions by id. Over UDP a session outlives its connection, and another connection may name it."""

    def __init__(self, limit: int = MAX_SESSIONS, limit_each: int = MAX_SESSIONS_EACH) -> None:
        self._limit = limit
        self._limit_each = limit_each
        self._each: Counter[str] = Counter()
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def add(self, session: Session) -> bool:
        """Keeps a session; False when there are too many, of all or of its owner. Our own MediaMTX always has room."""
        each = bool(session.owner) and self._each[session.owner] >= self._limit_each
        if not session.pull and (each or len(self._sessions) >= self._limit):
            return False
        self._each[session.owner] += 1
        self._sessions[session.id] = session
        return True

    def get(self, session_id: str) -> Session | None:
        """The session of that id."""
        return self._sessions.get(session_id)

    def remove(self, session: Session) -> None:
        """Forgets a session."""
        if self._sessions.pop(session.id, None) is None:
            return
        self._each[session.owner] -= 1
        if not self._each[session.owner]:
            del self._each[session.owner]
