"""Does every fault to the feed and writes what came of it into docs/reliability.md. Run by `make faults`.

What is not possible on this machine (no MediaMTX, no root) is skipped, and its rows stay as they were measured last.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "reliability.md"
TESTS = ("tests/faults", "tests/interop/test_browser.py", "tests/interop/test_page.py")
HEAD = "| what is done to the feed | what comes of it |\n|---|---|\n"
_BETWEEN = re.compile(r"(<!-- figures -->\n).*(<!-- end of figures -->)", re.DOTALL)
_ROW = re.compile(r"^\| (.+?) \| (.+) \|$", re.MULTILINE)


def merged(document: str, measured: dict[str, str], heading: str) -> str:
    """The document with the new figures in its table; a row of which there is none keeps its old one."""
    found = _BETWEEN.search(document)
    if found is None:
        sys.exit(f"{DOCUMENT} has no figures between its marks")
    rows = {fault: happened for fault, happened in _ROW.findall(found[0]) if fault != "what is done to the feed"}
    rows.update(measured)
    table = HEAD + "".join(f"| {fault} | {happened} |\n" for fault, happened in rows.items())
    return document[: found.start()] + found[1] + f"{heading}\n\n{table}" + found[2] + document[found.end() :]


def machine() -> str:
    """What the figures were measured on."""
    system = (
        f"{platform.system()}, {platform.machine()}, {psutil.cpu_count()} cores, Python {platform.python_version()}"
    )
    return f"Measured on {date.today():%Y-%m-%d} ({system})."


def main() -> int:
    """Runs the tests and rewrites the table; pytest's exit code."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "figures.jsonl"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS, *sys.argv[1:]]
        code = subprocess.run(command, cwd=ROOT, check=False, env={**os.environ, "ZLFEED_FAULTS_REPORT": str(report)})
        lines = report.read_text("utf-8").splitlines() if report.exists() else []
    measured = {figure["fault"]: figure["happened"] for figure in map(json.loads, lines)}
    for fault, happened in measured.items():
        sys.stdout.write(f"{fault}: {happened}\n")
    DOCUMENT.write_text(merged(DOCUMENT.read_text("utf-8"), measured, machine()), "utf-8")
    return code.returncode


if __name__ == "__main__":
    sys.exit(main())
