"""Files of a release from the net, with resume; every failure is a StartError for the person at the terminal."""

from __future__ import annotations

import errno
import http.client
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from zlfeed import __version__
from zlfeed.errors import StartError
from zlfeed.logs import scrub

TIMEOUT_S = 20.0
MAX_BYTES = 512 << 20
_MAX_TEXT = 64 << 10
_CHUNK = 256 << 10

Progress = Callable[[int, int | None], None]
"""Bytes there so far, and bytes in all where that is known."""


def text(url: str, what: str) -> str:
    """A small text file; `what` is it for the person. Raises StartError."""
    with _open(url, what) as answer:
        try:
            return answer.read(_MAX_TEXT).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise StartError(_unreachable(url, error)) from None


def download(url: str, part: Path, progress: Progress, what: str) -> None:
    """The whole file at `url` in `part`; what is there already is not fetched again.

    Whether it is the right file is for a checksum to tell: `part` may hold the beginning of another. Raises StartError,
    and OSError for what the disk says, ENOSPC before anything is fetched where the room would not do.
    """
    have = part.stat().st_size if part.exists() else 0
    try:
        answer = _open(url, what, {"Range": f"bytes={have}-"} if have else {})
    except _NothingThere:
        return
    with answer:
        if have and not _goes_on(answer, have):
            have = 0
        rest = answer.headers.get("Content-Length", "")
        total = have + int(rest) if rest.isdecimal() else None
        _check_room(part.parent, total, have)
        progress(have, total)
        with open(part, "ab" if have else "wb") as out:
            for piece in _pieces(answer, url):
                out.write(piece)
                have += len(piece)
                progress(have, total)
                if have > MAX_BYTES:
                    raise StartError(f"{scrub(url)} is longer than {MAX_BYTES >> 20} MB: that is no MediaMTX")
    if total is not None and have < total:
        raise StartError(
            f"{scrub(url)} was cut off after {have / 1e6:.1f} of {total / 1e6:.1f} MB: nothing was installed; {_AGAIN}"
        )


_AGAIN = "another try goes on where this one stopped"


class _NothingThere(Exception):
    """The server has nothing from there on (HTTP 416): what we have is whole, or longer than it should be."""


def _open(url: str, what: str, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
    """The answer to a GET. Raises StartError, or _NothingThere."""
    request = urllib.request.Request(url, headers={"User-Agent": f"zlfeed/{__version__}", **(headers or {})})
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT_S)  # type: ignore[no-any-return]
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            raise _NothingThere from None
        if error.code == 404:
            raise StartError(f"there is no {what} at {scrub(url)}: choose another --version") from None
        raise StartError(f"{scrub(url)} answers {error.code} {error.reason}: try again later") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise StartError(_unreachable(url, error)) from None


def _unreachable(url: str, error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        words = f"no answer within {TIMEOUT_S:g} s"
    elif isinstance(reason, socket.gaierror):
        words = "its name is not known"
    elif isinstance(reason, OSError) and reason.errno and reason.errno > 0 and reason.strerror:
        words = reason.strerror
    else:
        words = str(reason) or type(reason).__name__
    return f"{scrub(url)} cannot be reached ({words}): is this machine online? Nothing was changed"


def _goes_on(answer: http.client.HTTPResponse, have: int) -> bool:
    return answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _pieces(answer: http.client.HTTPResponse, url: str) -> Iterator[bytes]:
    while True:
        try:
            piece = answer.read(_CHUNK)
        except http.client.IncompleteRead as error:
            piece = error.partial
        except (OSError, http.client.HTTPException) as error:
            raise StartError(f"{_unreachable(url, error)}; {_AGAIN}") from None
        if not piece:
            return
        yield piece


def _check_room(folder: Path, total: int | None, have: int) -> None:
    """Room for the rest of the archive, and for the program in it: the archive's size three times over."""
    if total is None:
        return
    wanted, free = total - have + 3 * total, shutil.disk_usage(folder).free
    if free < wanted:
        raise OSError(errno.ENOSPC, f"{wanted / 1e6:.0f} MB are needed and {free / 1e6:.0f} are free")
