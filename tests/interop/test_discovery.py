"""A publisher is found without its address, from another machine (a network namespace) by multicast DNS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import Running
from tests.support.local_net import look, without_an_address
from tests.support.netns import PUBLISHER, Hosts, two_hosts

pytestmark = [pytest.mark.needs("ip"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def found() -> Iterator[tuple[Hosts, Running, dict[str, str]]]:
    """Two machines, a publisher with two streams on one of them, and its token for the other's environment."""
    arguments = ("publish", "--json", "--server", "embedded", "--rtsp-port", "0", "--websocket-port", "0")
    cameras = ("--camera", "front=test", "--camera", "back=test", "--fps", "5")
    with two_hosts() as hosts, Running(*arguments, *cameras, wrapper=hosts.publisher) as publisher:
        publisher.line("ready")
        token = Path(publisher.env["XDG_STATE_HOME"], "zlfeed", "token").read_text().strip()
        yield hosts, publisher, {"ZLFEED_TOKEN": token}


def test_what_is_announced_is_what_there_is(found: tuple[Hosts, Running, dict[str, str]]) -> None:
    (offer,) = look(found[0])
    assert offer["addresses"] == [PUBLISHER]
    assert offer["streams"] == ["front", "back"]
    assert offer["asks_token"] is True


def test_monitor_without_an_address_watches_what_it_finds(found: tuple[Hosts, Running, dict[str, str]]) -> None:
    code, out, words = without_an_address(found[0], "monitor", "--once", "--json", env=found[2])
    assert code == 0, words
    lines = [json.loads(line) for line in out]
    assert {line["camera"] for line in lines if line["type"] == "status"} == {"front", "back"}
    assert PUBLISHER in words


def test_receive_names_the_streams_when_nobody_can_choose(found: tuple[Hosts, Running, dict[str, str]]) -> None:
    code, _, words = without_an_address(found[0], "receive", "--headless", env=found[2])
    assert code == 2, words
    assert "there are 2 streams in the local net, name one: front on " in words
    assert f"rtsp://{PUBLISHER}:" in words


def test_one_that_ends_says_goodbye_and_then_this_machine_is_tried(
    found: tuple[Hosts, Running, dict[str, str]],
) -> None:
    hosts, publisher, _ = found
    publisher.process.terminate()
    assert publisher.wait() == 143
    assert look(hosts, 1.5) == []
    with Running("monitor", "--once", "--json", wrapper=hosts.viewer) as monitor:
        assert monitor.wait(60) == 3
    assert "localhost" in monitor.words
