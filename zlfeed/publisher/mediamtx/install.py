"""`zlfeed mediamtx install`: an official release from the net into the data folder, checked by its own checksums."""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import os
import platform
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from zlfeed import terminal
from zlfeed.errors import StartError
from zlfeed.logs import scrub
from zlfeed.publisher.mediamtx import fetch, release
from zlfeed.publisher.mediamtx.fetch import Progress
from zlfeed.publisher.mediamtx.locate import data_folder, locate, version_of

MAX_PROGRAM = 1 << 30
_DRAFT = ".new-"
_OLD_S = 3600.0
"""No installation that is still at work has a draft so old."""
_CHUNK = 256 << 10
_FULL = (errno.ENOSPC, errno.EDQUOT)


def install(version: str, base_url: str, progress: Progress = lambda _done, _total: None) -> tuple[Path, bool]:
    """Installs that version. The program's path, and whether anything had to be done.

    What was installed before stays until the new one has been checked and has run once. An interrupted download goes on
    where it stopped. Raises UsageError or StartError.
    """
    version = release.version_name(version)
    machine = release.platform_name(sys.platform, platform.machine(), wide=sys.maxsize > 1 << 32)
    program = data_folder() / release.program_name(machine)
    with contextlib.suppress(StartError):
        if program.exists() and version_of(program) == version:
            return program, False
    name = release.archive_name(version, machine)
    source = f"{base_url.rstrip('/')}/{version}"
    with _in_words(program.parent):
        program.parent.mkdir(parents=True, exist_ok=True)
        archive = program.parent / f"{name}.part"
        _fetch(f"{source}/{name}", _checksum(source, name, version), archive, progress, version)
        try:
            _put_in_place(archive, program, version)
        finally:
            archive.unlink()
    return program, True


def _checksum(source: str, name: str, version: str) -> str:
    url = f"{source}/{release.CHECKSUMS}"
    found = release.checksum_of(name, fetch.text(url, f"MediaMTX {version}"))
    if found is None:
        raise StartError(f"{scrub(url)} names no checksum for {name}: without one nothing is installed")
    return found


def _fetch(url: str, wanted: str, archive: Path, progress: Progress, version: str) -> None:
    """The file with that checksum as `archive`."""
    what = f"MediaMTX {version} for this machine"
    while True:
        resumed = archive.exists()
        try:
            fetch.download(url, archive, progress, what)
        except OSError as error:
            if error.errno in _FULL:
                archive.unlink(missing_ok=True)  # a full disk is not to be kept full
            raise
        if _sum(archive) == wanted:
            return
        archive.unlink()
        if not resumed:  # else its beginning may have been the fault
            raise StartError(
                f"{scrub(url)} is not what that release's {release.CHECKSUMS} says: it was thrown away and nothing was "
                "installed; try again, and if it stays so, do not trust that address"
            )


def _sum(file: Path) -> str:
    with open(file, "rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def unpack(archive: Path, name: str, out: IO[bytes]) -> None:
    """Writes the one file called `name` to `out`; nothing else in the archive is touched, whatever its path says.

    Raises StartError when there is no such file or the archive is damaged.
    """
    try:
        with _member(archive, name) as member:
            left = MAX_PROGRAM
            while piece := member.read(_CHUNK):
                left -= len(piece)
                if left < 0:
                    raise StartError(f"{name} in {archive.name} is longer than {MAX_PROGRAM >> 20} MB")
                out.write(piece)
    except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, KeyError) as error:
        raise StartError(f"{archive.name} holds no program {name} that could be unpacked ({error})") from None


@contextlib.contextmanager
def _member(archive: Path, name: str) -> Iterator[IO[bytes]]:
    if archive.name.removesuffix(".part").endswith(".zip"):
        with zipfile.ZipFile(archive) as zipped, zipped.open(name) as member:
            yield member
        return
    with tarfile.open(archive, "r:gz") as tar:
        found = tar.getmember(name)
        file = tar.extractfile(found) if found.isreg() else None
        if file is None:
            raise KeyError(f"{name} is no file")
        with file:
            yield file


def _put_in_place(archive: Path, program: Path, version: str) -> None:
    """Unpacks the program, lets it say its version, and only then gives it its name."""
    for left in program.parent.glob(f"{_DRAFT}*"):  # by an installation that was killed
        if time.time() - left.stat().st_mtime > _OLD_S:
            left.unlink(missing_ok=True)
    draft_fd, draft_name = tempfile.mkstemp(prefix=_DRAFT, suffix=program.suffix, dir=program.parent)
    draft = Path(draft_name)
    try:
        with open(draft_fd, "wb") as out:
            unpack(archive, program.name, out)
            out.flush()
            os.fsync(out.fileno())
        draft.chmod(0o755)
        said = version_of(draft)
        if said != version:
            raise StartError(f"the program in that archive says it is {said}, not {version}: nothing was installed")
        os.replace(draft, program)
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def _in_words(folder: Path) -> Iterator[None]:
    """What the disk says, as a StartError."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            words = f"there is no room left in {folder} ({error.strerror}): free some"
        elif isinstance(error, PermissionError):
            words = f"{error.filename or folder} may not be written by this user, or is in use: stop what runs from it"
        else:
            words = f"{error.filename or folder} cannot be written: {error.strerror or error}"
        raise StartError(f"{words}; nothing was installed") from None


# ---------------------------------------------------------------- the command


def run(version: str | None, base_url: str) -> int:
    """Installs, with a bar on stderr, and says on stdout where the program is."""
    with _bar() as progress:
        program, new = install(version or release.VERSION, base_url, progress)
    words = "is installed as" if new else "was there already:"
    terminal.write(f"MediaMTX {version_of(program)} {words} {program}\n")
    with contextlib.suppress(StartError):
        found = locate(None)
        if found is not None and not os.path.samefile(found.path, program):
            terminal.write(f"{found.path} is on PATH and goes before it; --mediamtx-path {program} names this one\n")
    return 0


@contextlib.contextmanager
def _bar() -> Iterator[Progress]:
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    columns = (
        progress.TextColumn("MediaMTX"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
