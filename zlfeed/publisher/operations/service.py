"""What the publisher tells systemd: ready, alive while every chain advances, reloading, ending."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from zlfeed.model import CameraStatus
from zlfeed.publisher.operations.liveness import Advance, grace_s
from zlfeed.sdnotify import Notifier

STATUS_S = 5.0
"""How often `systemctl status` gets a new line where no watchdog asks for more."""


class Chain(Protocol):
    """One camera's way from capture to relay."""

    name: str
    frames_sent: int
    first_frame: asyncio.Event


class ServiceLink:
    """The publisher's side of sd_notify(3).

    A camera that is missing is the supervisor's business: viewers get slates, and those are frames. A chain in which
    nothing moves any more is systemd's: it hears no watchdog() and starts the service anew.
    """

    def __init__(
        self,
        notifier: Notifier,
        chains: Callable[[], Sequence[Chain]],
        statuses: Callable[[], Sequence[CameraStatus]],
    ) -> None:
        self._notifier = notifier
        self._chains = chains
        self._statuses = statuses
        self._advances: dict[str, Advance] = {}
        self._is_ready = False

    def ready(self) -> None:
        """The first frame can be watched; said once."""
        if not self._is_ready:
            self._is_ready = True
            self._notifier.ready(self._line())

    def reloading(self) -> None:
        """The configuration is read again."""
        if self._is_ready:
            self._notifier.reloading()

    def reloaded(self) -> None:
        """That is done, well or not."""
        if self._is_ready:
            self._notifier.ready(self._line())

    def stopping(self) -> None:
        """The publisher ends."""
        self._notifier.stopping()

    async def run(self) -> None:
        """Tells that it is alive, a third of the watchdog's time apart; until cancelled."""
        wanted = self._notifier.watchdog_s
        pause = min(wanted / 3, STATUS_S) if wanted else STATUS_S
        while True:
            if self.advances(time.monotonic(), pause):
                self._notifier.watchdog(self._line())
            await asyncio.sleep(pause)

    def advances(self, now: float, pause: float) -> bool:
        """Whether every chain that ever gave a frame gives frames still; looked at every `pause` seconds."""
        rates = {status.camera: status.fps_asked for status in self._statuses()}
        fine = True
        for chain in self._chains():
            silent = self._advances.setdefault(chain.name, Advance()).look(chain.frames_sent, now)
            if chain.first_frame.is_set() and silent is not None and silent > grace_s(rates.get(chain.name)) + pause:
                fine = False
        return fine

    def _line(self) -> str:
        """What `systemctl status` shows."""
        return "; ".join(_words(status) for status in self._statuses())


def _words(status: CameraStatus) -> str:
    rate = "" if status.fps is None else f", {status.fps:.0f} fps"
    viewers = "no viewer" if not status.viewers else f"{len(status.viewers)} viewer{'s' * (len(status.viewers) > 1)}"
    why = f" ({status.error_message})" if status.error_message and status.state != "live" else ""
    return f"{status.camera}: {status.state.replace('_', ' ')}{why}{rate}, {viewers}"
