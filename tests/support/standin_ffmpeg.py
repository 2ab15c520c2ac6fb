"""FFmpeg with a tap on its output: `python -P standin_ffmpeg.py ORDERS FFMPEG ARGUMENTS…`.

It is FFmpeg in everything, but once the file ORDERS names its process id, or `all`, none of its output comes through;
and started with WORD among its arguments while a line of it is `without WORD`, it complains and ends.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path


def tapped(folder: Path, ffmpeg: str) -> tuple[Path, Path]:
    """An executable that runs FFmpeg with the tap, and its orders' file."""
    program, orders = folder / "tapped-ffmpeg", folder / "silent"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -S "{__file__}" "{orders}" "{ffmpeg}" "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program, orders


def _lines(orders: Path) -> list[str]:
    return orders.read_text().splitlines() if orders.exists() else []


def main(orders: Path, command: list[str]) -> int:
    """Runs FFmpeg until it ends; its exit code."""
    lacking = [line.removeprefix("without ") for line in _lines(orders) if line.startswith("without ")]
    if word := next((word for word in lacking if word in command), None):
        print(f"this FFmpeg is without {word}", file=sys.stderr)
        return 1
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as ffmpeg:
        assert ffmpeg.stdout
        while data := os.read(ffmpeg.stdout.fileno(), 1 << 16):
            if not {str(os.getpid()), "all"} & set(_lines(orders)):
                os.write(1, data)
        return ffmpeg.wait()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
