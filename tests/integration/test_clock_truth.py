"""The latency shown is the true one: whatever the publisher's clock says, whatever the path, it errs by no more than
its ± says, and it is unknown rather than guessed.

The machine that runs the tests adds to a latency what its load makes of it; NOISE_MS allows for that.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.commands import publishing, receiving
from tests.support.slow_path import slow_path

pytestmark = pytest.mark.alone

SECONDS = 3
NOISE_MS = 40.0
DELAY_S = 0.100
FAKETIME = Path(__file__).parents[1] / "support" / "faketime"


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    """The URLs of a publisher of the test picture."""
    with publishing() as publisher:
        yield publisher.line("ready")["urls"]


@pytest.fixture(scope="module")
def direct_ms(urls: dict[str, str]) -> float:
    """The latency of the plain path, p50."""
    return latency_of(summary(urls))[0]


def summary(urls: Mapping[str, str]) -> dict[str, Any]:
    """What a receiver of these URLs sums up after some seconds of picture."""
    with receiving(urls) as receiver:
        receiver.line("event", code="connected")
        for _ in range(SECONDS):
            receiver.line("second", state="live")
        assert receiver.end() == 130
        return receiver.line("summary")


def latency_of(figures: Mapping[str, Any]) -> tuple[float, float]:
    """The latency's p50 and its error, ms."""
    assert figures["latency_ms"] is not None
    return figures["latency_ms"]["p50"], figures["latency_error_ms"]


def port_of(url: str) -> int:
    """The port that a URL names."""
    port = urlsplit(url).port
    assert port
    return port


def over(url: str, port: int) -> str:
    """The same URL, through another port of this machine."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"127.0.0.1:{port}").geturl()


@pytest.mark.needs("faketime")
@pytest.mark.parametrize("hours", [1, -1])
def test_a_publishers_clock_that_is_wrong_by_an_hour_changes_nothing(hours: int, direct_ms: float) -> None:
    wrapper = ("faketime", "--exclude-monotonic", "-f", f"{hours:+d}h")
    with publishing(wrapper=wrapper, env={"PYTHONPATH": str(FAKETIME)}) as publisher:
        figures = summary(publisher.line("ready")["urls"])
        assert publisher.end() == 130

    assert figures["clock_offset_ms"] == pytest.approx(hours * 3_600_000, abs=60_000)
    shown, error = latency_of(figures)
    assert shown == pytest.approx(direct_ms, abs=error + NOISE_MS)
    assert figures["unread_timecodes"] == 0


def test_a_longer_way_of_the_picture_shows_in_the_latency(urls: dict[str, str], direct_ms: float) -> None:
    with slow_path(port_of(urls["rtsp"]), back_s=DELAY_S) as port:
        figures = summary({**urls, "rtsp": over(urls["rtsp"], port)})

    shown, error = latency_of(figures)
    assert shown - direct_ms == pytest.approx(DELAY_S * 1000, abs=error + NOISE_MS)
    assert error < DELAY_S * 1000 / 4, "the status server was near, and its clock is known well"


def test_a_longer_way_to_both_servers_shows_in_the_latency(urls: dict[str, str], direct_ms: float) -> None:
    """As on a slow link; the same both ways, the clock is met in the middle."""
    delays = {"there_s": DELAY_S, "back_s": DELAY_S}
    with slow_path(port_of(urls["rtsp"]), **delays) as rtsp, slow_path(port_of(urls["websocket"]), **delays) as status:
        figures = summary({"rtsp": over(urls["rtsp"], rtsp), "websocket": over(urls["websocket"], status)})

    shown, error = latency_of(figures)
    assert shown - direct_ms == pytest.approx(DELAY_S * 1000, abs=NOISE_MS)
    assert error >= DELAY_S * 1000, "nobody can know a clock better than half of the round trip"


def test_a_lopsided_way_to_the_clock_stays_within_the_error(urls: dict[str, str], direct_ms: float) -> None:
    """Nothing tells a client that the answers are slower than the questions: the ± must cover it."""
    with slow_path(port_of(urls["websocket"]), back_s=DELAY_S) as status:
        figures = summary({**urls, "websocket": over(urls["websocket"], status)})

    shown, error = latency_of(figures)
    assert abs(shown - direct_ms) > DELAY_S * 1000 / 4, "the test would show nothing"
    assert abs(shown - direct_ms) <= error + NOISE_MS


def test_without_the_status_server_the_latency_is_unknown_and_the_picture_goes_on(urls: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
    figures = summary({**urls, "websocket": over(urls["websocket"], nobody)})

    assert figures["frames"] > 0
    assert figures["fps"] == pytest.approx(30, rel=0.3)
    unknown = {"latency_ms", "latency_error_ms", "clock_offset_ms", "clock_error_ms", "live_ms"}
    assert {name: figures[name] for name in unknown} == dict.fromkeys(unknown)


def test_a_status_server_that_says_nothing_costs_no_picture(urls: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        figures = summary({**urls, "websocket": over(urls["websocket"], silent.getsockname()[1])})

    assert figures["frames"] > 0
    assert figures["latency_ms"] is None
