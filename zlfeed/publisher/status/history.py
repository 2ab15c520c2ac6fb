"""What the status server remembers, for clients that come late and to know what is news. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from zlfeed.model import CameraStatus, Event, HistoryPoint

HISTORY_POINTS = 300
"""A camera's, one a second: five minutes."""
EVENTS = 200

Signature = tuple[object, ...]


def signature(status: CameraStatus) -> Signature:
    """Everything in a status that is neither a counter nor a measurement: a change of it is told at once."""
    return (
        status.is_connected,
        status.state,
        status.error_message,
        status.width,
        status.height,
        status.codec,
        status.encoder,
        status.server,
        status.bitrate_asked_kbps,
        status.fps_asked,
        status.gop,
        frozenset(viewer.id for viewer in status.viewers),
        tuple((part.name, part.state, part.last_error) for part in status.parts),
    )


class StatusHistory:
    """The last five minutes of every camera, the last events, and what was told last."""

    def __init__(self) -> None:
        self._history: dict[str, deque[HistoryPoint]] = {}
        self._events: deque[Event] = deque(maxlen=EVENTS)
        self._told: dict[str, Signature] = {}

    def record(self, statuses: Iterable[CameraStatus]) -> None:
        """Takes one second of every camera into the history."""
        for status in statuses:
            points = self._history.setdefault(status.camera, deque(maxlen=HISTORY_POINTS))
            latency = status.latency_ms
            points.append(
                HistoryPoint(
                    camera=status.camera,
                    time_us=status.time_us,
                    fps=status.fps,
                    latency_p50_ms=latency.p50 if latency else None,
                    latency_p95_ms=latency.p95 if latency else None,
                    bitrate_kbps=status.bitrate_kbps,
                    cpu_percent=status.cpu_percent,
                )
            )

    def news(self, statuses: Iterable[CameraStatus]) -> list[CameraStatus]:
        """Those that differ from what was told last in more than counters; they count as told."""
        changed = [status for status in statuses if self._told.get(status.camera) != signature(status)]
        self.told(changed)
        return changed

    def told(self, statuses: Iterable[CameraStatus]) -> None:
        """Notes that these were sent to everybody."""
        self._told.update((status.camera, signature(status)) for status in statuses)

    def add_event(self, event: Event) -> None:
        """Takes an event; the oldest goes."""
        self._events.append(event)

    @property
    def points(self) -> tuple[HistoryPoint, ...]:
        """Camera by camera, each oldest first."""
        return tuple(point for points in self._history.values() for point in points)

    @property
    def events(self) -> tuple[Event, ...]:
        """Oldest first."""
        return tuple(self._events)
