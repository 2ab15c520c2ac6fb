"""The versions of what matters, without loading it: from package metadata, and from what programs say of themselves."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

from zlfeed import __version__

_PROGRAM_S = 5.0


def package(name: str) -> str | None:
    """An installed package's version."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def opencv() -> str | None:
    """OpenCV's, by whichever package brings it."""
    names = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
    return next((version for name in names if (version := package(name))), None)


def ffmpeg(program: Path) -> str | None:
    """What FFmpeg says of itself; None when it does not."""
    try:
        said = subprocess.run(
            [str(program), "-version"], check=False, capture_output=True, text=True, errors="replace",
            timeout=_PROGRAM_S, stdin=subprocess.DEVNULL,
        ).stdout  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = said.split("\n", 1)[0].removeprefix("ffmpeg version ").split(" ")
    return words[0] or None


def _first_line(name: str, option: str) -> str | None:
    """What a program on PATH says first."""
    if (program := shutil.which(name)) is None:
        return None
    try:
        said = subprocess.run(
            [program, option], check=False, capture_output=True, text=True, errors="replace",
            timeout=_PROGRAM_S, stdin=subprocess.DEVNULL,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return said.split("\n", 1)[0][:60] or None


def _ffmpeg_here() -> str | None:
    if (program := shutil.which("ffmpeg")) is not None:
        return ffmpeg(Path(program))
    bundled = package("imageio-ffmpeg")
    return f"bundled with imageio-ffmpeg {bundled}" if bundled else None


def lines() -> Iterator[str]:
    """What --version says: zlfeed's own first; the programs are asked at the same time."""
    with ThreadPoolExecutor(2) as asked:
        programs = asked.submit(_ffmpeg_here), asked.submit(_first_line, "mediamtx", "--version")
        yield f"zlfeed {__version__}"
        yield f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
        yield f"OpenCV {opencv() or '–'}"
        yield f"FFmpeg {programs[0].result() or '–'}"
        yield f"MediaMTX {programs[1].result() or '–'}"
    for name in ("numpy", "textual", "websockets", "protobuf", "zeroconf"):
        yield f"{name} {package(name) or '–'}"
