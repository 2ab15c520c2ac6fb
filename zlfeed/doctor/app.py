"""Runs the checks and prints what they found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from zlfeed.config import Settings
from zlfeed.doctor import checks, self_test
from zlfeed.doctor.finding import Finding, worst
from zlfeed.errors import ExitCode

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def run(settings: Settings, *, with_self_test: bool, as_json: bool) -> int:
    """Looks at everything; 0 when nothing failed, else 1."""
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
    line = Text()
    line.append(f"{finding.level:<5}", _STYLES[finding.level])
    line.append(f"{finding.check:<18} ")
    line.append(finding.text)
    console.print(line, soft_wrap=True)
    if finding.cure and finding.level != "ok":
        console.print(Text(f"{'':<24}→ {finding.cure}", "dim"), soft_wrap=True)
