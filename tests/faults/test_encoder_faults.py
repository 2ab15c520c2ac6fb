"""FFmpeg is killed, stops, or falls silent: the warm spare takes over, and no viewer loses its session."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from tests.faults.kit import at_work, encoders, wait_until
from tests.support import figures
from tests.support.commands import Running, publishing
from tests.support.standin_ffmpeg import tapped
from tests.support.watching import Watcher, ffmpeg, gstreamer, opencv

pytestmark = [pytest.mark.alone, pytest.mark.needs("ffmpeg"), pytest.mark.timeout(300)]
SMALL = ("--server", "embedded", "--size", "320x240")
LIMIT_MS = 5000.0
"""Whatever the machine: a viewer that sees nothing for longer has not been spared the fault."""


def spare_is_warm(publisher: Running) -> None:
    """Waits until the one at work has a spare, and gives it the time that warming takes."""
    settled: list[psutil.Process] = []
    while len(settled) != 2 or settled != encoders(publisher):
        wait_until(lambda: len(encoders(publisher)) == 2)
        settled = encoders(publisher)
        time.sleep(0.7)


class Feed(NamedTuple):
    """One publisher that goes through one fault after another."""

    publisher: Running
    url: str

    def restarts(self) -> tuple[int, int]:
        """How often FFmpeg was replaced so far, and how many frames went with those that were."""
        second = self.publisher.line("second")
        return second["encoder_restarts"], second["frames_dropped"].get("encoder_failed", 0)


@pytest.fixture(scope="module")
def feed() -> Iterator[Feed]:
    with publishing(*SMALL) as publisher:
        yield Feed(publisher, publisher.line("ready")["urls"]["rtsp"])


def test_killing_the_spare_too_costs_a_start(feed: Feed) -> None:
    """The first of the faults: after many kills in a row it would be waited longer before the next attempt."""
    with Watcher(ffmpeg(feed.url)) as watcher:
        watcher.first()
        spare_is_warm(feed.publisher)
        moment = time.monotonic()
        for encoder in encoders(feed.publisher):
            encoder.kill()
        watcher.past(moment + 1.0)
        gap = watcher.gap_ms(moment - 0.1, time.monotonic())
        assert gap < LIMIT_MS
        figures.record("kill −9 FFmpeg and the spare at once", f"gap {gap:.0f} ms")


@pytest.mark.needs("gst-launch-1.0")
def test_killing_ffmpeg_costs_nobody_the_session(feed: Feed) -> None:
    kills = 100 if figures.wanted() else 5
    with ExitStack() as stack:
        watchers = [stack.enter_context(Watcher(player(feed.url))) for player in (opencv, ffmpeg, gstreamer)]
        for watcher in watchers:
            watcher.first()
        before, lost_before = feed.restarts()
        moments = []
        for _ in range(kills):
            spare_is_warm(feed.publisher)
            time.sleep(random.uniform(0.0, 0.1))
            victim = at_work(feed.publisher)
            moments.append(time.monotonic())
            victim.kill()
        last = moments[-1]
        for watcher in watchers:
            watcher.past(last + 1.0)

        for watcher in watchers:
            assert watcher.alive
            gaps = [watcher.gap_ms(moment - 0.1, moment + 0.7) for moment in moments]
            missed = sum(watcher.missed(moment - 0.1, moment + 0.7) for moment in moments)
            assert max(gaps) < LIMIT_MS
            figures.record(
                f"kill −9 FFmpeg, {kills} times, seen by {watcher.name}",
                f"no session lost; gap {figures.spread(gaps)}; {missed / kills:.1f} frames lost a kill",
            )
        spare_is_warm(feed.publisher)
        victim = at_work(feed.publisher)
        victim.suspend()  # so that it has a frame in hand when it is killed
        time.sleep(0.2)
        victim.kill()
        last = time.monotonic()
        while feed.restarts()[0] < before + kills + 1:
            assert time.monotonic() < last + 20
        assert feed.restarts()[1] > lost_before, "frames that went with an encoder are counted"


def test_a_stopped_ffmpeg_is_replaced(feed: Feed) -> None:
    with Watcher(ffmpeg(feed.url)) as watcher:
        watcher.first()
        spare_is_warm(feed.publisher)
        stopped = at_work(feed.publisher)
        moment = time.monotonic()
        stopped.suspend()
        wait_until(lambda: not stopped.is_running())
        after = time.monotonic()
        watcher.past(after + 0.3)
        gap = watcher.gap_ms(moment - 0.1, time.monotonic())
        assert gap < LIMIT_MS
        while "gave no frame" not in feed.publisher.line("event", code="encoder_restarted")["text"]:
            assert time.monotonic() < after + 20
        figures.record("FFmpeg stopped (SIGSTOP)", f"replaced; gap {gap:.0f} ms")


def test_an_ffmpeg_that_reads_on_and_says_nothing_is_replaced(tmp_path: Path) -> None:
    program, orders = tapped(tmp_path, shutil.which("ffmpeg") or "")
    with (
        publishing(*SMALL, "--ffmpeg-path", str(program)) as publisher,
        Watcher(ffmpeg(publisher.line("ready")["urls"]["rtsp"])) as watcher,
    ):
        watcher.first()
        spare_is_warm(publisher)
        moment = time.monotonic()
        parent = encoders(publisher)[0].parent()
        assert parent
        orders.write_text(str(parent.pid))
        publisher.line("event", code="encoder_restarted")
        after = time.monotonic()
        watcher.past(after + 0.3)
        gap = watcher.gap_ms(moment - 0.1, time.monotonic())
        assert gap < LIMIT_MS
        figures.record("FFmpeg alive and silent", f"replaced; gap {gap:.0f} ms")
        assert publisher.end() == 130
        assert publisher.left_behind() == []
