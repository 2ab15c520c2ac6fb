"""What to receive: a URL or a host as a person writes it, turned into a checked address. No I/O."""

from __future__ import annotations

import difflib
import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from zlfeed.errors import UsageError
from zlfeed.logs import scrub

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
"""The schemes that can be received, with their registered ports (RFC 7826 section 18.2 for RTSP)."""
TOKEN_USER = "viewer"
"""The user name that goes with a token in RTSP authentication."""

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")


@dataclass(frozen=True, slots=True)
class Target:
    """A checked address. `host` has no brackets; `path` begins with a slash; `userinfo` is as it was in the URL."""

    scheme: str
    host: str
    port: int
    path: str
    userinfo: str = ""

    @property
    def url(self) -> str:
        """The URL for people and logs, without credentials."""
        return f"{self.scheme}://{authority(self.host, self.port)}{self.path}"

    @property
    def stream(self) -> str:
        """The stream's name: the last part of the path."""
        return self.path.partition("?")[0].rstrip("/").rpartition("/")[2]

    @property
    def credentials(self) -> tuple[str, str] | None:
        """User name and password, decoded; None when the URL has none."""
        if not self.userinfo:
            return None
        user, _, password = self.userinfo.partition(":")
        return unquote(user), unquote(password)

    def with_token(self, token: str) -> Target:
        """The same with `viewer:TOKEN@`, unless the person wrote credentials or there is no token."""
        if not token or self.userinfo:
            return self
        return Target(self.scheme, self.host, self.port, self.path, f"{TOKEN_USER}:{quote(token, safe='')}")

    def secret_url(self) -> str:
        """The URL to open, with credentials. Never for logs, JSON or the arguments of a process."""
        return self.url.replace("://", f"://{self.userinfo}@", 1) if self.userinfo else self.url


def authority(host: str, port: int) -> str:
    """`host:port`, with the brackets that an IPv6 address needs (RFC 3986 section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse(text: str, *, rtsp_port: int, stream_name: str, secure: bool = False) -> Target:
    """A URL, or `HOST[:PORT][/PATH]`, as a Target. What is missing is taken from the settings.

    A URL with a path keeps it; one without gets the stream's name. A URL without a port gets its scheme's own, as in
    every player; a bare host gets `rtsp_port`, with `secure` by TLS. Raises UsageError with what is wrong and meant.
    """
    text = text.strip()
    said = scrub(text)
    if not text:
        raise UsageError("the address is empty: give a URL such as rtsp://192.168.1.10:8554/zerolatency, or a host")
    if re.search(r"[\s\x00-\x1f]", text):
        raise UsageError(f"the address {said!r} has a blank in it")
    if "://" not in text:
        if match := re.match(r"(rtsps?|https?)[:/]+", text, re.IGNORECASE):
            raise UsageError(f"{said!r} is no URL: did you mean {match[1].lower()}://{said[match.end() :]}?")
        text = f"rtsp{'s' if secure else ''}://{_complete_host(text, rtsp_port)}"
    scheme, _, rest = text.partition("://")
    if scheme.lower() not in DEFAULT_PORTS:
        near = difflib.get_close_matches(scheme.lower(), DEFAULT_PORTS, n=1, cutoff=0.5)
        hint = f"did you mean {scrub(f'{near[0]}://{rest}')}?" if near else f"use {_schemes()}"
        raise UsageError(f"{scheme}:// in {said!r} is no scheme that can be received: {hint}")
    try:
        parts = urlsplit(text)
    except ValueError:
        raise UsageError(f"{said!r} is no URL: the IPv6 address in its brackets is wrong") from None
    if not parts.hostname:
        raise UsageError(f"{said!r} names no host: write HOST or {parts.scheme}://HOST:{rtsp_port}/{stream_name}")
    try:
        port = DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise UsageError(f"{said!r} has no valid port: a port is a number from 1 to 65535")
    path = parts.path if parts.path.strip("/") else f"/{stream_name}"
    if parts.query:
        path += f"?{parts.query}"
    return Target(parts.scheme, _host(parts.hostname, said), port, path, parts.netloc.rpartition("@")[0])


def _complete_host(text: str, port: int) -> str:
    """`HOST[:PORT][/PATH]` with the port, and with brackets round an IPv6 address that came without."""
    place, slash, path = text.partition("/")
    place = place if _is_ipv6(place) else place.removesuffix(":")
    if _is_ipv6(place):
        place = f"[{place}]"
    if place and (place.endswith("]") or ":" not in place):
        place += f":{port}"
    return place + slash + path


def _host(name: str, said: str) -> str:
    if _is_ipv6(name):
        return name
    place = repr(said) if name == said else f"{name!r} in {said!r}"
    if re.fullmatch(r"[\d.]+", name):
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise UsageError(f"{place} is no IPv4 address: that is four numbers from 0 to 255") from None
    try:
        ascii_name = name.encode("idna").decode()
    except UnicodeError:
        ascii_name = ""
    if not _HOST_NAME.fullmatch(ascii_name):
        raise UsageError(f"{place} is no host name: that is letters, digits, '.' and '-'")
    return ascii_name


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _schemes() -> str:
    *first, last = (f"{scheme}://" for scheme in DEFAULT_PORTS)
    return f"{', '.join(first)} or {last}"
