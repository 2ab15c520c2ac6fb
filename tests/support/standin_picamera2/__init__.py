"""A stand-in for the Python packages picamera2 and libcamera, as Raspberry Pi OS has them for its own Python.

`install(folder)` puts a python3 there that finds them, and nothing else of ours. What they do is in the file that
STANDIN_PICAMERA2 names, JSON: cameras: how many (default 1), sensor, align: 64 or 128, age_ms, most_fps, import_s,
fail: "busy" | "import" | "start" | "hang" (after `frames` pictures), full: full range whatever is asked, log: a file
for the controls that were set.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def install(folder: Path, **behaviour: Any) -> dict[str, str]:
    """Puts a Python that has them into `folder`; the variables under which a program finds it."""
    folder.mkdir(parents=True, exist_ok=True)
    orders = folder / "picamera2.json"
    orders.write_text(json.dumps(behaviour))
    python = folder / "python3"
    # The system's Python has numpy (here: ours), and no other package of ours.
    python.write_text(f'#!/bin/sh\nPYTHONPATH={Path(__file__).parent} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "STANDIN_PICAMERA2": str(orders)}
