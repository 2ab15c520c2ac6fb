"""A publisher is found without its address, from another machine (a network namespace) by multicast DNS."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.commands import Running
from tests.support.local_net import look, without_an_address
from tests.support.netns import PUBLISHER, Hosts, two_hosts

pytestmark = [pytest.mark.needs("ip"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def found() -> Iterator[tuple[Hosts, list[Running], dict[str, str]]]:
    """Two machines, two publishers on one of them, and their token for the other's environment."""
    arguments = ("publish", "--json", "--server", "embedded", "--rtsp-port", "0", "--websocket-port", "0", "--fps", "5")
    env = {"ZLFEED_TOKEN": secrets.token_urlsafe(18)}
    with two_hosts() as hosts, ExitStack() as stack:
        publishers = [
            stack.enter_context(Running(*arguments, "--camera", f"{name}=test", wrapper=hosts.publisher, env=env))
            for name in ("front", "back")
        ]
        for publisher in publishers:
            publisher.line("ready")
        yield hosts, publishers, env


def test_what_is_announced_is_what_there_is(found: tuple[Hosts, list[Running], dict[str, str]]) -> None:
    """Each publisher of a machine, though one port answers for both."""
    offers = eventually_two(found[0])
    assert [offer["addresses"] for offer in offers] == [[PUBLISHER], [PUBLISHER]]
    assert sorted(str(offer["streams"]) for offer in offers) == ["['back']", "['front']"]
    assert all(offer["asks_token"] for offer in offers)


def eventually_two(hosts: Hosts) -> list[dict[str, object]]:
    """Looks until both are heard; the later one may not have spoken yet."""
    for _ in range(10):
        if len(offers := look(hosts)) == 2:
            break
    return offers


def test_monitor_without_an_address_watches_what_it_finds(found: tuple[Hosts, list[Running], dict[str, str]]) -> None:
    code, out, words = without_an_address(found[0], "monitor", "--once", "--json", env=found[2])
    assert code == 0, words
    lines = [json.loads(line) for line in out]
    assert {line["camera"] for line in lines if line["type"] == "status"} == {"front", "back"}
    assert PUBLISHER in words


def test_receive_names_the_streams_when_nobody_can_choose(found: tuple[Hosts, list[Running], dict[str, str]]) -> None:
    code, _, words = without_an_address(found[0], "receive", "--headless", env=found[2])
    assert code == 2, words
    assert "there are 2 streams in the local net, name one: " in words
    assert "front on " in words
    assert f"rtsp://{PUBLISHER}:" in words


def test_one_that_ends_says_goodbye_and_then_this_machine_is_tried(
    found: tuple[Hosts, list[Running], dict[str, str]],
) -> None:
    hosts, publishers, _ = found
    for publisher in publishers:
        publisher.process.terminate()
    assert [publisher.wait() for publisher in publishers] == [143, 143]
    assert look(hosts, 1.5) == []
    with Running("monitor", "--once", "--json", wrapper=hosts.viewer) as monitor:
        assert monitor.wait(60) == 3
    assert "localhost" in monitor.words
