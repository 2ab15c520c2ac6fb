"""What the monitor knows: fed with messages and link changes, asked for a frozen Snapshot. Pure: callers give the time.

Everything is bounded: five minutes of samples a camera, `LOG_LIMIT` log lines, `CAMERA_LIMIT` cameras a publisher.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from zlfeed.monitor.alerts import MOMENTS, Alert, AlertBook, by_subject
from zlfeed.monitor.health import assess
from zlfeed.monitor.limits import BAD, WARN, Thresholds
from zlfeed.monitor.snapshot import CameraView, HostView, LinkView, LogEntry, Sample, Snapshot

if TYPE_CHECKING:
    from zlfeed.clock import Estimate
    from zlfeed.model import CameraStatus, ControlResult, Event, HistoryPoint, ServerMessage, Welcome
    from zlfeed.status_client import LinkState

HISTORY_S = 300.0
LOG_LIMIT = 1000
CAMERA_LIMIT = 64
STALE_S = 3.0
_SAMPLES = 400  # five minutes at 1 Hz, and some room for changes within a second


class CameraState:
    """One camera: its last status, when it came, five minutes of samples, what can be set."""

    def __init__(self, name: str) -> None:
        from zlfeed.model import CameraInfo

        self.name = name
        self.info = CameraInfo(name)
        self.status: CameraStatus | None = None
        self.status_at_s: float | None = None
        self._samples: deque[Sample] = deque(maxlen=_SAMPLES)
        self._frozen: tuple[Sample, ...] | None = None

    def on_status(self, status: CameraStatus, now_s: float) -> None:
        """Takes a status. Of several in one second the last one stands."""
        self.status, self.status_at_s = status, now_s
        latency = status.latency_ms
        sample = Sample(
            now_s,
            status.fps,
            latency.p50 if latency else None,
            latency.p95 if latency else None,
            status.bitrate_kbps,
            status.cpu_percent,
        )
        if self._samples and int(self._samples[-1].at_s) == int(now_s):
            self._samples.pop()
        self._samples.append(sample)
        self._frozen = None

    def on_history(self, points: Iterable[HistoryPoint], time_us: int, now_s: float) -> None:
        """Takes what the publisher remembers; `time_us` is its clock at `now_s`.

        Only differences of its clock are used, so a clock that is wrong or was set changes nothing.
        """
        ages = ((point, (time_us - point.time_us) / 1e6) for point in points)
        theirs = [
            Sample(
                now_s - age,
                point.fps,
                point.latency_p50_ms,
                point.latency_p95_ms,
                point.bitrate_kbps,
                point.cpu_percent,
            )
            for point, age in ages
            if 0 <= age <= HISTORY_S
        ]
        if not theirs:
            return
        theirs.sort()
        ours = [sample for sample in self._samples if sample.at_s < theirs[0].at_s - 0.5]
        self._samples = deque([*ours, *theirs], maxlen=_SAMPLES)
        self._frozen = None

    def on_result(self, result: ControlResult) -> None:
        """Takes the value that a control has now."""
        if result.value is None:
            return
        controls = [replace(c, value=result.value) if c.name == result.name else c for c in self.info.controls]
        self.info = replace(self.info, controls=tuple(controls))

    def view(self, host: HostView, now_s: float, limits: Thresholds) -> CameraView:
        """The camera as it is shown at `now_s`."""
        while self._samples and now_s - self._samples[0].at_s > HISTORY_S + 5:
            self._samples.popleft()
            self._frozen = None
        if self._frozen is None:
            self._frozen = tuple(self._samples)
        age = None if self.status_at_s is None else max(0.0, now_s - self.status_at_s)
        return CameraView(
            host=host,
            name=self.name,
            status=self.status,
            age_s=age,
            stale=not host.link.connected or (age is not None and age > STALE_S),
            health=assess(self.status, connected=host.link.connected, age_s=age, limits=limits),
            samples=self._frozen,
            urls=dict(sorted(self.info.urls.items(), key=lambda item: _url_rank(item[0]))),
            controls=tuple(self.info.controls),
        )


class HostState:
    """One publisher: its link, its cameras."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.address = url.split("//", 1)[-1].rstrip("/")
        self.said = ""
        """What the publisher calls itself."""
        self.name = self.address
        """What it is called here: that, while no other publisher calls itself so."""
        self.version = self.role = ""
        self.cameras: dict[str, CameraState] = {}
        self.heard_at_s: float | None = None
        self._link: LinkState | None = None
        self._link_at_s = 0.0
        self._ever = False
        self._refused: str | None = None

    def view(self, now_s: float, time_us: int, clock: Estimate | None) -> HostView:
        """The publisher as it is shown at `now_s`, when our wall clock says `time_us`.

        `clock` comes from the connection's ping exchanges; its offset is against the clock of `now_s`.
        """
        link = self._link
        connected = link is not None and link.connected and self._refused is None
        retry = None
        if link is not None and link.retry_in_s is not None and not connected and self._refused is None:
            retry = max(0.0, link.retry_in_s - (now_s - self._link_at_s))
        return HostView(
            key=self.url,
            name=self.name,
            version=self.version,
            role=self.role,
            link=LinkView(
                connected=connected,
                ever=self._ever,
                attempt=link.attempt if link else 0,
                retry_in_s=retry,
                error=self._refused or (link.error if link else None),
                refused=self._refused is not None,
                round_trip_ms=clock.round_trip_us / 1000 if clock and connected else None,
                clock_error_ms=clock.error_us / 1000 if clock and connected else None,
                clock_ahead_s=(clock.offset_us + now_s * 1e6 - time_us) / 1e6 if clock and connected else None,
            ),
            age_s=None if self.heard_at_s is None else max(0.0, now_s - self.heard_at_s),
        )

    def on_link(self, link: LinkState, now_s: float) -> tuple[str, str, str] | None:
        """Takes a change of the connection; gives (level, code, text) when it is worth a line in the log."""
        was = self._link is not None and self._link.connected
        self._link, self._link_at_s = link, now_s
        if link.connected and not was:
            back, self._ever = self._ever, True
            return ("info", "monitor_reconnected", "in contact again") if back else None
        if was and not link.connected:
            return "error", "monitor_disconnected", f"contact lost: {link.error or 'the connection closed'}"
        return None

    def on_refused(self, reason: str) -> None:
        """The publisher will not have us; `reason` says why."""
        self._refused = reason

    def camera(self, name: str) -> CameraState | None:
        """The camera of that name, made when it is new; None past the limit."""
        if name not in self.cameras:
            if len(self.cameras) >= CAMERA_LIMIT:
                return None
            self.cameras[name] = CameraState(name)
        return self.cameras[name]

    def on_welcome(self, welcome: Welcome, now_s: float) -> None:
        """Takes the publisher's name, cameras and history. Cameras it no longer has are forgotten."""
        self.said, self.version = welcome.publisher, welcome.version
        self.role = welcome.role
        named = [info.camera for info in welcome.cameras]
        self.cameras = {name: state for name, state in self.cameras.items() if name in named}
        for info in welcome.cameras:
            if camera := self.camera(info.camera):
                camera.info = info
                points = [point for point in welcome.history if point.camera == info.camera]
                camera.on_history(points, welcome.time_us, now_s)
        # The publisher's order, also for cameras that were known before.
        self.cameras = {name: self.cameras[name] for name in named if name in self.cameras}


