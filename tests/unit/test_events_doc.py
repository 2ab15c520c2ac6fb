"""docs/events.md names every event and log line that the code has, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "events.md").read_text("utf-8")
LOGGED = {"info", "warning", "error", "exception", "critical"}
COMPOSED = {"alert_latency", "alert_fps", "alert_temperature"}
"""Names that are put together."""


def said_by(call: ast.Call) -> str | None:
    """The event's name, where a call says one literally."""
    function = call.func
    name = (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )
    words = [arg.value if isinstance(arg, ast.Constant) and isinstance(arg.value, str) else "" for arg in call.args]
    owner = function.value if isinstance(function, ast.Attribute) else None
    is_log = (isinstance(owner, ast.Name) and owner.id == "log") or isinstance(owner, ast.Call)
    if name in LOGGED and is_log and words:
        return words[0] or None
    if "grumble" in name and words:
        return words[0] or None
    if name.lstrip("_") in ("event", "on_event", "Notice") and len(words) >= 3:
        return words[1] or None
    return None


def names() -> Iterator[str]:
    for path in sorted((ROOT / "zlfeed").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and (name := said_by(node)):
                yield name


def test_every_name_is_explained() -> None:
    explained = set(re.findall(r"`([a-z_]+)`", PAGE))
    found = set(names())
    assert len(found) > 60
    assert found - explained == set(), "add them to docs/events.md"


def test_every_name_that_is_explained_exists() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "zlfeed").rglob("*.py"))
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    explained = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
    assert {name for name in explained - COMPOSED if f'"{name}"' not in source} == set()
