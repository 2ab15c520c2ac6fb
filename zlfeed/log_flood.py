"""A flood of log lines of one kind becomes one line a second, with the number of those that it stands for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zlfeed import structured

if TYPE_CHECKING:
    from structlog.typing import EventDict

BURST = 10
"""So many of a kind in a second are no flood: each camera, each viewer has its say."""
SECOND_S = 1.0
_MOST = 512


@dataclass(slots=True)
class _Kind:
    """What is known of one event name at one level."""

    began: float
    passed: int = 0
    held: int = 0
    last: EventDict | None = None
    flooded: bool = False


class Flood:
    """A structlog processor, for any thread. Those held back are told by `emit`, which gets the last of them."""

    def __init__(
        self,
        emit: Callable[[EventDict], None],
        now: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], None] | None = None,
    ) -> None:
        """`later` runs something after so many seconds; by default in a thread that ends with the process."""
        self._emit = emit
        self._now = now
        self._later = later or _in_thread
        self._kinds: dict[tuple[str, str], _Kind] = {}
        self._lock = threading.Lock()

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        """The event, unless it is held back."""
        key = (str(event.get("level", "")), str(event.get("event", "")))
        now = self._now()
        with self._lock:
            kind = self._kinds.get(key)
            if kind is None or (now - kind.began >= SECOND_S and not kind.held):
                # A second in which nothing had to be held back ends a flood.
                kind = self._kinds[key] = _Kind(now)
                while len(self._kinds) > _MOST:
                    del self._kinds[next(iter(self._kinds))]
            if not kind.flooded and kind.passed < BURST:
                kind.passed += 1
                return event
            kind.last = dict(event)
            kind.held += 1
            if kind.held == 1:
                self._later(max(0.0, kind.began + SECOND_S - now), lambda: self._second_over(key, kind))
        raise structured.structlog().DropEvent

    def _second_over(self, key: tuple[str, str], kind: _Kind) -> None:
        with self._lock:
            event, held = kind.last, kind.held
            kind.began, kind.passed, kind.held, kind.last, kind.flooded = self._now(), 0, 0, None, True
        if event is not None:
            self._emit({**event, "held_back": held - 1} if held > 1 else event)

    def flush(self) -> None:
        """Tells what is held back, now: the process ends."""
        for key, kind in list(self._kinds.items()):
            if kind.held:
                self._second_over(key, kind)


def _in_thread(seconds: float, run: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, run)
    timer.daemon = True
    timer.start()
