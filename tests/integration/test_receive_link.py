"""The receiver's status link against a real publisher: the clock's estimate, lost trust in it, and an end in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.commands import publishing
from zlfeed.clock import monotonic_us
from zlfeed.model import Hello, ViewerReport
from zlfeed.receiver.link import StatusLink
from zlfeed.status_client import LinkState


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with publishing() as publisher:
        yield publisher.line("ready")["urls"]["websocket"]


def eventually(holds: Callable[[], bool], within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_publishers_clock_is_known_doubted_and_known_again(url: str) -> None:
    states: list[LinkState] = []
    link = StatusLink(url, Hello(kind="receive"), camera="zerolatency", timeout_s=5, on_link=states.append)
    assert link.estimate() is None
    link.start()
    try:
        eventually(lambda: link.estimate() is not None)
        estimate = link.estimate()
        assert estimate is not None
        # Both are on this machine: the offset between its clocks is what it says itself.
        true_offset_us = time.time_ns() // 1000 - monotonic_us()
        assert abs(estimate.offset_us - true_offset_us) <= estimate.error_us + 1000
        eventually(lambda: link.camera_state() == "live")
        link.report(ViewerReport(camera="zerolatency", fps=30.0))
        link.distrust_clock()
        assert link.estimate() is None
        eventually(lambda: link.estimate() is not None)
        assert any(state.connected for state in states)
    finally:
        began = time.monotonic()
        link.stop()
    assert time.monotonic() - began < 3


def test_it_ends_in_time_without_a_server_and_before_it_began() -> None:
    for pause_s in (0.0, 0.2):
        link = StatusLink("ws://127.0.0.1:9/", Hello(), camera="x", timeout_s=60, on_link=lambda _state: None)
        link.start()
        time.sleep(pause_s)
        link.report(ViewerReport())
        began = time.monotonic()
        link.stop()
        assert time.monotonic() - began < 2
        assert link.estimate() is None
        assert link.camera_state() is None
