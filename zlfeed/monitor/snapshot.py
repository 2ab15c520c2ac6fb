"""What the monitor shows at one moment: frozen records, made by state.py and drawn by the views.

`*_s` that are moments count by the monitor's own monotonic clock; ages and waits are durations. No I/O, no Textual.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from zlfeed.monitor.alerts import Alert
from zlfeed.monitor.health import Health

if TYPE_CHECKING:  # the records of messages are made while the first picture is looked at: they take 20 ms
    from zlfeed.model import CameraStatus, Control


class Sample(NamedTuple):
    """One second of a camera. `at_s` is the monitor's monotonic time."""

    at_s: float
    fps: float | None = None
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    bitrate_kbps: float | None = None
    cpu_percent: float | None = None


class LinkView(NamedTuple):
    """The connection to one publisher. `refused` is final: the publisher said no, and trying again changes nothing.

    `clock_ahead_s` is by how much the publisher's wall clock is ahead of ours.
    """

    connected: bool = False
    ever: bool = False
    attempt: int = 0
    retry_in_s: float | None = None
    error: str | None = None
    refused: bool = False
    round_trip_ms: float | None = None
    clock_error_ms: float | None = None
    clock_ahead_s: float | None = None


class HostView(NamedTuple):
    """One publisher. `key` is its status URL; `age_s` is since it last said anything."""

    key: str
    name: str
    version: str = ""
    role: str = ""
    """What we may do there: control, view; empty when it does not say."""
    link: LinkView = LinkView()
    age_s: float | None = None


class CameraView(NamedTuple):
    """One camera of one publisher. `stale` figures are shown dimmed."""

    host: HostView
    name: str
    status: CameraStatus | None = None
    age_s: float | None = None
    stale: bool = False
    health: Health = Health()
    samples: tuple[Sample, ...] = ()
    urls: Mapping[str, str] = MappingProxyType({})
    controls: tuple[Control, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What tells this camera from all others."""
        return self.host.key, self.name

    @property
    def stream_s(self) -> float | None:
        """How long the feed has run."""
        if self.status is None or self.status.uptime_s is None:
            return None
        return self.status.uptime_s + (self.age_s or 0.0 if self.host.link.connected else 0.0)

    @property
    def latency_error_ms(self) -> float | None:
        """The largest ± that a viewer gives for its latency."""
        errors = [v.report.latency_error_ms for v in self.status.viewers if v.report] if self.status else []
        return max((error for error in errors if error is not None), default=None)


class LogEntry(NamedTuple):
    """One line of the activity log; `time_us` is by the publisher's clock."""

    time_us: int
    level: str
    code: str
    text: str
    camera: str = ""
    host: str = ""


class Snapshot(NamedTuple):
    """Everything that the screens show. `log` is oldest first; `log_total` counts entries that fell out as well.

    `alerts` are the raised ones, the oldest first.
    """

    now_s: float = 0.0
    time_us: int = 0
    hosts: tuple[HostView, ...] = ()
    cameras: tuple[CameraView, ...] = ()
    log: tuple[LogEntry, ...] = ()
    log_total: int = 0
    alerts: tuple[Alert, ...] = ()

    def camera(self, key: tuple[str, str] | None) -> CameraView | None:
        """The camera of that key, else the first, else None."""
        chosen = (view for view in self.cameras if view.key == key)
        return next(chosen, self.cameras[0] if self.cameras else None)

    def name_of(self, subject: tuple[str, str]) -> str:
        """What (publisher's URL, camera) is called: by its camera, or the publisher where that is empty."""
        url, camera = subject
        return camera or next((host.name for host in self.hosts if host.key == url), "")
