"""The status server's URL, from what a person says of it. Pure."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from zlfeed.errors import UsageError


def status_url(host_or_url: str, port: int, *, secure: bool = False) -> str:
    """The status URL of `HOST`, `HOST:9000`, an IPv6 address with or without brackets, or a ws:// or wss:// URL.

    `port` is used where none is said, and TLS with `secure` where no scheme is. Raises UsageError for anything else.
    """
    text = host_or_url.strip()
    if "://" not in text:
        scheme = "wss" if secure else "ws"
        text = f"{scheme}://[{text}]" if _is_ipv6(text) else f"{scheme}://{text}"
    nonsense = f"{host_or_url!r} is no address of a publisher: write HOST, HOST:PORT, or ws://HOST:PORT/"
    try:
        parts = urlsplit(text)
        host, said_port = parts.hostname or "", parts.port
    except ValueError:  # a port that is no number from 0 to 65535, or broken brackets
        raise UsageError(nonsense) from None
    if parts.username is not None:
        raise UsageError("a status URL takes no user name: give the token with --token-file or --token")
    if parts.scheme not in ("ws", "wss") or said_port == 0 or not (_is_ipv6(host) or re.fullmatch(r"[\w.-]+", host)):
        raise UsageError(nonsense)
    where = f"[{host}]" if ":" in host else host
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{where}:{said_port or port}{parts.path or '/'}{query}"


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
