"""Where --server rtsp://… points to, taken apart and checked; no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

from zlfeed.net import host_port
from zlfeed.rtsp.auth import Login

DEFAULT_PORT, SECURE_PORT = 554, 322
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})|[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?")
_EXAMPLE = "rtsp://HOST[:PORT]/PATH"


@dataclass(frozen=True, slots=True)
class Target:
    """A server that takes pushed streams. `host` has no brackets; `path` begins with a slash and holds the query too.

    `login` None: the URL names no user.
    """

    host: str
    port: int
    path: str
    login: Login | None = None
    secure: bool = False
    """By TLS, rtsps://."""

    @property
    def url(self) -> str:
        """The URL for requests, people and logs: without credentials."""
        port = "" if self.port == (SECURE_PORT if self.secure else DEFAULT_PORT) else f":{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"rtsp{'s' if self.secure else ''}://{host}{port}{self.path}"

    @property
    def address(self) -> str:
        """HOST:PORT, for people."""
        return host_port(self.host, self.port)

    def below(self, name: str) -> Target:
        """The same server, the path longer by `/name`; a query stays behind it."""
        path, mark, query = self.path.partition("?")
        return replace(self, path=f"{path.rstrip('/')}/{name}{mark}{query}")

    def for_camera(self, name: str, *, alone: bool) -> Target:
        """Where a camera's stream goes: below the path when there are several cameras, or when the path is empty."""
        return self if alone and self.path.partition("?")[0].strip("/") else self.below(name)


def is_url(text: str) -> bool:
    """Whether --server names a server by its URL."""
    return "://" in text


def parse(text: str, *, tls: bool = False) -> Target:
    """The target that a URL names, rtsps:// among them with `tls`. Raises ValueError, its words without credentials."""
    scheme, _, rest = text.strip().partition("://")
    secure = scheme.lower() == "rtsps"
    if secure and not tls:
        raise ValueError(
            "rtsps:// (RTSP over TLS) is not spoken here: push by rtsp:// through a VPN or a tunnel, "
            "or have that server pull from ours"
        )
    if not secure and scheme.lower() != "rtsp":
        raise ValueError(f"a server to push to is {_EXAMPLE}, and {scheme[:20]!r} is another scheme")
    if not re.fullmatch(r"[!-~]+", rest):
        raise ValueError(f"a server to push to is {_EXAMPLE}, without blanks and in ASCII: others are written with %")
    netloc = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "#" in rest or rest.rpartition("@")[0].count("@") or ("@" in rest and "@" not in netloc):
        raise ValueError('signs such as @ : / ? # in a user name, password or path are written with %, "@" as %40')
    try:
        parts = urlsplit(f"rtsp://{rest}")
        port = parts.port
    except ValueError:
        raise ValueError(f"a server to push to is {_EXAMPLE}: its port or its IPv6 address is wrong") from None
    host = parts.hostname or ""
    if not _HOST.fullmatch(host):
        raise ValueError(f"a server to push to is {_EXAMPLE}, and {host!r} is no host")
    if port == 0:
        raise ValueError("a server to push to listens at a port from 1 to 65535, not 0")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = port or (SECURE_PORT if secure else DEFAULT_PORT)
    return Target(host, port, path, _login(parts.username, parts.password), secure)


def _login(user: str | None, password: str | None) -> Login | None:
    if user is None:
        return None
    user, password = unquote(user), unquote(password or "")
    if not (user + password).isprintable() or ":" in user:
        raise ValueError("a user name or password has a sign in it that no server takes, such as a line's end")
    return Login(user, password)
