"""RTSP sessions (RFC 2326 section 3.4 and appendix A): what SETUP has agreed on, found again by its id; no I/O."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from zlfeed.rtsp.stream import LiveStream
from zlfeed.rtsp.transport import Transport

TIMEOUT_S = 60
"""As advertised; a session that shows no sign of life for half as long again is ended."""
MAX_SESSIONS = 512


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
    password: str | None = field(default=None, repr=False)
    """What it was let in by; None where nothing was asked for."""


class SessionTable:
    """All sessions by id. Over UDP a session outlives its connection, and another connection may name it."""

    def __init__(self, limit: int = MAX_SESSIONS) -> None:
        self._limit = limit
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def add(self, session: Session) -> bool:
        """Keeps a session; False when there are too many."""
        if len(self._sessions) >= self._limit:
            return False
        self._sessions[session.id] = session
        return True

    def get(self, session_id: str) -> Session | None:
        """The session of that id."""
        return self._sessions.get(session_id)

    def remove(self, session: Session) -> None:
        """Forgets a session."""
        self._sessions.pop(session.id, None)
