from __future__ import annotations

import pytest

from zlfeed.net import ANY, LOOPBACK, Allowed, host_port, is_loopback, plain_host
from zlfeed.publisher.urls import listen_hosts, rtsp_url, shown_host, websocket_url


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("10.0.0.1", "10.0.0.1:80"),
        ("pi.local", "pi.local:80"),
        ("::1", "[::1]:80"),
        ("fe80::1%eth0", "[fe80::1]:80"),
        ("::ffff:10.0.0.1", "10.0.0.1:80"),
    ],
)
def test_host_and_port_as_in_a_url(host: str, text: str) -> None:
    assert host_port(host, 80) == text


def test_an_ipv4_address_on_an_ipv6_socket_is_the_ipv4_address() -> None:
    assert plain_host("::ffff:10.0.0.1") == "10.0.0.1"
    assert plain_host("::ffff:0:1") == "::ffff:0:1"


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("::ffff:10.0.0.1", False),
        ("127.0.0.1.example.org", False),
        ("?", False),
        ("", False),
    ],
)
def test_what_is_this_machine(host: str, own: bool) -> None:
    assert is_loopback(host) is own


@pytest.mark.parametrize(
    ("host", "authenticated", "hosts"),
    [
        (None, True, ANY),
        (None, False, LOOPBACK),
        ("0.0.0.0", False, ANY),
        ("::", True, ANY),
        ("*", True, ANY),
        ("localhost", True, LOOPBACK),
        ("10.0.0.1", True, ("10.0.0.1",)),
        ("[fd00::1]", True, ("fd00::1",)),
    ],
)
def test_without_a_password_only_this_machine_is_served_unless_said(
    host: str | None, authenticated: bool, hosts: tuple[str, ...]
) -> None:
    assert listen_hosts(host, authenticated=authenticated) == hosts


def test_the_host_in_urls_is_what_is_advertised_else_where_we_listen() -> None:
    assert shown_host(ANY, "pi.vpn") == "pi.vpn"
    assert shown_host(ANY, "[fd00::1]") == "fd00::1"
    assert shown_host(LOOPBACK, None) == "127.0.0.1"
    assert shown_host(("10.0.0.1",), None) == "10.0.0.1"
    assert shown_host(ANY, None) not in ("0.0.0.0", "::", "")


def test_urls() -> None:
    assert rtsp_url("fd00::1", 8554, "zerolatency") == "rtsp://[fd00::1]:8554/zerolatency"
    assert websocket_url("10.0.0.1", 9000) == "ws://10.0.0.1:9000/"


@pytest.mark.parametrize(
    ("networks", "host", "may"),
    [
        ([], "203.0.113.7", True),
        (["10.9.0.1"], "10.9.0.1", True),
        (["10.9.0.1"], "10.9.0.2", False),
        (["10.9.0.0/24"], "::ffff:10.9.0.200", True),
        (["10.9.0.7/24"], "10.9.0.200", True),
        (["10.9.0.0/24"], "127.0.0.1", True),
        (["10.9.0.0/24"], "::1", True),
        (["fd00::/8"], "fd12::1%eth0", True),
        (["fd00::/8"], "10.9.0.1", False),
        (["10.9.0.0/24"], "nonsense", False),
    ],
)
def test_who_may_come_at_all(networks: list[str], host: str, may: bool) -> None:
    assert Allowed(networks)(host) is may


def test_what_is_no_network_is_said_to_be_none() -> None:
    with pytest.raises(ValueError, match=r"looks like 10\.9\.0\.1 or 10\.9\.0\.0/24, not '10\.9\.0\.300'"):
        Allowed(["10.9.0.300"])
