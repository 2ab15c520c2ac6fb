"""What a reload takes, what it names, and that no setting is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from zlfeed.config import Settings
from zlfeed.errors import UsageError
from zlfeed.publisher.operations import takers
from zlfeed.publisher.operations.reload import Reloading, Taker, changed
from zlfeed.publisher.operations.service import ServiceLink
from zlfeed.sdnotify import Notifier

Events = list[tuple[str, str, str]]


def reloaded(old: Settings, new: Settings, *some: Taker) -> Events:
    """What is said of a reload from the one to the other."""
    events: Events = []
    link = ServiceLink(Notifier(), list, list)
    reloading = Reloading(old, lambda: new, some, takers.RESTART, link, lambda *event: events.append(event))

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
