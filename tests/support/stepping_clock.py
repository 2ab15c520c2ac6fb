"""A process whose wall clock can be set while it runs (libfaketime)."""

from __future__ import annotations

import subprocess
from pathlib import Path

_SLEEPS = Path(__file__).parent / "faketime"


class SteppingClock:
    """The environment for such a process; its clock is this machine's until it is set."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "faketime"
        self.set("+0")
        shown = subprocess.run(["faketime", "-f", "+0", "env"], check=True, capture_output=True, text=True, timeout=20)
        preload = next(line for line in shown.stdout.splitlines() if line.startswith("LD_PRELOAD="))
        self.env = {
            "LD_PRELOAD": preload.removeprefix("LD_PRELOAD="),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            # Asked at each call, libfaketime opens the file anew, under a lock of all its processes: frames are late.
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": str(_SLEEPS),
        }

    def set(self, offset: str) -> None:
        """`+1h`, `-1h`, `+0`: from this machine's clock, within a second."""
        new = self._file.with_suffix(".new")
        new.write_text(offset)
        new.replace(self._file)
