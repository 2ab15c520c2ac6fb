"""Who listens to the status, and what everybody is told: no sockets, one loop.

A message is encoded once, however many it is for, and lies as the same bytes in every listener's outbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from zlfeed import logs
from zlfeed.model import CameraInfo, CameraStatus, Event, Hello, ServerMessage, Subscribe
from zlfeed.publisher.status.history import StatusHistory
from zlfeed.publisher.status.outbox import Outbox
from zlfeed.wire.convert import ProtocolError, encode

GRAIN = 1 / 256
"""Of a status's figures, whatever their unit: 4 µs of a latency in ms. With all digits they are more bytes by half."""

log = logs.get(__name__)


@dataclass(eq=False)
class Listener:
    """One client that was let in; `host` is its address, `here` ours as it reached us, `urls` what it was told."""

    host: str
    hello: Hello
    subscribe: Subscribe = field(default_factory=Subscribe)
    outbox: Outbox = field(default_factory=Outbox)
    here: str = ""
    known: dict[str, CameraInfo] = field(default_factory=dict)
    """What it was told of each camera, `without_values`."""

    def follows(self, camera: str) -> bool:
        """Whether it is that camera, or all, that it cares about."""
        return not self.subscribe.cameras or camera in self.subscribe.cameras

    def watches(self, camera: str) -> bool:
        """Whether it asked for that camera's pictures."""
        chosen = self.subscribe.thumbnail_cameras or self.subscribe.cameras
        return self.subscribe.thumbnails and (not chosen or camera in chosen)

    def wants(self, camera: str) -> bool:
        """Whether it asked for that camera's status."""
        return self.subscribe.status and self.follows(camera)


def without_values(info: CameraInfo) -> CameraInfo:
    """The same without what its controls stand at, of which ControlResults tell."""
    return replace(info, controls=tuple(replace(control, value=None) for control in info.controls))


class Hub:
    """The listeners, what they are told, and counters of what went wrong with them."""

    def __init__(self) -> None:
        self.history = StatusHistory()
        self.listeners: set[Listener] = set()
        self.cameras: tuple[str, ...] = ()
        """Those of which there was a status last."""
        self.subscribed = asyncio.Event()
        """Set when a listener has said anew what it wants."""
        self.grumble = logs.Grumble(log)
        self.messages_dropped = 0
        """Messages that slow listeners never got, of all of them since the start."""
        self.garbage = 0
        """Messages that were none of the protocol."""

    def tell(self, message: ServerMessage, listeners: Iterable[Listener]) -> None:
        """Puts the message into the outboxes. One that cannot be encoded is logged, and lost."""
        to = tuple(listeners)
        if to and (data := self._encoded(message)) is not None:
            self._put(data, to)

    def tell_event(self, event: Event) -> None:
        """Tells everybody, and keeps it for those who come later."""
        data = self._encoded(event)
        if data is not None:
            self.history.add_event(event)
            self._put(data, self.listeners)

    def tell_statuses(self, statuses: Sequence[CameraStatus], listeners: Iterable[Listener]) -> None:
        """Tells those who want to hear of the camera; what was dropped so far is written into the status here."""
        to = tuple(listeners)
        for status in statuses:
            stamped = replace(status, status_messages_dropped=self.messages_dropped)
            self.tell(stamped, (listener for listener in to if listener.wants(status.camera)))

    def tell_infos(self, cameras: Callable[[str], Sequence[CameraInfo]]) -> None:
        """Tells those to whom a camera has other URLs or controls than they heard of.

        `cameras` asks with our address as they use it.
        """
        places = {listener.here for listener in self.listeners}
        now = {here: [(info, without_values(info)) for info in cameras(here)] for here in places}
        for listener in self.listeners:
            for info, plain in now[listener.here]:
                if listener.known.get(info.camera) != plain:
                    listener.known[info.camera] = plain
                    self.tell(info, [listener])

    def _encoded(self, message: ServerMessage) -> bytes | None:
        try:
            return encode(message, GRAIN if isinstance(message, CameraStatus) else None)
        except ProtocolError as error:
            self.grumble("status_message_unfit", error=str(error))
            return None

    def _put(self, data: bytes, listeners: Iterable[Listener]) -> None:
        for listener in listeners:
            if listener.outbox.put(data):
                self.messages_dropped += 1
                self.grumble("status_messages_dropped", client=listener.host, dropped=self.messages_dropped)
