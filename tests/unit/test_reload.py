"""What a reload takes, what it names, and that no setting is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from zlfeed.config import Settings
from zlfeed.errors import UsageError
from zlfeed.publisher.alerting.actions import Alerting
from zlfeed.publisher.camera import CameraSpec
from zlfeed.publisher.capture import CaptureSettings
from zlfeed.publisher.controls.panel import Panel
from zlfeed.publisher.operations import takers
from zlfeed.publisher.operations.reload import Reloading, Taker, changed
from zlfeed.publisher.operations.service import ServiceLink
from zlfeed.publisher.pipeline import PipelineSettings
from zlfeed.sdnotify import Notifier

Events = list[tuple[str, str, str]]


def reloaded(old: Settings, new: Settings, *some: Taker) -> Events:
    """What is said of a reload from the one to the other."""
    events: Events = []
    link = ServiceLink(Notifier(), list, list)
    reloading = Reloading(old, lambda: new, some, takers.waiting, link, lambda *event: events.append(event))

    async def once() -> None:
        reloading.request()
        task = asyncio.create_task(reloading.run())
        async with asyncio.timeout(5):
            while not events:
                await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(once())
    return events


async def taken(_settings: Settings) -> Sequence[str]:
    return ["bitrate 300"]


async def refused(_settings: Settings) -> Sequence[str]:
    raise UsageError("the camera gives no other size")


def test_what_others_added_waits_for_a_restart_and_is_named() -> None:
    new = Settings(bitrate="300k", preset="medium", min_bitrate="100k", no_adaptive=True, allow=["10.9.0.0/24"])  # type: ignore[arg-type]
    ((level, code, text),) = reloaded(Settings(), new, Taker(takers.PICTURE, taken))
    assert (level, code) == ("warning", "reloaded")
    assert text.endswith("in force: bitrate 300; only after a restart: no_adaptive, min_bitrate, preset, allow")


def test_what_only_a_monitor_has_is_not_named_by_a_publisher() -> None:
    new = Settings(refresh_hz=5, bell=True, limit_cpu=[50, 60])  # type: ignore[arg-type]
    assert changed(Settings(), new) == ["refresh_hz", "bell", "limit_cpu"]
    assert reloaded(Settings(), new) == [("info", "reloaded", "the configuration was read again; nothing has changed")]


def test_what_is_refused_is_said_and_the_rest_is_taken() -> None:
    new = Settings(bitrate="300k", log_level="debug")  # type: ignore[arg-type]
    events = reloaded(Settings(), new, Taker(takers.PICTURE, refused), Taker(takers.LEVEL, taken))
    assert events[0] == ("error", "reload_failed", "bitrate: the camera gives no other size")


class Panels:
    """A camera's panel: what it was started as, and whether it is there to show it."""

    def __init__(self, name: str, *, there: bool) -> None:
        capture = CaptureSettings(CameraSpec(name, "test", "test"), None, None)
        self.started = PipelineSettings(capture, Path("ffmpeg"), 800_000, None, "h264", "auto")
        self._there = there

    async def start_from(self, started: PipelineSettings) -> None:
        self.started = started
        if not self._there:
            raise TimeoutError


def test_a_camera_that_is_not_there_is_no_failure_and_tokens_do_not_wait_for_it() -> None:
    panels = {name: Panels(name, there=name == "front") for name in ("front", "side")}

    async def rotated(_settings: Settings) -> Sequence[str]:
        assert panels["front"].started.bitrate == 800_000
        return ["main token"]

    new = Settings(bitrate="300k", log_level="info")  # type: ignore[arg-type]
    some = takers.takers(cast("dict[str, Panel]", panels), cast("Alerting", None), rotated)
    ((level, _, text),) = reloaded(Settings(), new, *some)
    assert level == "info"
    assert text.endswith("in force: a new main token, bitrate 300, on side as soon as it gives a picture")
    assert {panel.started.bitrate for panel in panels.values()} == {300_000}
