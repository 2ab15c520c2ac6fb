"""The connections to all publishers, and the state they feed. Asyncio; knows nothing of Textual."""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import zlfeed
from zlfeed.clock import Estimate, monotonic_us
from zlfeed.errors import StartError
from zlfeed.monitor.controls import Key, Setter
from zlfeed.monitor.limits import Thresholds
from zlfeed.monitor.preview import Asked, Preview, Shown
from zlfeed.monitor.snapshot import LogEntry, Snapshot
from zlfeed.monitor.state import MonitorState
from zlfeed.tls import Trust

if TYPE_CHECKING:  # WebSocket, protobuf and the messages are imported while the first picture is looked at
    from zlfeed.model import ClientMessage, Hello, ServerMessage, Thumbnail
    from zlfeed.status_client import LinkState, StatusClient


def hello(token: str) -> Hello:
    """How the monitor introduces itself."""
    from zlfeed.model import Hello

    return Hello(token=token, kind="monitor", name=platform.node(), version=zlfeed.__version__)


class Feeds:
    """One status connection a publisher; each reconnects alone, for ever."""

    def __init__(
        self,
        tokens: Mapping[str, str],
        *,
        timeout_s: float,
        limits: Thresholds | None = None,
        trust: Trust = Trust(),  # noqa: B008 - frozen
    ) -> None:
        """`tokens`: for each publisher's URL what we show there, empty for none."""
        self.state = MonitorState(list(tokens), limits)
        self.on_news: Callable[[], None] = lambda: None
        """Called when there is something that should not wait for the next look: anything but a camera's figures."""
        self._tokens = tokens
        self._timeout_s = timeout_s
        self._trust = trust
        self._clients: dict[str, StatusClient] = {}
        """From `run` on."""
        self.on_snapshot: Callable[[Thumbnail], None] = lambda _picture: None
        """Called with a picture in full size that was asked for by the control `snapshot`."""
        self.on_picture: Callable[[], None] = lambda: None
        """Called when a picture for the preview has come."""
        self.setter = Setter(self.send)
        self._preview = Preview()
        self._refusals: list[str] = []

    async def run(self) -> None:
        """Follows all publishers until cancelled. Raises StartError when every one of them refused us."""
        self._clients = self._connected()
        self._subscribe()
        async with asyncio.TaskGroup() as group:
            for url, client in self._clients.items():
                group.create_task(self._follow(url, client))
        raise StartError("\n".join(self._refusals))

    def _connected(self) -> dict[str, StatusClient]:
        from zlfeed.status_client import StatusClient

        return {
            url: StatusClient(
                url,
                hello(token),
                on_message=partial(self._on_message, url),
                on_link=partial(self._on_link, url),
                timeout_s=self._timeout_s,
                compress=True,
                trust=self._trust,
            )
            for url, token in self._tokens.items()
        }

    def snapshot(self) -> Snapshot:
        """Everything known, as of now."""
        now_us = monotonic_us()
        self.setter.look(now_us / 1e6)
        clocks = {url: self._clock(url, now_us) for url in self.state.hosts}
        return self.state.snapshot(now_us / 1e6, time.time_ns() // 1000, clocks)

    def send(self, url: str, message: ClientMessage) -> bool:
        """Sends to one publisher; False when there is no connection to it."""
        return url in self._clients and self._clients[url].send(message)

    def set_control(self, key: Key, value: str) -> None:
        """Wishes a control of a camera to have a value."""
        self.setter.want(key, value, monotonic_us() / 1e6)
        self.on_news()

    def watch(self, asked: Asked | None) -> None:
        """Wants a camera's pictures, or none: thumbnails are made only while somebody asks."""
        before = self._preview.asked
        if not self._preview.ask(asked, monotonic_us() / 1e6):
            return
        if before is not None and before.key[0] in self._clients and (asked is None or asked.key[0] != before.key[0]):
            from zlfeed.model import Subscribe

            self._clients[before.key[0]].subscribe(Subscribe())
        self._subscribe()

    def _subscribe(self) -> None:
        """Asks for the pictures that are wanted."""
        asked = self._preview.asked
        if asked is not None and asked.key[0] in self._clients:
            from zlfeed.model import Subscribe

            url, camera = asked.key
            wanted = Subscribe(
                thumbnails=True, thumbnail_hz=asked.hz, thumbnail_width=asked.width, thumbnail_cameras=(camera,)
            )
            self._clients[url].subscribe(wanted)

    def preview(self) -> Shown | None:
        """The picture that was asked for, as of now."""
        return self._preview.shown(monotonic_us() / 1e6)

    def acknowledge(self) -> None:
        """The alerts have been seen."""
        self.state.alerts.acknowledge()

    def note(self, level: str, code: str, text: str) -> None:
        """Adds an entry of the monitor's own to the activity log."""
        self.state.note(LogEntry(time.time_ns() // 1000, level, code, text))

    async def _follow(self, url: str, client: StatusClient) -> None:
        try:
            await client.run()
        except StartError as error:
            self._refusals.append(str(error))
            self.state.on_refused(url, str(error), self._time_us(url))
            self.on_news()

    def _on_message(self, url: str, message: ServerMessage) -> None:
        from zlfeed.model import ControlResult, Pong, Thumbnail

        if isinstance(message, Thumbnail):
            self._on_thumbnail(url, message)
            return
        before = self._known(url, message)
        self.state.on_message(url, message, monotonic_us() / 1e6)
        if isinstance(message, ControlResult):
            self.setter.answered(url, message, monotonic_us() / 1e6)
        if not isinstance(message, Pong) and (before is None or self._known(url, message) != before):
            self.on_news()

    def _on_thumbnail(self, url: str, thumbnail: Thumbnail) -> None:
        self.state.heard(url, monotonic_us() / 1e6)
        if thumbnail.snapshot:
            self.on_snapshot(thumbnail)
        elif self._preview.on_thumbnail(url, thumbnail, monotonic_us() / 1e6):
            self.on_picture()

    def _known(self, url: str, message: ServerMessage) -> tuple[str, bool] | None:
        """What of a camera makes a status news when it changes; None for all other messages."""
        from zlfeed.model import CameraStatus

        if not isinstance(message, CameraStatus):
            return None
        camera = self.state.hosts[url].cameras.get(message.camera)
        status = camera.status if camera else None
        return (status.state, status.is_connected) if status else ("", False)

    def _on_link(self, url: str, link: LinkState) -> None:
        self.state.on_link(url, link, monotonic_us() / 1e6, self._time_us(url))
        self.on_news()

    def _time_us(self, url: str) -> int:
        """The publisher's time, so that the log's lines stand in one order; ours while its is not known."""
        now_us = monotonic_us()
        clock = self._clock(url, now_us)
        return now_us + clock.offset_us if clock else time.time_ns() // 1000

    def _clock(self, url: str, now_us: int) -> Estimate | None:
        client = self._clients.get(url)
        return client.clock.estimate(now_us) if client else None
