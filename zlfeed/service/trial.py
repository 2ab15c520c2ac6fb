"""Whether the service's account can run this installation: found out before a unit is written that cannot start."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from zlfeed.errors import UsageError

_NOBODY = 65534
"""Stands for the account that systemd makes up: neither has a right of its own."""
_S = 60.0


def run(program: Sequence[str], account: str | None) -> None:
    """Starts the program as that account (None: one without rights). Raises UsageError with what is in its way.

    Wants root.
    """
    import pwd

    uid, gid, groups = _NOBODY, _NOBODY, list[int]()
    if account is not None:
        found = pwd.getpwnam(account)
        uid, gid = found.pw_uid, found.pw_gid
        groups = os.getgrouplist(account, gid)
    try:
        done = subprocess.run(
            [*program, "--help"], check=False, capture_output=True, text=True, errors="replace", timeout=_S,
            cwd="/", user=uid, group=gid, extra_groups=groups,
        )  # fmt: skip
        said = done.stderr.strip().splitlines()
        why = (said[-1] if said else f"exit code {done.returncode}") if done.returncode else ""
    except OSError as error:
        why = os.strerror(error.errno or 0)
    except subprocess.TimeoutExpired:
        why = f"it took longer than {_S:g} s"
    if not why:
        return
    who = f"user {account!r}" if account else "the account that systemd makes up for the service"
    closed = _closed(Path(program[0]))
    where = f"{closed} is closed to others" if closed else why
    raise UsageError(
        f"{who} cannot run {program[0]}: {where}; install zlfeed where it may look, as in /opt, "
        "or name the user whose it is with --run-as"
    )


def _closed(program: Path) -> Path | None:
    """The first folder on the program's way, links followed, that not everybody may pass."""
    ways = (program, program.resolve())
    return next((f for way in ways for f in reversed(way.parents) if f.exists() and not f.stat().st_mode & 0o001), None)
