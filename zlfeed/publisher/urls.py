"""The addresses that are shown and sent: where clients reach what listens here."""

from __future__ import annotations

import socket

import psutil

from zlfeed.net import ANY, LOOPBACK, host_port, is_loopback


def listen_hosts(host: str | None, *, authenticated: bool) -> tuple[str, ...]:
    """What to bind: --host, else every address with authentication and only this machine without it (design 4.1)."""
    if host is None:
        return ANY if authenticated else LOOPBACK
    if host in ("*", "0.0.0.0", "::", ""):
        return ANY
    if host == "localhost":
        return LOOPBACK
    return (host.strip("[]"),)


def shown_host(hosts: tuple[str, ...], advertise: str | None) -> str:
    """The host in the URLs: --advertise, else the address listened on, else the first that is not loopback."""
    if advertise:
        return advertise.strip("[]")
    if hosts == LOOPBACK:
        return "127.0.0.1"
    if hosts == ANY:
        return _own_address() or "127.0.0.1"
    return hosts[0]


def _own_address() -> str | None:
    states = psutil.net_if_stats()
    for name, addresses in psutil.net_if_addrs().items():
        if name in states and not states[name].isup:
            continue
        for address in addresses:
            if address.family == socket.AF_INET and not is_loopback(address.address):
                return str(address.address)
    return None


def plain_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Where to listen without TLS when there is TLS: on this machine only, or what is encrypted could be had plain."""
    return hosts if all(is_loopback(host) for host in hosts) else LOOPBACK


def rtsp_url(host: str, port: int, stream: str, *, secure: bool = False) -> str:
    """rtsp[s]://HOST:PORT/STREAM"""
    return f"rtsp{'s' if secure else ''}://{host_port(host, port)}/{stream}"


def websocket_url(host: str, port: int, *, secure: bool = False) -> str:
    """ws[s]://HOST:PORT/"""
    return f"ws{'s' if secure else ''}://{host_port(host, port)}/"


def page_url(host: str, port: int, camera: str, *, secure: bool = False) -> str:
    """http[s]://HOST:PORT/CAMERA, the page for browsers; without a camera it shows the first."""
    return f"http{'s' if secure else ''}://{host_port(host, port)}/{camera}"
