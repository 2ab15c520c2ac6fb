"""The configuration that zlfeed writes for MediaMTX; no I/O.

Everything that is not needed is off or bound to this machine. It is JSON, which is YAML too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zlfeed.tls import Pair

API_USER = "zlfeed"
VIEWER = "viewer"


_PASSWORD = re.compile(r"[A-Za-z0-9!$()*+.;<=>\[\]^_\-{}@#&]+")
"""As it does itself, whatever its message says: no comma."""


def takes(token: str) -> bool:
    """Whether MediaMTX takes it for a password: with any other sign in it, it does not start."""
    return _PASSWORD.fullmatch(token) is not None


@dataclass(frozen=True, slots=True)
class Ports:
    """Where MediaMTX listens; None: that server stays off."""

    rtsp: int | None
    webrtc: int | None
    hls: int | None
    api: int
    webrtc_udp: int = 8189
    rtsps: int | None = None


@dataclass(frozen=True, slots=True)
class MediaMtxSettings:
    """What goes into the configuration. `host` "" means every address; no `tokens` that everyone may look.

    `sources` gives for each path the URL from which MediaMTX pulls it, `web_host` the address that browsers are told
    to send WebRTC's datagrams to besides those of the interfaces.
    """

    ports: Ports
    sources: Mapping[str, str]
    api_password: str = field(repr=False)
    host: str = ""
    web_host_bind: str = ""
    web_host: str | None = None
    proxy: str = "127.0.0.1"
    """The address from which our own calls for viewers come (whep.py)."""
    tokens: Sequence[str] = field(default=(), repr=False)
    tls: Pair | None = None
    """With one, browsers come by https, and RTSP without it is served at `rtsp_host`."""
    rtsp_host: str | None = None
    allow: Sequence[str] = ()
    """Networks that may read; none: everyone."""


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def configuration(settings: MediaMtxSettings) -> dict[str, Any]:
    """The whole configuration, as MediaMTX 1.20 knows it."""
    s, ports = settings, settings.ports
    # One user several times: MediaMTX takes the first whose password fits.
    readers = [{"user": VIEWER, "pass": token} for token in s.tokens] or [{"user": "any", "pass": ""}]
    rights = {"ips": list(s.allow), "permissions": [{"action": "read", "path": name} for name in s.sources]}
    return {
        "logLevel": "info",
        "logDestinations": ["stdout"],
        "authMethod": "internal",
        "authInternalUsers": [
            {
                "user": API_USER,
                "pass": s.api_password,
                "ips": ["127.0.0.1", "::1"],
                "permissions": [{"action": "api"}],
            },
            *({**reader, **rights} for reader in readers),
        ],
        "api": True,
        "apiAddress": _address("127.0.0.1", ports.api),
        "apiAllowOrigins": [],
        "metrics": False,
        "pprof": False,
        "playback": False,
        "rtmp": False,
        "srt": False,
        "moq": False,
        "rtsp": ports.rtsp is not None,
        "rtspTransports": ["tcp"],
        "rtspEncryption": "no" if ports.rtsps is None else "optional",
        "rtspAddress": _address(s.host if s.rtsp_host is None else s.rtsp_host, ports.rtsp or 0),
        "rtspsAddress": _address(s.host, ports.rtsps or 0),
        **_certificate("rtsp", s.tls),
        **_certificate("hls", s.tls),
        **_certificate("webrtc", s.tls),
        "hlsEncryption": s.tls is not None,
        "webrtcEncryption": s.tls is not None,
        # FFmpeg fails where SHA-256 is offered beside MD5, and plain passwords are for TLS.
        "rtspAuthMethods": ["digest"],
        # Pages of other sites may not look by way of a visitor's browser.
        "hlsAllowOrigins": [],
        "webrtcAllowOrigins": [],
        "hls": ports.hls is not None,
        "hlsAddress": _address(s.web_host_bind, ports.hls or 0),
        # Without it the first visitor waits for segments to be made.
        "hlsAlwaysRemux": False,
        "webrtc": ports.webrtc is not None,
        "webrtcAddress": _address(s.web_host_bind, ports.webrtc or 0),
        # Not bound as the pages are: datagrams are for those whose offer was answered, whoever handed it in.
        "webrtcLocalUDPAddress": _address(s.host, ports.webrtc_udp),
        "webrtcTrustedProxies": [s.proxy],
        "webrtcAdditionalHosts": [s.web_host] if s.web_host else [],
        "paths": {
            name: {
                "source": url,
                "rtspTransport": "tcp",
                # Its readers' sender reports then tell our capture time instead of when a packet reached it.
                "useAbsoluteTimestamp": True,
                "sourceOnDemand": False,
            }
            for name, url in s.sources.items()
        },
    }


def _certificate(server: str, files: Pair | None) -> dict[str, str]:
    if files is None:
        return {}
    # Absolute: MediaMTX runs in a folder of its own.
    return {f"{server}ServerCert": str(files.cert.absolute()), f"{server}ServerKey": str(files.key.absolute())}


def text(settings: MediaMtxSettings) -> str:
    """The file's content."""
    return json.dumps(configuration(settings), indent=1) + "\n"


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """Our environment without what MediaMTX would take as settings."""
    return {name: value for name, value in own.items() if not name.startswith(("MTX_", "RTSP_"))}
