"""How the bench's programs talk to the bench: JSON lines on stdout."""

from __future__ import annotations

import json
import sys
from typing import Any


def say(kind: str, **values: Any) -> None:
    """One line, "type" first."""
    sys.stdout.write(json.dumps({"type": kind, **values}) + "\n")
    sys.stdout.flush()
