"""What the tests measure: printed, and kept for docs/reliability.md when `make faults` asks for it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from zlfeed.metrics import percentile

_REPORT = "ZLFEED_FAULTS_REPORT"
_SOAK = "ZLFEED_SOAK_MINUTES"


def wanted() -> bool:
    """Whether figures are to be kept: then faults are repeated as often as a figure needs, else as often as a test."""
    return _REPORT in os.environ


def soak_s() -> tuple[float, float]:
    """How long a soak warms up and how long it measures, s: as many minutes as are asked for, five for a report."""
    if asked := os.environ.get(_SOAK):
        return 120.0, float(asked) * 60
    return (60.0, 300.0) if wanted() else (8.0, 22.0)


def record(fault: str, what_happened: str) -> None:
    """One line of the report: what was done to the feed, and what came of it, in figures."""
    print(f"{fault}: {what_happened}")
    if report := os.environ.get(_REPORT):
        with Path(report).open("a", encoding="utf-8") as out:
            out.write(json.dumps({"fault": fault, "happened": what_happened}, ensure_ascii=False) + "\n")


def spread(values: Sequence[float]) -> str:
    """Values in ms in words: `p50 41, p95 94, worst 120 ms`; a single one as it is."""
    if len(values) == 1:
        return f"{values[0]:.0f} ms"
    p50, p95 = percentile(values, 50), percentile(values, 95)
    return f"p50 {p50:.0f}, p95 {p95:.0f}, worst {max(values):.0f} ms"
