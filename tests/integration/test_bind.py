"""Listening sockets: who has a port, and which option moves it."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

import pytest

from zlfeed.errors import PortError
from zlfeed.net import ANY, LOOPBACK, bind_tcp


@contextlib.contextmanager
def bound(hosts: tuple[str, ...], port: int = 0) -> Iterator[tuple[list[socket.socket], int]]:
    sockets, found = bind_tcp(hosts, port, option="--rtsp-port")
    try:
        yield sockets, found
    finally:
        for sock in sockets:
            sock.close()


def refused(hosts: tuple[str, ...], port: int) -> str:
    with pytest.raises(PortError) as caught:
        bind_tcp(hosts, port, option="--rtsp-port")
    return str(caught.value)


@pytest.mark.parametrize("hosts", [LOOPBACK, ANY, ("127.0.0.1",)])
def test_all_addresses_share_one_port(hosts: tuple[str, ...]) -> None:
    with bound(hosts) as (sockets, port):
        assert port > 0
        assert {sock.getsockname()[1] for sock in sockets} == {port}
        for sock in sockets:
            client = socket.create_connection((sock.getsockname()[0], port), 5)
            client.close()


def test_a_free_port_is_looked_for_until_it_is_free_at_every_address(monkeypatch: pytest.MonkeyPatch) -> None:
    # Somebody has the port that the system chooses for the first address, at the second one only.
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    taken: list[socket.socket] = []
    plain = socket.socket.bind

    def bind(sock: socket.socket, address: tuple[str, int]) -> None:
        if sock.family == socket.AF_INET6 and not taken:
            other = socket.socket(socket.AF_INET6)
            taken.append(other)
            plain(other, address)
            other.listen()
        plain(sock, address)

    monkeypatch.setattr(socket.socket, "bind", bind)
    try:
        with bound(LOOPBACK) as (sockets, _port):
            assert len(sockets) == 2
    finally:
        for sock in taken:
            sock.close()


def test_a_port_that_is_taken_is_named_with_its_holder_and_the_option_that_moves_it() -> None:
    with bound(("127.0.0.1",)) as (_, port):
        said = refused(LOOPBACK, port)
    assert f"port {port} is taken by " in said
    assert f"(PID {os.getpid()})" in said
    assert "--rtsp-port" in said


def test_what_was_bound_before_the_failure_is_given_back() -> None:
    with bound(("::1",)) as (_, port):
        refused(LOOPBACK, port)
        with bound(("127.0.0.1",), port):
            pass


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_an_address_of_another_machine_is_said(host: str) -> None:
    said = refused((host,), 0)
    assert host in said
    assert "--host" in said


@pytest.mark.parametrize("host", ["not an address", "256.1.1.1", "::zz"])
def test_a_host_that_is_none_is_said(host: str) -> None:
    said = refused((host,), 0)
    assert host in said
    assert "--host" in said
    assert "Unknown error" not in said


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may open any port")
def test_a_port_for_root_alone_is_said() -> None:
    assert "above 1023" in refused(("127.0.0.1",), 1)
