"""Where clients look when nobody tells them, and what they make of answers."""

from __future__ import annotations

import io
import socket
import sys
import time

import pytest
from zeroconf.asyncio import AsyncServiceInfo

from zlfeed import discovery, whereabouts
from zlfeed.config import Settings
from zlfeed.errors import UsageError
from zlfeed.whereabouts import Place

TWO = [Place("10.9.0.2", "rtsp://10.9.0.2:8554/front", "10.9.0.2:9000", f"{name} on pi") for name in ("front", "back")]


def looking_gives(monkeypatch: pytest.MonkeyPatch, *offers: discovery.Offer) -> list[float]:
    """Whoever looks round finds these; how often somebody did is the length of what is returned."""
    looks: list[float] = []

    async def find() -> list[discovery.Offer]:
        looks.append(time.monotonic())
        return list(offers)

    async def reachable(offer: discovery.Offer) -> str:
        return offer.addresses[0]

    monkeypatch.setattr(discovery, "find", find)
    monkeypatch.setattr(discovery, "reachable", reachable)
    return looks


def test_an_address_that_is_known_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = looking_gives(monkeypatch)
    assert whereabouts.places(Settings(publisher="10.9.0.2")) == [Place("10.9.0.2")]
    assert looks == []


def test_what_is_found_comes_before_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = looking_gives(monkeypatch, discovery.Offer("pi", ("10.9.0.2",), 8554, 9000, ("front",), asks_token=True))
    with socket.create_server(("127.0.0.1", 0)) as here:
        settings = Settings(publisher=None, rtsp_port=here.getsockname()[1])
        (place,) = whereabouts.places(settings)
    assert (place.target, place.status) == ("rtsp://10.9.0.2:8554/front", "10.9.0.2:9000")
    assert place.words == "front on pi (10.9.0.2, asks for a token)"
    assert len(looks) == 1


def test_this_machine_is_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = looking_gives(monkeypatch)
    assert whereabouts.places(Settings(publisher=None)) == [Place("localhost")]
    assert len(looks) == 1


def test_a_person_at_a_terminal_chooses(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(whereabouts, "places", lambda *_: TWO)
    monkeypatch.setattr(sys, "stdin", io.StringIO("0\nx\n3\n2\n"))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert whereabouts.one(Settings()) is TWO[1]
    said = capsys.readouterr().err
    assert "  1  front on pi\n  2  back on pi\n" in said
    assert said.count("Which one, 1 to 2? ") == 4
    with pytest.raises(UsageError, match="no stream was chosen"):
        whereabouts.one(Settings())


def test_without_one_all_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whereabouts, "places", lambda *_: TWO)
    with pytest.raises(UsageError, match=r"there are 2 streams in the local net, name one: front on pi: rtsp://10\.9"):
        whereabouts.one(Settings())
    assert whereabouts.statuses(Settings()) == ["10.9.0.2:9000"]


def test_what_is_announced_is_read_back() -> None:
    offer = discovery.offer_here(("10.9.0.2",), 8554, 9000, ["front", "back"], asks_token=True)
    publisher, *streams = discovery.records(offer)
    found = discovery.read(publisher)
    assert found is not None
    assert (found.addresses, found.rtsp_port, found.websocket_port) == (("10.9.0.2",), 8554, 9000)
    assert (found.streams, found.asks_token) == (("front", "back"), True)
    assert [info.properties for info in streams] == [{b"path": b"/front"}, {b"path": b"/back"}]


def test_publishers_of_one_machine_have_names_of_their_own() -> None:
    ports = (9000, 9001, 40000)
    of_each = [
        discovery.records(discovery.offer_here(("10.9.0.2",), 8554, port, ["a"], asks_token=True)) for port in ports
    ]
    for infos in zip(*of_each, strict=True):
        assert len({info.name for info in infos}) == len({info.server for info in infos}) == len(ports)


@pytest.mark.parametrize(
    ("about", "address"),
    [
        ({"rtsp": "8554", "streams": "../x, y"}, "10.9.0.2"),
        ({"rtsp": "many", "streams": "front"}, "10.9.0.2"),
        ({"rtsp": "99999", "streams": "front"}, "10.9.0.2"),
        ({"streams": "front"}, "10.9.0.2"),
        ({"rtsp": "8554", "streams": "front"}, "127.0.0.1"),
    ],
)
def test_what_a_stranger_may_answer_is_no_offer(about: dict[str, str], address: str) -> None:
    info = AsyncServiceInfo(
        discovery.ZLFEED, f"x.{discovery.ZLFEED}", port=9000, properties=about, addresses=[socket.inet_aton(address)]
    )
    assert discovery.read(info) is None
