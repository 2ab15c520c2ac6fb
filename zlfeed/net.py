"""Addresses and listening sockets."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Sequence

from zlfeed.errors import PortError

ANY = ("0.0.0.0", "::")
LOOPBACK = ("127.0.0.1", "::1")
_TRIES = 5


def host_port(host: str, port: int) -> str:
    """`host:port`, IPv6 in brackets; an IPv4 address that came over an IPv6 socket as the IPv4 one it is."""
    host = plain_host(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def plain_host(host: str) -> str:
    """The address without a zone, and without the ::ffff: of an IPv4 address on an IPv6 socket."""
    host = host.split("%")[0]
    return host.removeprefix("::ffff:") if host.startswith("::ffff:") and "." in host else host


def neighbourhood(host: str) -> str:
    """What counts as one address: of IPv6 the network of 64 bits, all of which who has one address has (RFC 6177)."""
    host = plain_host(host)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return host if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


class Allowed:
    """Who may come at all: the networks named, and this machine; everyone when none is named."""

    def __init__(self, networks: Sequence[str]) -> None:
        """Each is an address or ADDRESS/BITS. Raises ValueError with a sentence."""
        self._networks = [_network(text) for text in networks]

    @property
    def networks(self) -> list[str]:
        """As they were understood; empty: everyone."""
        return [str(network) for network in self._networks]

    def __call__(self, host: str) -> bool:
        """Whether the address `host` is among them."""
        if not self._networks or is_loopback(host):
            return True
        try:
            address = ipaddress.ip_address(plain_host(host))
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text.strip().strip("[]"), strict=False)
    except ValueError:
        raise ValueError(f"an allowed address looks like 10.9.0.1 or 10.9.0.0/24, not {text!r}") from None


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(plain_host(host)).is_loopback
    except ValueError:
        return host == "localhost"


def is_own(host: str) -> bool:
    """Whether an address, or `localhost`, is one of this machine's."""
    if is_loopback(host):
        return True
    import psutil

    wanted = plain_host(host.strip("[]"))
    return any(plain_host(address.address) == wanted for found in psutil.net_if_addrs().values() for address in found)


def unsent(transport: asyncio.Transport) -> int:
    """Bytes that were written to a transport and have not reached the kernel.

    Below TLS asyncio has another transport with a buffer of its own, which the upper one does not count.
    """
    below = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
    return transport.get_write_buffer_size() + (below.get_write_buffer_size() if below is not None else 0)


def bind_tcp(hosts: Sequence[str], port: int, *, option: str) -> tuple[list[socket.socket], int]:
    """Listening sockets on all of `hosts` at one port (0: the system chooses), and the port.

    An IPv6 address is passed over on a machine without IPv6. Raises PortError naming `option`, and who has the port.
    """
    for _ in range(_TRIES if port == 0 else 0):
        # The port that the system chooses for the first address may be taken at the next.
        with contextlib.suppress(PortError):
            return _bind_all(hosts, port, option)
    return _bind_all(hosts, port, option)


def _bind_all(hosts: Sequence[str], port: int, option: str) -> tuple[list[socket.socket], int]:
    sockets: list[socket.socket] = []
    try:
        for host in hosts:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            try:
                sock = _listener(family, host, port)
            except OSError as error:
                optional = family == socket.AF_INET6 and len(hosts) > 1
                if optional and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                    continue
                raise PortError(_sentence(error, host, port, option)) from None
            sockets.append(sock)
            port = sock.getsockname()[1]
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets, port


def _listener(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    # With its protocol named, asyncio sets TCP_NODELAY on the connections; without, a small answer waits for an ACK.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform == "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(128)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _sentence(error: OSError, host: str, port: int, option: str) -> str:
    where = host_port(host, port)
    if isinstance(error, socket.gaierror):
        return f"{host} is no address of this machine: --host takes one of its IP addresses"
    if error.errno == errno.EADDRINUSE:
        name, pid = _holder(port)
        if pid == os.getpid():
            return f"port {port} is taken by this command itself (PID {pid}): choose another port with {option}"
        by = f" by {name} (PID {pid})" if pid else ""
        return f"port {port} is taken{by}: stop that program, or choose another port with {option}"
    if error.errno == errno.EACCES:
        return f"port {port} may not be opened by this user: choose one above 1023 with {option}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"this machine has no address {host}: choose one of its own with --host"
    return f"cannot listen on {where}: {os.strerror(error.errno or 0)}; another port is chosen with {option}"


def _holder(port: int) -> tuple[str, int]:
    """Name and PID of who listens there; PID 0 where the system does not tell."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.pid and connection.laddr[1:] == (port,):
                return psutil.Process(connection.pid).name(), connection.pid
    except (psutil.Error, OSError):
        pass
    return "", 0
