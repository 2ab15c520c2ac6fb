"""Floods of log lines; the clock is the test's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from structlog import DropEvent

from zlfeed.log_flood import BURST, Flood


class Time:
    """A clock with what is to be done later."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, Callable[[], None]]] = []

    def later(self, seconds: float, run: Callable[[], None]) -> None:
        self._due.append((self.now + seconds, run))

    def advance(self, to: float) -> None:
        for at, run in sorted(self._due, key=lambda item: item[0]):
            if at <= to:
                self._due.remove((at, run))
                self.now = at
                run()
        self.now = to


@pytest.fixture
def world() -> tuple[Time, list[dict[str, Any]], Callable[[str], None]]:
    time, told = Time(), list[dict[str, Any]]()
    flood = Flood(lambda event: told.append(dict(event)), lambda: time.now, time.later)

    def say(name: str, **values: object) -> None:
        with contextlib.suppress(DropEvent):
            told.append(dict(flood(None, "", {"level": "warning", "event": name, **values})))

    return time, told, say


def test_a_few_of_a_kind_all_pass(world: Any) -> None:
    time, told, say = world
    for second in range(3):
        time.advance(float(second * 2))
        for _ in range(BURST):
            say("viewer_joined")
    time.advance(10.0)
    assert len(told) == 3 * BURST
    assert all("held_back" not in event for event in told)


def test_a_flood_is_a_line_a_second_with_its_number(world: Any) -> None:
    time, told, say = world
    for tick in range(3000):
        time.advance(tick / 1000)
        say("frames_dropped", frame=tick)
        if tick == 5:
            say("other")
    time.advance(10.0)
    lines = [event for event in told if event["event"] == "frames_dropped"]
    assert len(lines) == BURST + 3
    assert [line["held_back"] + 1 for line in lines[BURST:]] == [1000 - BURST, 1000, 1000]
    assert lines[-1]["frame"] == 2999, "the newest of them is the one that is told"
    assert len([event for event in told if event["event"] == "other"]) == 1


def test_a_quiet_second_ends_it(world: Any) -> None:
    time, told, say = world
    for _ in range(100):
        say("lost")
    time.advance(5.0)
    told.clear()
    say("lost")
    assert told == [{"level": "warning", "event": "lost"}]
