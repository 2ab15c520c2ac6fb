"""Where MediaMTX is, and whether it is new enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from zlfeed.errors import StartError

MINIMUM = (1, 20)
_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Program:
    """A MediaMTX that can be used."""

    path: Path
    version: str


def data_folder() -> Path:
    """Where `zlfeed mediamtx install` puts it."""
    return platformdirs.user_data_path("zlfeed") / "mediamtx"


def locate(asked: Path | None) -> Program | None:
    """The program: as asked, else the first that will do of PATH's and the data folder's; None when there is none.

    Raises StartError when the one asked for is missing, or all that were found are too old or do not run.
    """
    if asked is not None:
        found = shutil.which(str(asked))
        if found is None:
            raise StartError(f"there is no program at --mediamtx-path {asked}: give the path of mediamtx")
        return _usable(Path(found).absolute())
    name = "mediamtx.exe" if os.name == "nt" else "mediamtx"
    refused: StartError | None = None
    for found in (shutil.which("mediamtx"), shutil.which(str(data_folder() / name))):
        if found is not None:
            try:
                return _usable(Path(found).absolute())
            except StartError as error:
                refused = refused or error
    if refused is not None:
        raise refused
    return None


def _usable(path: Path) -> Program:
    version = version_of(path)
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    if numbers and (int(numbers[1]), int(numbers[2])) < MINIMUM:
        wanted = ".".join(map(str, MINIMUM))
        raise StartError(
            f"{path} is MediaMTX {version}, and {wanted} or newer is needed: update it, name another with "
            "--mediamtx-path, or go without it by --server embedded"
        )
    return Program(path, version)


def version_of(path: Path) -> str:
    """What a program says that its version is. Raises StartError when it is no MediaMTX, or does not run."""
    try:
        done = subprocess.run(
            [str(path), "--version"],
            check=False,
            capture_output=True,
            timeout=_TIMEOUT_S,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise StartError(f"{path} --version did not answer within {_TIMEOUT_S:g} s: is it MediaMTX?") from None
    except OSError as error:
        raise StartError(f"{path} cannot be run: {os.strerror(error.errno or 0)}") from None
    version = done.stdout.strip().splitlines()[0].strip() if done.stdout.strip() else ""
    if not re.match(r"v?\d+\.\d+", version):
        raise StartError(f"{path} --version says {version[:60]!r}: it is no MediaMTX")
    return version
