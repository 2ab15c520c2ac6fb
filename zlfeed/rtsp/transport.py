"""The Transport header of SETUP (RFC 2326 section 12.39); no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TcpTransport:
    """RTP on `channel` of the RTSP connection, RTCP on the one after."""

    channel: int

    def reply(self, ssrc: int, server_ports: tuple[int, int] | None) -> str:
        """The header that answers SETUP."""
        return f"RTP/AVP/TCP;unicast;interleaved={self.channel}-{self.channel + 1};ssrc={ssrc:08X}"


@dataclass(frozen=True, slots=True)
class UdpTransport:
    """RTP and RTCP as datagrams to these two ports of the client."""

    client_ports: tuple[int, int]

    def reply(self, ssrc: int, server_ports: tuple[int, int] | None) -> str:
        """The header that answers SETUP."""
        assert server_ports is not None
        client, server = (f"{a}-{b}" for a, b in (self.client_ports, server_ports))
        return f"RTP/AVP;unicast;client_port={client};server_port={server};ssrc={ssrc:08X}"


Transport = TcpTransport | UdpTransport


def parse(header: str) -> Iterator[Transport]:
    """The client's proposals that we can serve, in its order of preference."""
    for proposal in header.split(","):
        protocol, *parameters = [part.strip().lower() for part in proposal.split(";")]
        if "multicast" in parameters or any(p.startswith("mode=") and "play" not in p for p in parameters):
            continue
        if protocol == "rtp/avp/tcp":
            channel = _number_pair(parameters, "interleaved")
            if channel is None or channel[0] < 255:
                yield TcpTransport(channel[0] if channel else 0)
        elif protocol in ("rtp/avp", "rtp/avp/udp"):
            ports = _number_pair(parameters, "client_port")
            if ports and all(1 <= port <= 65535 for port in ports):
                yield UdpTransport(ports)


def _number_pair(parameters: list[str], name: str) -> tuple[int, int] | None:
    """`name=a-b`, or `name=a` for a and the number after."""
    for parameter in parameters:
        if match := re.fullmatch(rf"{name}=(\d{{1,5}})(?:-(\d{{1,5}}))?", parameter):
            first = int(match[1])
            return first, int(match[2]) if match[2] else first + 1
    return None
