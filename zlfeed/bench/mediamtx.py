"""MediaMTX as the plain chain's server: a configuration of ours, on this machine only, with all else off."""

from __future__ import annotations

import contextlib
import json
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zlfeed.errors import StartError

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """Free ports: RTSP, and an even UDP port whose next one is free too."""

    rtsp: int
    rtp: int


def free_ports() -> Ports:
    """Ports that are free now. Raises StartError."""
    with socket.socket() as tcp:
        tcp.bind((HOST, 0))
        for _ in range(50):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first:
                first.bind((HOST, 0))
                rtp = first.getsockname()[1]
                if rtp % 2 == 0 and _udp_is_free(rtp + 1):
                    return Ports(tcp.getsockname()[1], rtp)
    raise StartError("no two neighbouring UDP ports are free on 127.0.0.1")


def _udp_is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((HOST, port))
        except OSError:
            return False
    return True


def configuration(ports: Ports) -> str:
    """The configuration file: JSON, which YAML contains. Its defaults stay, where they cost the picture nothing."""
    off = ("api", "metrics", "pprof", "playback", "rtmp", "hls", "webrtc", "srt", "moq")
    return json.dumps(
        {
            "logLevel": "warn",
            "logDestinations": ["stdout"],
            **dict.fromkeys(off, False),
            "rtsp": True,
            "rtspEncryption": "no",
            "rtspTransports": ["tcp", "udp"],
            "rtspAddress": f"{HOST}:{ports.rtsp}",
            "rtpAddress": f"{HOST}:{ports.rtp}",
            "rtcpAddress": f"{HOST}:{ports.rtp + 1}",
            "paths": {"all_others": {}},
        },
        indent=1,
    )


@contextlib.contextmanager
def configured(ports: Ports) -> Iterator[Path]:
    """The configuration in a file, which lives as long as the block."""
    with tempfile.TemporaryDirectory(prefix="zlfeed-bench-") as folder:
        file = Path(folder) / "mediamtx.yml"
        file.write_text(configuration(ports))
        yield file
