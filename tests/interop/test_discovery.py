"""A publisher is found without its address, from another machine (a network namespace) by multicast DNS."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import Running
from tests.support.netns import PUBLISHER, Hosts, two_hosts

pytestmark = [pytest.mark.needs("ip"), pytest.mark.timeout(180)]
LOOK = """
import asyncio, dataclasses, json
from zlfeed import discovery
print(json.dumps([dataclasses.asdict(offer) for offer in asyncio.run(discovery.find(6.0))]))
"""


@pytest.fixture(scope="module")
def found() -> Iterator[tuple[Hosts, Running, str]]:
    """Two machines, a publisher with two streams on one of them, and its token."""
    with two_hosts() as hosts:
        arguments = ("publish", "--json", "--server", "embedded", "--rtsp-port", "0", "--websocket-port", "0")
        cameras = ("--camera", "front=test", "--camera", "back=test")
        with Running(*arguments, *cameras, wrapper=hosts.publisher) as publisher:
            publisher.line("ready")
            token = Path(publisher.env["XDG_STATE_HOME"], "zlfeed", "token").read_text().strip()
            yield hosts, publisher, token


def look(hosts: Hosts) -> list[dict[str, object]]:
    done = subprocess.run(
        [*hosts.viewer, sys.executable, "-c", LOOK], capture_output=True, text=True, timeout=60, check=True
    )
    return list(json.loads(done.stdout))


def test_what_is_announced_is_what_there_is(found: tuple[Hosts, Running, str]) -> None:
    (offer,) = look(found[0])
    assert offer["addresses"] == [PUBLISHER]
    assert offer["streams"] == ["front", "back"]
    assert offer["asks_token"] is True


def test_monitor_without_an_address_watches_what_it_finds(found: tuple[Hosts, Running, str]) -> None:
    hosts, _, token = found
    with Running("monitor", "--once", "--json", wrapper=hosts.viewer, env={"ZLFEED_TOKEN": token}) as monitor:
        assert {monitor.line("status")["camera"], monitor.line("status")["camera"]} == {"front", "back"}
        assert monitor.wait() == 0
    assert PUBLISHER in monitor.words


def test_receive_names_the_streams_when_nobody_can_choose(found: tuple[Hosts, Running, str]) -> None:
    hosts, _, token = found
    with Running("receive", "--headless", wrapper=hosts.viewer, env={"ZLFEED_TOKEN": token}) as receive:
        assert receive.wait(60) == 2
    assert "there are 2 streams in the local net, name one: front on " in receive.words
    assert f"rtsp://{PUBLISHER}:" in receive.words


def test_one_that_ends_says_goodbye_and_the_next_is_received(found: tuple[Hosts, Running, str]) -> None:
    hosts, publisher, token = found
    publisher.process.terminate()
    assert publisher.wait() == 143
    assert look(hosts) == []
    arguments = ("publish", "--json", "--server", "embedded", "--rtsp-port", "0", "--websocket-port", "0")
    with Running(*arguments, "--camera", "front=test", wrapper=hosts.publisher, env={"ZLFEED_TOKEN": token}) as one:
        one.line("ready")
        with Running("receive", "--headless", "--json", wrapper=hosts.viewer, env={"ZLFEED_TOKEN": token}) as receive:
            assert receive.line("second", state="live")
        assert "found in the local net: front on " in receive.words


def test_nobody_is_found_quickly_and_this_machine_is_tried(found: tuple[Hosts, Running, str]) -> None:
    began = time.monotonic()
    with Running("monitor", "--once", "--json", wrapper=found[0].viewer) as monitor:
        assert monitor.wait(60) == 3
    assert "localhost" in monitor.words
    assert time.monotonic() - began < 30


def test_a_publisher_that_was_told_not_to_is_not_announced(found: tuple[Hosts, Running, str]) -> None:
    hosts = found[0]
    arguments = ("publish", "--json", "--server", "embedded", "--rtsp-port", "0", "--websocket-port", "0")
    with Running(*arguments, "--camera", "test", "--no-announce", wrapper=hosts.publisher) as quiet:
        quiet.line("ready")
        assert look(hosts) == []
