"""Why a status connection is closed."""

from __future__ import annotations

from enum import IntEnum


class CloseCode(IntEnum):
    """WebSocket close codes: those of RFC 6455 section 7.4.1 and its registry, and two of ours above 4000."""

    GOING_AWAY = 1001
    """The publisher ends."""
    GARBAGE = 1007
    """What came is no message of the protocol."""
    POLICY = 1008
    """No Hello in time, or too many messages."""
    FAILED = 1011
    """The publisher has an error of its own."""
    TRY_LATER = 1013
    """There are as many clients as it takes."""
    BAD_TOKEN = 4401
    OTHER_VERSION = 4406
