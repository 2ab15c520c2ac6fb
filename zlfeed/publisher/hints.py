"""What to type on another machine, ready to paste. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from zlfeed.config import Settings
from zlfeed.net import is_loopback
from zlfeed.tokens import Token


def _default(name: str) -> int | str:
    return Settings.model_fields[name].default  # type: ignore[no-any-return]


def commands(urls: Mapping[str, str], token: Token | None, certificate: str | None = None) -> list[tuple[str, str]]:
    """(for what, line to type) for a camera's URLs; with `token` where that is to be shown.

    `certificate` is the fingerprint by which to know the publisher, with TLS.
    """
    rtsp, status = urlsplit(urls["rtsp"]), urlsplit(urls["websocket"])
    usual = (_default("rtsp_port"), _default("websocket_port"), f"/{_default('stream_name')}")
    host = rtsp.netloc.rpartition(":")[0]
    own = f" --token {token.value}" if token else ""
    if certificate and not is_loopback(rtsp.hostname or ""):
        own += f" --fingerprint {certificate}"
    if rtsp.scheme == "rtsps":
        usual_status = status.port == usual[1]
        watch = f"zlfeed receive {urls['rtsp']}{'' if usual_status else f' --websocket-port {status.port}'}{own}"
    elif (rtsp.port, status.port, rtsp.path) == usual:
        watch = f"zlfeed receive {host}{own}"
    elif status.port == usual[1]:
        watch = f"zlfeed receive {urls['rtsp']}{own}"
    else:
        watch = f"zlfeed receive {urls['rtsp']} --websocket-port {status.port}{own}"
    where = host if status.port == usual[1] else status.netloc
    lines = [
        ("watch", watch),
        ("monitor", f"zlfeed monitor {urls['websocket'] if status.scheme == 'wss' else where}{own}"),
    ]
    if token:
        lines.append(("players", f"{rtsp.scheme}://viewer:{token.value}@{rtsp.netloc}{rtsp.path}"))
    return lines


def access(token: Token | None, urls: Mapping[str, str], *, shown: bool) -> list[str]:
    """Who is let in, and where the token is."""
    host = urlsplit(urls["rtsp"]).hostname or ""
    if token is None:
        return [] if is_loopback(host) else ["  no token is asked for: everyone who can reach the ports may watch"]
    if token.explicit:
        return ["  everyone is asked for the token, viewers on this machine too"]
    if shown:
        return [
            "  the token was made just now and is shown this once; this machine needs none",
            f"  it is kept in {token.path}",
        ]
    return ["  other machines are asked for the token, this one is not", f"  it is kept in {token.path}"]
