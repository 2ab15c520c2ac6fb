"""`zlfeed config`: which settings are in force, and where each was said."""

from __future__ import annotations

import json
import os
from pathlib import Path

from rich.console import Console
from rich.table import Table

from zlfeed import config
from zlfeed.config import Settings
from zlfeed.errors import ExitCode, UsageError
from zlfeed.logs import scrub

_SECRET = ("token", "alert_command", "alert_webhook")
_UNSET = "–"


def rows() -> list[tuple[str, str, str]]:
    """Name, value and origin of every setting, secrets hidden. Raises UsageError when one is wrong."""
    settings = config.load()
    origins = config.origins()
    return [
        (name, _shown(name, getattr(settings, name)), origins.get(name, "default")) for name in Settings.model_fields
    ]


def _shown(name: str, value: object) -> str:
    if value is None:
        return _UNSET
    if name in _SECRET:
        return "(hidden)"
    if name == "size" and isinstance(value, tuple):
        return "x".join(map(str, value))
    if isinstance(value, list):
        return ", ".join(map(str, value)) or _UNSET
    if isinstance(value, bool):
        return "yes" if value else "no"
    return scrub(str(value))


def show(*, as_json: bool) -> int:
    """Prints them all; the exit code."""
    console = Console(highlight=False)
    found = rows()
    if as_json:
        for name, value, origin in found:
            known = None if value == _UNSET else value
            line = {"type": "setting", "name": name, "value": known, "origin": origin}
            console.print(json.dumps(line, ensure_ascii=False), soft_wrap=True, markup=False)
        return ExitCode.OK
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("setting", "value", "said by"):
        table.add_column(heading, overflow="fold")
    for name, value, origin in found:
        table.add_row(name, value, origin, style="dim" if origin == "default" else None)
    console.print(table)
    return ExitCode.OK


def validate(file: Path | None) -> int:
    """Says whether the configuration, or that file, is right; the exit code. Raises UsageError with what is wrong."""
    if file is not None:
        if not file.is_file():
            raise UsageError(f"there is no file {file}")
        os.environ["ZLFEED_CONFIG"] = str(file)
    path = config.config_file()
    try:
        config.load()
    except UsageError as error:
        raise UsageError("\n".join(_with_line(line, path) for line in str(error).splitlines())) from None
    said = f"{path} is right" if path.is_file() else f"there is no {path}, and the rest of the configuration is right"
    Console(highlight=False).print(said, soft_wrap=True, markup=False)
    return ExitCode.OK


def _with_line(sentence: str, path: Path) -> str:
    """The sentence with the file's line that it speaks of, where there is one."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return sentence
    for number, line in enumerate(lines, 1):
        key = line.partition("=")[0].strip()
        if key and not key.startswith("#") and (f"the setting {key} " in sentence or f"no setting {key!r}" in sentence):
            return f"{path}, line {number}: {sentence.removeprefix(f'{path}: ')}"
    return sentence
