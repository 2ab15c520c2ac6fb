"""A clock is set by an hour while everything runs: the latency is unknown until it is right again; nothing stalls."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.kit import BUSY
from tests.support import figures
from tests.support.commands import Running, publishing, receiving
from tests.support.stepping_clock import SteppingClock

pytestmark = [pytest.mark.alone, pytest.mark.needs("faketime", "ffmpeg"), pytest.mark.timeout(180)]
SMALL = ("--server", "embedded", "--size", "320x240")
NOISE_MS = 1000.0
"""What the load of the machine may add to a latency; a clock that is taken for another adds an hour."""


def steady(receiver: Running, within_s: float = 20.0) -> dict[str, Any]:
    """The first second of which the whole latency is known."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        second = receiver.line("second")
        if second["state"] == "live" and second["latency_ms"] is not None and second["frames"] > 15:
            return second
    raise AssertionError("the latency stayed unknown")


@pytest.mark.parametrize("side", ["publisher", "viewer"])
def test_a_clock_that_is_set_by_an_hour_is_found_again(side: str, tmp_path: Path) -> None:
    clock = SteppingClock(tmp_path)
    faked = {"env": clock.env}
    with publishing(*SMALL, **(faked if side == "publisher" else {})) as publisher:
        urls = publisher.line("ready")["urls"]
        with receiving(urls, **(faked if side == "viewer" else {})) as receiver:
            before = steady(receiver)["latency_ms"]["p50"]
            for offset, hour in (("+1h", 1), ("-1h", -1)):
                clock.set(offset)
                stepped = time.monotonic()
                seconds = []
                while True:
                    seconds.append(second := receiver.line("second"))
                    known = second["latency_ms"] is not None
                    ours = hour * 3_600_000 * (1 if side == "publisher" else -1)
                    right = known and second["clock_offset_ms"] == pytest.approx(ours, abs=100_000)
                    if right and abs(second["latency_ms"]["max"]) < 10_000:
                        break
                    assert time.monotonic() < stepped + 30, seconds[-1]
                took = time.monotonic() - stepped
                shown = [s["latency_ms"] for s in seconds if s["latency_ms"]]
                missed = sum(s["missed"] for s in seconds)
                freeze = max(s["longest_freeze_ms"] or 0.0 for s in seconds)
                figures.record(
                    f"clock of the {side} set by {offset}",
                    f"latency right again {took:.0f} s later, never shown wrong; {missed} frames missed, "
                    f"longest freeze {freeze:.0f} ms",
                )
                assert all(abs(latency["max"]) < before + NOISE_MS for latency in shown), "unknown, or right"
                assert all(latency["p50"] == pytest.approx(before, abs=NOISE_MS) for latency in shown)
                assert missed <= BUSY
                assert freeze < 5000
            publisher.line("second", state="live")
