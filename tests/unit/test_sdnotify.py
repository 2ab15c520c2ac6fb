"""sd_notify over a real socket, by path and in the abstract namespace."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from zlfeed.sdnotify import Notifier

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """NOTIFY_SOCKET, and the manager's end of it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@zlfeed-test-{os.getpid()}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as end:
        end.bind(name.replace("@", "\0", 1))
        end.settimeout(5)
        yield name, end


def heard(end: socket.socket) -> list[str]:
    return end.recv(8192).decode().split("\n")


def test_each_state_is_one_datagram(manager: tuple[str, socket.socket]) -> None:
    name, end = manager
    with closing(Notifier({"NOTIFY_SOCKET": name})) as notifier:
        assert notifier.active
        notifier.ready("front: live")
        assert heard(end) == ["READY=1", "STATUS=front: live"]
        notifier.watchdog("two\nlines")
        assert heard(end) == ["WATCHDOG=1", "STATUS=two lines"]
        notifier.status("as it is")
        assert heard(end) == ["STATUS=as it is"]
        notifier.reloading()
        first, clock = heard(end)
        assert first == "RELOADING=1"
        assert clock.startswith("MONOTONIC_USEC=")
        assert int(clock.partition("=")[2]) > 0
        notifier.stopping()
        assert heard(end) == ["STOPPING=1", "STATUS=ending"]


def test_a_long_status_is_cut() -> None:
    notifier = Notifier({"NOTIFY_SOCKET": f"@zlfeed-test-long-{os.getpid()}"})
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as end, closing(notifier):
        end.bind(f"\0zlfeed-test-long-{os.getpid()}")
        end.settimeout(5)
        notifier.status("x" * 100_000)
        assert len(end.recv(1 << 17)) == 4096


@pytest.mark.parametrize("name", ["", "/nowhere/at/all", "@nobody-listens-there", "relative", "@"])
def test_nobody_who_listens_costs_nothing(name: str) -> None:
    with closing(Notifier({"NOTIFY_SOCKET": name})) as notifier:
        notifier.ready("")
        notifier.watchdog("")


def test_a_manager_that_does_not_read_blocks_nothing(manager: tuple[str, socket.socket]) -> None:
    with closing(Notifier({"NOTIFY_SOCKET": manager[0]})) as notifier:
        for _ in range(5000):
            notifier.watchdog("full")


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "20000000"}, 20.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdogs_time(environment: dict[str, str], seconds: float | None) -> None:
    assert Notifier({"NOTIFY_SOCKET": "@x", **environment}).watchdog_s == seconds
    assert Notifier(environment).watchdog_s is None, "without a socket there is nobody to tell"
