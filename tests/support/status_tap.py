"""Listens to a publisher's status server from a thread, and notes when it heard what."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from zlfeed.model import ClientMessage, Hello, ServerMessage
from zlfeed.status_client import StatusClient

T = TypeVar("T")


class Heard(NamedTuple):
    """A message, and when it was there by both clocks: monotonic s, and wall µs."""

    at: float
    wall_us: int
    message: ServerMessage


class StatusTap:
    """A status client that keeps everything it hears; it connects again for ever, as all of ours do."""

    def __init__(self, url: str) -> None:
        self.heard: list[Heard] = []
        self.connected: list[float] = []
        """When a connection was made."""
        self.url = url
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._listen(),), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._running.cancel)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> None:
        client = self._client = StatusClient(
            self.url,
            Hello(kind="other"),
            on_message=lambda message: self.heard.append(Heard(time.monotonic(), time.time_ns() // 1000, message)),
            on_link=lambda link: self.connected.append(time.monotonic()) if link.connected else None,
        )
        self._running = asyncio.ensure_future(client.run())
        await asyncio.gather(self._running, return_exceptions=True)

    def send(self, message: ClientMessage) -> None:
        """Sends a message, if it is connected."""
        self._loop.call_soon_threadsafe(self._client.send, message)

    def until(
        self, kind: type[T], accept: Callable[[T], object], within_s: float = 20.0, *, after: float = 0.0
    ) -> tuple[Heard, T]:
        """The first message of a kind that is accepted, heard since the moment `after`."""
        deadline = time.monotonic() + within_s
        index = 0
        while time.monotonic() < deadline:
            while index < len(self.heard):
                heard = self.heard[index]
                index += 1
                if heard.at >= after and isinstance(heard.message, kind) and accept(heard.message):
                    return heard, heard.message
            time.sleep(0.005)
        raise AssertionError(f"no such {kind.__name__} within {within_s:g} s")
