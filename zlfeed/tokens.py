"""The tokens that let people in: given by file, environment or flag, else made once and kept in the state folder.

The main token lets its bearer look and control. The read-only one only looks; there is none until someone makes one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from zlfeed import logs
from zlfeed.config import Settings
from zlfeed.errors import UsageError
from zlfeed.net import is_own

_MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Token:
    """The secret, and whether the user named it (then it is asked for on this machine too)."""

    value: str
    explicit: bool
    path: Path | None = None
    created: bool = False

    def __repr__(self) -> str:
        return f"Token(explicit={self.explicit}, path={self.path})"


def state_file() -> Path:
    """Where this user's own token is kept."""
    return platformdirs.user_state_path("zlfeed") / "token"


def readonly_file() -> Path:
    """Where this user's own read-only token is kept, if there is one."""
    return state_file().with_name("token-readonly")


def given(settings: Settings) -> Token | None:
    """The token that --token-file, --token or the environment names. Raises UsageError."""
    return _given(settings.token_file, settings.token, "--token")


def given_readonly(settings: Settings) -> Token | None:
    """The read-only token, likewise. Raises UsageError."""
    return _given(settings.readonly_token_file, settings.readonly_token, "--readonly-token")


def _given(file: Path | None, value: str | None, option: str) -> Token | None:
    if file is not None:
        return Token(_read(file), True, file)
    if value is not None:
        return Token(checked(value, option), True)
    return None


def for_client(settings: Settings, host: str) -> str:
    """The token a viewer shows at `host`: as given; else this machine's own, at itself only; else none."""
    token = given(settings)
    if token is not None:
        return token.value
    if not is_own(host):
        return ""
    with contextlib.suppress(UsageError, OSError):
        return _read(state_file())
    return ""


def for_publisher(settings: Settings) -> Token | None:
    """The token a publisher asks for; made at the first start. None with --no-auth. Raises UsageError."""
    if settings.no_auth:
        return None
    token = given(settings)
    if token is not None:
        return token
    path = state_file()
    try:
        return Token(_read(path), False, path) if path.exists() else _create(path)
    except OSError as error:
        raise UsageError(
            f"the token cannot be kept in {path}: {os.strerror(error.errno or 0)}; "
            "name a file with --token-file, or say --no-auth"
        ) from None


def readonly_for_publisher(settings: Settings) -> Token | None:
    """The read-only token: as given, else the one in the state folder; None when there is none. Raises UsageError."""
    token = given_readonly(settings)
    path = readonly_file()
    if token is not None or not path.exists():
        return token
    return Token(_read(path), False, path)


def renew(settings: Settings, *, readonly: bool = False) -> Token:
    """Makes a new token in place of the old one, in the file that a publisher with these settings reads.

    Raises UsageError, also where it would read none.
    """
    name = "readonly_token" if readonly else "token"
    file: Path | None = getattr(settings, f"{name}_file")
    if file is None and getattr(settings, name) is not None:
        raise UsageError(f"the configuration holds the token itself: change {name} there, or name a {name}_file")
    path = file or (readonly_file() if readonly else state_file())
    try:
        return _create(path, replace=True)
    except OSError as error:
        raise UsageError(f"the token cannot be kept in {path}: {os.strerror(error.errno or 0)}") from None


def _create(path: Path, *, replace: bool = False) -> Token:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written whole before it has its name, so that two publishers that start together agree on one.
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(18) + "\n")
    if replace:
        _as_before(path, draft)
    try:
        with contextlib.suppress(FileExistsError):
            if replace or not hasattr(os, "link"):
                os.replace(draft, path)
            else:
                os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return Token(_read(path), False, path, created=True)


def _as_before(path: Path, draft: Path) -> None:
    """Gives the draft the owner and the rights of the file it is to replace, if any: a service may have to read it."""
    with contextlib.suppress(OSError, AttributeError):
        was = os.stat(path)
        os.chmod(draft, was.st_mode & 0o777)
        os.chown(draft, was.st_uid, was.st_gid)


def _read(path: Path) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_MAX_BYTES)
    except OSError as error:
        raise UsageError(f"the token file {path} cannot be read: {os.strerror(error.errno or 0)}") from None
    except UnicodeDecodeError:
        raise UsageError(f"the token file {path} is no text: it holds one line, the token") from None
    return checked(text.strip(), f"the token file {path}")


def checked(token: str, where: str) -> str:
    """A token that survives a URL and a header, which is hidden in logs from now on. Raises UsageError."""
    if not 8 <= len(token) <= 256 or not all(0x21 <= ord(c) <= 0x7E and c not in '"\\:/@?#%' for c in token):
        raise UsageError(f'{where}: a token is 8 to 256 letters, digits and signs, without spaces and " \\ : / @ ? # %')
    logs.conceal(token)
    return token
