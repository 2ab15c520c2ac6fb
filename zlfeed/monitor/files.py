"""Files that the monitor writes when it is told to: the log, snapshots; into the working folder."""

from __future__ import annotations

import os
import time
from pathlib import Path


def name(about: str, ending: str) -> str:
    """A file's name with the time in it; `about` is from outside and may hold anything."""
    safe = "".join(char if char.isalnum() or char in "-_." else "-" for char in about)
    return f"zlfeed-{safe}-{time.strftime('%Y%m%d-%H%M%S')}.{ending}"


def write(name: str, data: bytes) -> tuple[bool, str]:
    """(True, where it is now), or (False, why not in a sentence)."""
    path = Path(name)
    try:
        path.write_bytes(data)
        return True, str(path.absolute())
    except OSError as error:
        return False, f"{name} cannot be written: {os.strerror(error.errno or 0)}"
