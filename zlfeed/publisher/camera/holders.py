"""Who holds a file open (Linux)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Holder(NamedTuple):
    """A process that has the file open."""

    pid: int
    name: str


def holders(path: str, proc: Path = Path("/proc")) -> list[Holder]:
    """The processes that have `path` open, this one left out; only those that this user may look into."""
    real = os.path.realpath(path)
    found = []
    for folder in proc.glob("[0-9]*"):
        pid = int(folder.name)
        if pid != os.getpid() and _has_open(folder, real):
            try:
                name = (folder / "comm").read_text().strip()
            except OSError:  # It has ended meanwhile.
                continue
            found.append(Holder(pid, name))
    return sorted(found)


def holders_text(path: str) -> str:
    """The holders for people: "PID 312 (ffmpeg) and PID 400 (cheese)", or "" when none is known."""
    return holders_words(holders(path))


def holders_words(found: Iterable[Holder]) -> str:
    """The same of holders that were found before."""
    return " and ".join(f"PID {holder.pid} ({holder.name})" for holder in found)


def _has_open(folder: Path, real: str) -> bool:
    try:
        return any(os.readlink(link) == real for link in (folder / "fd").iterdir())
    except OSError:  # Another user's process, or one that ended while we looked.
        return False
