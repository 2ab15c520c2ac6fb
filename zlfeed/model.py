"""What the parts tell one another about the feed: frozen records, no I/O.

A field that was not measured is None ("–" for people, null in JSON, absent on the wire).
Times `*_us` are microseconds since 1970 UTC by the publisher's clock; `*_ms` and `*_s` are durations.
The names are those of proto/zlfeed.proto and of the JSON lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

PROTOCOL_VERSION = 1
LATENCY_BOUNDS_MS = (2, 5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000, 2000)
"""Of ViewerReport.latency_buckets, which has one more: what is beyond."""

Role = Literal["control", "view"]
"""What a status client may do: everything, or look only."""
CONTROL: Role = "control"
VIEW: Role = "view"


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of capture → picture in hand, ms."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a frame's way over the last seconds, ms."""

    name: str
    avg_ms: float | None = None
    p95_ms: float | None = None
    max_ms: float | None = None
    p50_ms: float | None = None


@dataclass(frozen=True, slots=True)
class ViewerReport:
    """What a viewer measured itself. `session` names its RTSP session when it knows it.

    `network_decode_ms` and `display_ms` are the medians of the last second: a frame's way behind the publisher's own
    stages, and from in hand to painted (None without a window).
    `latency_buckets` are the last second's pictures by LATENCY_BOUNDS_MS, and `latency_sum_ms` their latencies' sum;
    only the publisher gets those two.
    """

    camera: str = ""
    fps: float | None = None
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    latency_error_ms: float | None = None
    missed: int = 0
    session: str = ""
    longest_freeze_ms: float | None = None
    network_decode_ms: float | None = None
    display_ms: float | None = None
    latency_buckets: Sequence[int] = ()
    latency_sum_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Viewer:
    """One RTSP session that plays."""

    id: str
    address: str
    transport: str = "tcp"
    agent: str = ""
    connected_s: float | None = None
    frames_sent: int = 0
    frames_dropped: int = 0
    bytes_sent: int = 0
    loss_percent: float | None = None
    jitter_ms: float | None = None
    report: ViewerReport | None = None
    report_age_s: float | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the publisher that is looked after: camera, encoder, relay, mediamtx or push.

    `bitrate_limit_kbps` is what the viewers' links carry, None while they carry what was asked for.
    `state` is one of starting, running, backing_off, given_up, off. `restarts` counts the failures after it had run,
    `attempts` those in a row since then.
    """

    name: str
    state: str
    restarts: int = 0
    attempts: int = 0
    last_error: str | None = None
    last_error_age_s: float | None = None
    retry_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """Everything about one camera's feed at one moment (design 4.3).

    `bitrate_limit_kbps` is what the viewers' links carry, None while they carry what was asked for.
    `state` is one of starting, live, private, no_signal, encoder_down, stopped.
    `cpu_percent` is the whole machine (0–100), `process_cpu_percent` zlfeed with its children (100 = one core).
    """

    camera: str
    time_us: int
    is_connected: bool = False
    state: str = "starting"
    fps: float | None = None
    frames_captured: int = 0
    frames_sent: int = 0
    frames_dropped: Mapping[str, int] = field(default_factory=dict)
    width: int | None = None
    height: int | None = None
    codec: str | None = None
    encoder: str | None = None
    bitrate_asked_kbps: float | None = None
    bitrate_kbps: float | None = None
    bitrate_limit_kbps: float | None = None
    bytes_sent: int = 0
    encode_ms_avg: float | None = None
    encode_ms_max: float | None = None
    stages: Sequence[Stage] = ()
    latency_ms: Latency | None = None
    viewers: Sequence[Viewer] = ()
    cpu_percent: float | None = None
    process_cpu_percent: float | None = None
    memory_percent: float | None = None
    memory_used_mb: float | None = None
    memory_total_mb: float | None = None
    network_mbps: float | None = None
    network_interface: str | None = None
    temperature_c: float | None = None
    uptime_s: float | None = None
    server: str = ""
    error_message: str | None = None
    fps_asked: float | None = None
    gop: int | None = None
    encoder_restarts: int = 0
    camera_restarts: int = 0
    status_messages_dropped: int = 0
    slow_clients: int | None = None
    parts: Sequence[Part] = ()
    throttled_now: Sequence[str] = ()
    throttled_ever: Sequence[str] = ()
    machine: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `level` is info, warning or error; `code` is stable, `text` is for people."""

    time_us: int
    level: str
    code: str
    text: str
    camera: str = ""


@dataclass(frozen=True, slots=True)
class Control:
    """Something that can be set, with its range and its value as read back."""

    name: str
    kind: str = "int"
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    default_value: float | None = None
    choices: Sequence[str] = ()
    value: str | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A camera's name, where it can be watched, and what can be set."""

    camera: str
    urls: Mapping[str, str] = field(default_factory=dict)
    controls: Sequence[Control] = ()


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """One second of one camera, for a monitor that connects late."""

    camera: str
    time_us: int
    fps: float | None = None
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    bitrate_kbps: float | None = None
    cpu_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Welcome:
    """The publisher's first message."""

    publisher: str
    version: str
    cameras: Sequence[CameraInfo] = ()
    history: Sequence[HistoryPoint] = ()
    events: Sequence[Event] = ()
    time_us: int = 0
    uptime_s: float | None = None
    role: str = ""
    """What the client may do: control, or view; empty when the publisher is older than roles."""


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a Ping: t0 by the client's clock, t1 and t2 by the publisher's (RFC 5905 section 8)."""

    id: int
    t0_us: int
    t1_us: int
    t2_us: int


@dataclass(frozen=True, slots=True)
class ControlResult:
    """Whether a SetControl took, and the value read back."""

    camera: str
    name: str
    ok: bool
    value: str | None = None
    text: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture as viewers have it: small for the monitor's preview, in full size for who asked for a snapshot."""

    camera: str
    time_us: int
    width: int
    height: int
    jpeg: bytes
    snapshot: bool = False


@dataclass(frozen=True, slots=True)
class WebrtcAnswer:
    """Answers a WebrtcOffer. Without `sdp` there is no picture by WebRTC just now, and `text` says why.

    `session` is the viewer's id in CameraStatus.
    """

    camera: str
    id: int = 0
    sdp: str = field(default="", repr=False)
    text: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True)
class Hello:
    """A client's first message."""

    token: str = ""
    kind: str = "other"
    name: str = ""
    session: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for a Pong; `t0_us` is any clock of the client's."""

    id: int
    t0_us: int


@dataclass(frozen=True, slots=True)
class SetControl:
    """Asks for a control to be set."""

    camera: str
    name: str
    value: str
    id: int = 0


@dataclass(frozen=True, slots=True)
class Subscribe:
    """What a client wants besides Welcome, Event and Pong; no cameras named means all.

    `thumbnail_hz` None means 2 a second, `thumbnail_width` None 160 pixels; `thumbnail_cameras` are those to see, none
    means those of `cameras`.
    """

    cameras: Sequence[str] = ()
    status: bool = True
    thumbnails: bool = False
    thumbnail_hz: float | None = None
    thumbnail_width: int | None = None
    thumbnail_cameras: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class WebrtcOffer:
    """Asks for a camera's picture by WebRTC, until this client leaves or offers again. `sdp`: RFC 8866."""

    camera: str
    id: int = 0
    sdp: str = field(default="", repr=False)


ServerMessage = Welcome | CameraStatus | Event | Pong | ControlResult | Thumbnail | CameraInfo | WebrtcAnswer
ClientMessage = Hello | Ping | SetControl | ViewerReport | Subscribe | WebrtcOffer
Message = ServerMessage | ClientMessage