class MonitorState:
    """All publishers, and the log they share."""

    def __init__(self, urls: Sequence[str], limits: Thresholds | None = None) -> None:
        self.hosts = {url: HostState(url) for url in urls}
        self.limits = limits or Thresholds()
        self.alerts = AlertBook()
        self._log: deque[LogEntry] = deque(maxlen=LOG_LIMIT)
        self._log_total = 0
        self._frozen_log: tuple[LogEntry, ...] = ()

    def on_link(self, url: str, link: LinkState, now_s: float, time_us: int) -> None:
        """A connection changed. `time_us` is the publisher's time as well as we know it."""
        host = self.hosts[url]
        if said := host.on_link(link, now_s):
            level, code, text = said
            self.note(LogEntry(time_us, level, code, text, host=host.name))

    def on_refused(self, url: str, reason: str, time_us: int) -> None:
        """A publisher refused us for good."""
        host = self.hosts[url]
        host.on_refused(reason)
        self.note(LogEntry(time_us, "error", "monitor_refused", reason, host=host.name))

    def heard(self, url: str, now_s: float) -> None:
        """A publisher said something that changes nothing here."""
        self.hosts[url].heard_at_s = now_s

    def on_message(self, url: str, message: ServerMessage, now_s: float) -> None:
        """A message came from a publisher."""
        from zlfeed.model import CameraInfo, CameraStatus, ControlResult, Event, Welcome

        host = self.hosts[url]
        host.heard_at_s = now_s
        if isinstance(message, CameraStatus):
            if camera := host.camera(message.camera):
                camera.on_status(message, now_s)
        elif isinstance(message, Event):
            self.note(_entry(message, host.name))
            if message.code in MOMENTS:
                level = BAD if message.level == "error" else WARN
                self.alerts.happened((url, message.camera), message.code, level, message.text, now_s)
        elif isinstance(message, Welcome):
            host.on_welcome(message, now_s)
            self._name_hosts()
            known = set(self._log)
            for event in message.events:
                if (entry := _entry(event, host.name)) not in known:
                    self.note(entry)
        elif isinstance(message, CameraInfo):
            if camera := host.cameras.get(message.camera):
                camera.info = message
        elif isinstance(message, ControlResult) and (camera := host.cameras.get(message.camera)):
            camera.on_result(message)

    def _name_hosts(self) -> None:
        """Several publishers on one machine call themselves alike: then each is told by its address."""
        said = [host.said for host in self.hosts.values()]
        for host in self.hosts.values():
            host.name = host.said if host.said and said.count(host.said) == 1 else host.address

    def note(self, entry: LogEntry) -> None:
        """Adds a line to the log."""
        self._log.append(entry)
        self._log_total += 1
        self._frozen_log = ()

    def snapshot(self, now_s: float, time_us: int, clocks: dict[str, Estimate | None] | None = None) -> Snapshot:
        """Everything as it is shown at `now_s`, when our wall clock says `time_us`; also looks after the alerts."""
        clocks = clocks or {}
        views = [(state, state.view(now_s, time_us, clocks.get(url))) for url, state in self.hosts.items()]
        cameras = [camera.view(host, now_s, self.limits) for state, host in views for camera in state.cameras.values()]
        seen = by_subject((camera.key, camera.health.reasons) for camera in cameras)
        raised, cleared = self.alerts.update(seen, now_s)
        for alert in raised:
            self._note_alert(alert, "alert_raised", "error" if alert.level == BAD else "warning", alert.text, time_us)
        for alert in cleared:
            self._note_alert(alert, "alert_cleared", "info", f"over: {alert.text}", time_us)
        if not self._frozen_log:
            self._frozen_log = tuple(self._log)
        return Snapshot(
            now_s=now_s,
            time_us=time_us,
            hosts=tuple(host for _, host in views),
            cameras=tuple(cameras),
            log=self._frozen_log,
            log_total=self._log_total,
            alerts=self.alerts.active,
        )

    def _note_alert(self, alert: Alert, code: str, level: str, text: str, time_us: int) -> None:
        if alert.code == "no_contact":
            return  # the link's own entries say so already
        url, camera = alert.subject
        self.note(LogEntry(time_us, level, code, text, camera, self.hosts[url].name))


def _entry(event: Event, host: str) -> LogEntry:
    return LogEntry(event.time_us, event.level, event.code, event.text, event.camera, host)


def _url_rank(kind: str) -> tuple[int, str]:
    """The order in which addresses are shown: a protobuf map has none."""
    known = ("rtsp", "page", "webrtc", "hls", "websocket")
    return (known.index(kind) if kind in known else len(known), kind)
