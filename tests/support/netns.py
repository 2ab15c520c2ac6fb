"""Two hosts on this machine: network namespaces with a cable between them, whose rate can be set. Root only."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

PUBLISHER, VIEWER = "10.9.0.2", "10.9.0.1"
"""Addresses as of a VPN: the Pi's and the viewer's."""


@dataclass(frozen=True)
class Hosts:
    """The names of the two namespaces; a command runs in one behind `publisher` or `viewer`."""

    tag: str

    @property
    def publisher(self) -> tuple[str, ...]:
        """The words before a command that runs at PUBLISHER."""
        return ("ip", "netns", "exec", f"zlp{self.tag}")

    @property
    def viewer(self) -> tuple[str, ...]:
        """The words before a command that runs at VIEWER."""
        return ("ip", "netns", "exec", f"zlv{self.tag}")

    def viewer_comes_from(self, address: str) -> None:
        """From now on the viewer's connections come from this address of the same net."""
        _run("ip", "-n", f"zlv{self.tag}", "addr", "add", f"{address}/24", "dev", "cable")
        _run("ip", "-n", f"zlv{self.tag}", "route", "replace", "10.9.0.0/24", "dev", "cable", "src", address)

    def limit(self, kbit: int, queue_bytes: int = 30_000) -> None:
        """From now on the cable carries `kbit` kbit/s towards the viewer, behind a router's queue of that size."""
        verb = "replace"
        _run(*self.publisher, "tc", "qdisc", verb, "dev", "cable", "root", "tbf", "rate", f"{kbit}kbit",
             "burst", "4kb", "limit", str(queue_bytes))  # fmt: skip

    def free(self) -> None:
        """The cable is as fast as it can be again."""
        _run(*self.publisher, "tc", "qdisc", "del", "dev", "cable", "root")


@contextmanager
def two_hosts() -> Iterator[Hosts]:
    """Makes the hosts, and takes them away again; skips the test where that is not allowed."""
    if os.name != "posix" or os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("network namespaces want root and iproute2")
    hosts = Hosts(uuid.uuid4().hex[:6])
    publisher, viewer = f"zlp{hosts.tag}", f"zlv{hosts.tag}"
    made = subprocess.run(["ip", "netns", "add", publisher], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"this machine makes no network namespaces: {made.stderr.strip()}")
    try:
        _run("ip", "netns", "add", viewer)
        _run("ip", "link", "add", "cable", "netns", publisher, "type", "veth", "peer", "name", "cable", "netns", viewer)
        for name, address in ((publisher, PUBLISHER), (viewer, VIEWER)):
            _run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "cable")
            _run("ip", "-n", name, "link", "set", "cable", "up")
            _run("ip", "-n", name, "link", "set", "lo", "up")
        yield hosts
    finally:
        for name in (publisher, viewer):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
