"""Small pictures for those who ask, while they ask: each is made once, whoever it is for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from weakref import WeakKeyDictionary

from zlfeed.model import Thumbnail
from zlfeed.publisher.status.hub import Hub, Listener

DEFAULT_HZ = 2.0
MAX_HZ = 5.0
DEFAULT_WIDTH = 160
MIN_WIDTH, MAX_WIDTH = 16, 640
_BEHIND = 4
"""A listener for whom so many messages wait gets no picture: it would be old before it is there."""


class Thumbnails:
    """Asks for pictures at the rates that the hub's listeners want, and for none while nobody wants any."""

    def __init__(self, hub: Hub, make: Callable[[str, int], Awaitable[Thumbnail | None]]) -> None:
        """`make(camera, width)` gives a picture at most so wide; it may fail, and takes its time."""
        self._hub = hub
        self._make = make
        self._due: WeakKeyDictionary[Listener, float] = WeakKeyDictionary()

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._hub.subscribed.clear()
            asking = [listener for listener in self._hub.listeners if listener.subscribe.thumbnails]
            now = loop.time()
            due = [listener for listener in asking if self._due.get(listener, 0.0) <= now]
            if due:
                await self._serve(due, now)
            elif asking:
                # Woken early by who asks anew.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(min(self._due[listener] for listener in asking)):
                        await self._hub.subscribed.wait()
            else:
                await self._hub.subscribed.wait()

    async def _serve(self, due: list[Listener], now: float) -> None:
        for listener in due:
            # From when it was due, so that the rate holds; a listener that was away gets nothing in arrears.
            before = self._due.get(listener, 0.0)
            self._due[listener] = max(before + interval_s(listener), now)
        ready = [listener for listener in due if len(listener.outbox) < _BEHIND]
        async with asyncio.TaskGroup() as group:
            for camera in self._hub.cameras:
                if watching := [listener for listener in ready if listener.watches(camera)]:
                    group.create_task(self._picture(camera, watching))

    async def _picture(self, camera: str, watching: list[Listener]) -> None:
        try:
            thumbnail = await self._make(camera, max(map(width_of, watching)))
        except Exception as error:
            self._hub.grumble("thumbnail_failed", camera=camera, error=repr(error))
            return
        if thumbnail is not None:
            self._hub.tell(thumbnail, watching)


def interval_s(listener: Listener) -> float:
    """The time from picture to picture; NaN and nonsense as nothing said."""
    hz = listener.subscribe.thumbnail_hz
    return 1 / min(MAX_HZ, hz) if hz is not None and hz > 0.01 else 1 / DEFAULT_HZ


def width_of(listener: Listener) -> int:
    """How wide its pictures may be, in pixels."""
    return min(MAX_WIDTH, max(MIN_WIDTH, listener.subscribe.thumbnail_width or DEFAULT_WIDTH))
