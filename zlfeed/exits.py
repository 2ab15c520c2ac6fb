"""How a child ended, in words."""

from __future__ import annotations

import signal


def exit_words(code: int) -> str:
    """`ended with code 1` or `was killed by SIGKILL`; a negative code is a signal's, as subprocess gives it."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
