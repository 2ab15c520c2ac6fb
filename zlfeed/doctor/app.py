"""Runs the checks and prints what they found."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from zlfeed import logs
from zlfeed.config import Settings
from zlfeed.doctor import checks, self_test
from zlfeed.doctor.finding import Finding, worst
from zlfeed.errors import ExitCode

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_NARROW = 30
"""Columns for the text; a terminal narrower than that breaks the lines as it can."""


def run(settings: Settings, *, with_self_test: bool, as_json: bool) -> int:
    """Looks at everything; 0 when nothing failed, else 1."""
    if settings.log_level == "info":
        logs.set_level("warning")  # what is worth telling is in the lines
    console = Console(highlight=False)
    found = []
    for finding in _findings(settings, with_self_test):
        found.append(finding)
        if as_json:
            line = json.dumps({"type": "check", **asdict(finding)}, ensure_ascii=False)
            console.print(line, soft_wrap=True, markup=False)
        else:
            _print(console, finding)
    verdict = worst(found)
    if as_json:
        console.print(json.dumps({"type": "verdict", "level": verdict}), markup=False)
    return ExitCode.FAILURE if verdict == "fail" else ExitCode.OK


def _findings(settings: Settings, with_self_test: bool) -> Iterator[Finding]:
    for check in checks.ALL:
        try:
            yield from check(settings)
        except Exception as error:  # a check that fails says so, and the others go on
            yield Finding(check.__name__, "warn", f"this could not be looked at: {error}")
    if with_self_test:
        yield self_test.run()


def _print(console: Console, finding: Finding) -> None:
    """On a terminal long lines are broken below their beginning; elsewhere a finding is a line, and a cure another."""
    cure = f"→ {finding.cure}" if finding.cure and finding.level != "ok" else ""
    for begin, text, style in ((f"{finding.level:<5}{finding.check:<18} ", finding.text, ""), (" " * 24, cure, "dim")):
        if not text:
            continue
        width = max(_NARROW, console.width - 24) if console.is_terminal else len(text)
        lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
        line = Text(begin)
        line.stylize(_STYLES[finding.level], 0, 5)
        line.append(f"\n{'':<24}".join(lines), style)
        console.print(line, soft_wrap=True)
