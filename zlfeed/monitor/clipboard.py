"""The clipboard of who sits in tmux: it takes no OSC 52 from its programs unless told to, but has a command for it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

_LIMIT_S = 1.0


def by_tmux(text: str, environ: Mapping[str, str]) -> bool:
    """Whether tmux has put `text` into its buffer and the terminal's clipboard (tmux 3.2 and newer)."""
    if "TMUX" not in environ:
        return False
    try:
        done = subprocess.run(
            ["tmux", "load-buffer", "-w", "-"], input=text.encode(), capture_output=True, timeout=_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
