"""Asks the person for a token, when a publisher wants one and none is known."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable

from zlfeed import tokens
from zlfeed.config import Settings


def token_for(settings: Settings, host: str, wanted: Callable[[], bool]) -> str:
    """The token for the publisher at `host`: as given, else this machine's own at itself, else what is typed.

    Asks only on a terminal, and only when `wanted` finds that the publisher wants one. Raises UsageError.
    """
    token = tokens.for_client(settings, host)
    if token or not _on_terminal() or not wanted():
        return token
    try:
        typed = getpass.getpass(f"token of the publisher at {host}: ").strip()
    except EOFError:
        return ""
    return tokens.checked(typed, "what was typed") if typed else ""


def _on_terminal() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
