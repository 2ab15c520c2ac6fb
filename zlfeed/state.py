"""A small JSON object in the state folder: what was found out or set, for the next start."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

_MAX_BYTES = 1 << 20


def read(path: Path) -> dict[str, Any]:
    """What is kept there; nothing when there is no such file. Raises OSError, ValueError for what is no JSON object."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.loads(file.read(_MAX_BYTES))
    except FileNotFoundError:
        return {}
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds no JSON object")
    return found


def write(path: Path, found: dict[str, Any]) -> None:
    """Keeps it; who reads meanwhile sees the old or the new. Raises OSError, and then the old stays."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        draft.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
