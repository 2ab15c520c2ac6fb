from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Envelope(_message.Message):
    __slots__ = ("version", "welcome", "camera_status", "event", "pong", "control_result", "thumbnail", "camera_info", "webrtc_answer", "hello", "ping", "set_control", "viewer_report", "subscribe", "webrtc_offer")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    CAMERA_STATUS_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    PONG_FIELD_NUMBER: _ClassVar[int]
    CONTROL_RESULT_FIELD_NUMBER: _ClassVar[int]
    THUMBNAIL_FIELD_NUMBER: _ClassVar[int]
    CAMERA_INFO_FIELD_NUMBER: _ClassVar[int]
    WEBRTC_ANSWER_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    SET_CONTROL_FIELD_NUMBER: _ClassVar[int]
    VIEWER_REPORT_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBE_FIELD_NUMBER: _ClassVar[int]
    WEBRTC_OFFER_FIELD_NUMBER: _ClassVar[int]
    version: int
    welcome: Welcome
    camera_status: CameraStatus
    event: Event
    pong: Pong
    control_result: ControlResult
    thumbnail: Thumbnail
    camera_info: CameraInfo
    webrtc_answer: WebrtcAnswer
    hello: Hello
    ping: Ping
    set_control: SetControl
    viewer_report: ViewerReport
    subscribe: Subscribe
    webrtc_offer: WebrtcOffer
    def __init__(self, version: _Optional[int] = ..., welcome: _Optional[_Union[Welcome, _Mapping]] = ..., camera_status: _Optional[_Union[CameraStatus, _Mapping]] = ..., event: _Optional[_Union[Event, _Mapping]] = ..., pong: _Optional[_Union[Pong, _Mapping]] = ..., control_result: _Optional[_Union[ControlResult, _Mapping]] = ..., thumbnail: _Optional[_Union[Thumbnail, _Mapping]] = ..., camera_info: _Optional[_Union[CameraInfo, _Mapping]] = ..., webrtc_answer: _Optional[_Union[WebrtcAnswer, _Mapping]] = ..., hello: _Optional[_Union[Hello, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ..., set_control: _Optional[_Union[SetControl, _Mapping]] = ..., viewer_report: _Optional[_Union[ViewerReport, _Mapping]] = ..., subscribe: _Optional[_Union[Subscribe, _Mapping]] = ..., webrtc_offer: _Optional[_Union[WebrtcOffer, _Mapping]] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("publisher", "version", "cameras", "history", "events", "time_us", "uptime_s", "role")
    PUBLISHER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CAMERAS_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    UPTIME_S_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    publisher: str
    version: str
    cameras: _containers.RepeatedCompositeFieldContainer[CameraInfo]
    history: _containers.RepeatedCompositeFieldContainer[HistoryPoint]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    time_us: int
    uptime_s: float
    role: str
    def __init__(self, publisher: _Optional[str] = ..., version: _Optional[str] = ..., cameras: _Optional[_Iterable[_Union[CameraInfo, _Mapping]]] = ..., history: _Optional[_Iterable[_Union[HistoryPoint, _Mapping]]] = ..., events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., time_us: _Optional[int] = ..., uptime_s: _Optional[float] = ..., role: _Optional[str] = ...) -> None: ...

class CameraInfo(_message.Message):
    __slots__ = ("camera", "urls", "controls")
    class UrlsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    URLS_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    camera: str
    urls: _containers.ScalarMap[str, str]
    controls: _containers.RepeatedCompositeFieldContainer[Control]
    def __init__(self, camera: _Optional[str] = ..., urls: _Optional[_Mapping[str, str]] = ..., controls: _Optional[_Iterable[_Union[Control, _Mapping]]] = ...) -> None: ...

class Control(_message.Message):
    __slots__ = ("name", "kind", "minimum", "maximum", "step", "default_value", "choices", "value", "unit")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: str
    minimum: float
    maximum: float
    step: float
    default_value: float
    choices: _containers.RepeatedScalarFieldContainer[str]
    value: str
    unit: str
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[str] = ..., minimum: _Optional[float] = ..., maximum: _Optional[float] = ..., step: _Optional[float] = ..., default_value: _Optional[float] = ..., choices: _Optional[_Iterable[str]] = ..., value: _Optional[str] = ..., unit: _Optional[str] = ...) -> None: ...

class HistoryPoint(_message.Message):
    __slots__ = ("camera", "time_us", "fps", "latency_p50_ms", "latency_p95_ms", "bitrate_kbps", "cpu_percent")
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    FPS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_P50_MS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_P95_MS_FIELD_NUMBER: _ClassVar[int]
    BITRATE_KBPS_FIELD_NUMBER: _ClassVar[int]
    CPU_PERCENT_FIELD_NUMBER: _ClassVar[int]
    camera: str
    time_us: int
    fps: float
    latency_p50_ms: float
    latency_p95_ms: float
    bitrate_kbps: float
    cpu_percent: float
    def __init__(self, camera: _Optional[str] = ..., time_us: _Optional[int] = ..., fps: _Optional[float] = ..., latency_p50_ms: _Optional[float] = ..., latency_p95_ms: _Optional[float] = ..., bitrate_kbps: _Optional[float] = ..., cpu_percent: _Optional[float] = ...) -> None: ...

class CameraStatus(_message.Message):
    __slots__ = ("camera", "time_us", "is_connected", "state", "fps", "frames_captured", "frames_sent", "frames_dropped", "width", "height", "codec", "encoder", "bitrate_asked_kbps", "bitrate_kbps", "bitrate_limit_kbps", "bytes_sent", "encode_ms_avg", "encode_ms_max", "stages", "latency_ms", "viewers", "cpu_percent", "process_cpu_percent", "memory_percent", "memory_used_mb", "memory_total_mb", "network_mbps", "network_interface", "temperature_c", "uptime_s", "server", "error_message", "fps_asked", "gop", "encoder_restarts", "camera_restarts", "status_messages_dropped", "slow_clients", "parts", "throttled_now", "throttled_ever", "machine")
    class FramesDroppedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    IS_CONNECTED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FPS_FIELD_NUMBER: _ClassVar[int]
    FRAMES_CAPTURED_FIELD_NUMBER: _ClassVar[int]
    FRAMES_SENT_FIELD_NUMBER: _ClassVar[int]
    FRAMES_DROPPED_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    ENCODER_FIELD_NUMBER: _ClassVar[int]
    BITRATE_ASKED_KBPS_FIELD_NUMBER: _ClassVar[int]
    BITRATE_KBPS_FIELD_NUMBER: _ClassVar[int]
    BITRATE_LIMIT_KBPS_FIELD_NUMBER: _ClassVar[int]
    BYTES_SENT_FIELD_NUMBER: _ClassVar[int]
    ENCODE_MS_AVG_FIELD_NUMBER: _ClassVar[int]
    ENCODE_MS_MAX_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    VIEWERS_FIELD_NUMBER: _ClassVar[int]
    CPU_PERCENT_FIELD_NUMBER: _ClassVar[int]
    PROCESS_CPU_PERCENT_FIELD_NUMBER: _ClassVar[int]
    MEMORY_PERCENT_FIELD_NUMBER: _ClassVar[int]
    MEMORY_USED_MB_FIELD_NUMBER: _ClassVar[int]
    MEMORY_TOTAL_MB_FIELD_NUMBER: _ClassVar[int]
    NETWORK_MBPS_FIELD_NUMBER: _ClassVar[int]
    NETWORK_INTERFACE_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_C_FIELD_NUMBER: _ClassVar[int]
    UPTIME_S_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FPS_ASKED_FIELD_NUMBER: _ClassVar[int]
    GOP_FIELD_NUMBER: _ClassVar[int]
    ENCODER_RESTARTS_FIELD_NUMBER: _ClassVar[int]
    CAMERA_RESTARTS_FIELD_NUMBER: _ClassVar[int]
    STATUS_MESSAGES_DROPPED_FIELD_NUMBER: _ClassVar[int]
    SLOW_CLIENTS_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    THROTTLED_NOW_FIELD_NUMBER: _ClassVar[int]
    THROTTLED_EVER_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    camera: str
    time_us: int
    is_connected: bool
    state: str
    fps: float
    frames_captured: int
    frames_sent: int
    frames_dropped: _containers.ScalarMap[str, int]
    width: int
    height: int
    codec: str
    encoder: str
    bitrate_asked_kbps: float
    bitrate_kbps: float
    bitrate_limit_kbps: float
    bytes_sent: int
    encode_ms_avg: float
    encode_ms_max: float
    stages: _containers.RepeatedCompositeFieldContainer[Stage]
    latency_ms: Latency
    viewers: _containers.RepeatedCompositeFieldContainer[Viewer]
    cpu_percent: float
    process_cpu_percent: float
    memory_percent: float
    memory_used_mb: float
    memory_total_mb: float
    network_mbps: float
    network_interface: str
    temperature_c: float
    uptime_s: float
    server: str
    error_message: str
    fps_asked: float
    gop: int
    encoder_restarts: int
    camera_restarts: int
    status_messages_dropped: int
    slow_clients: int
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    throttled_now: _containers.RepeatedScalarFieldContainer[str]
    throttled_ever: _containers.RepeatedScalarFieldContainer[str]
    machine: str
    def __init__(self, camera: _Optional[str] = ..., time_us: _Optional[int] = ..., is_connected: _Optional[bool] = ..., state: _Optional[str] = ..., fps: _Optional[float] = ..., frames_captured: _Optional[int] = ..., frames_sent: _Optional[int] = ..., frames_dropped: _Optional[_Mapping[str, int]] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., codec: _Optional[str] = ..., encoder: _Optional[str] = ..., bitrate_asked_kbps: _Optional[float] = ..., bitrate_kbps: _Optional[float] = ..., bitrate_limit_kbps: _Optional[float] = ..., bytes_sent: _Optional[int] = ..., encode_ms_avg: _Optional[float] = ..., encode_ms_max: _Optional[float] = ..., stages: _Optional[_Iterable[_Union[Stage, _Mapping]]] = ..., latency_ms: _Optional[_Union[Latency, _Mapping]] = ..., viewers: _Optional[_Iterable[_Union[Viewer, _Mapping]]] = ..., cpu_percent: _Optional[float] = ..., process_cpu_percent: _Optional[float] = ..., memory_percent: _Optional[float] = ..., memory_used_mb: _Optional[float] = ..., memory_total_mb: _Optional[float] = ..., network_mbps: _Optional[float] = ..., network_interface: _Optional[str] = ..., temperature_c: _Optional[float] = ..., uptime_s: _Optional[float] = ..., server: _Optional[str] = ..., error_message: _Optional[str] = ..., fps_asked: _Optional[float] = ..., gop: _Optional[int] = ..., encoder_restarts: _Optional[int] = ..., camera_restarts: _Optional[int] = ..., status_messages_dropped: _Optional[int] = ..., slow_clients: _Optional[int] = ..., parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ..., throttled_now: _Optional[_Iterable[str]] = ..., throttled_ever: _Optional[_Iterable[str]] = ..., machine: _Optional[str] = ...) -> None: ...

class Part(_message.Message):
    __slots__ = ("name", "state", "restarts", "attempts", "last_error", "last_error_age_s", "retry_in_s")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_AGE_S_FIELD_NUMBER: _ClassVar[int]
    RETRY_IN_S_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: str
    restarts: int
    attempts: int
    last_error: str
    last_error_age_s: float
    retry_in_s: float
    def __init__(self, name: _Optional[str] = ..., state: _Optional[str] = ..., restarts: _Optional[int] = ..., attempts: _Optional[int] = ..., last_error: _Optional[str] = ..., last_error_age_s: _Optional[float] = ..., retry_in_s: _Optional[float] = ...) -> None: ...

class Stage(_message.Message):
    __slots__ = ("name", "avg_ms", "p95_ms", "max_ms", "p50_ms")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AVG_MS_FIELD_NUMBER: _ClassVar[int]
    P95_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_MS_FIELD_NUMBER: _ClassVar[int]
    P50_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    avg_ms: float
    p95_ms: float
    max_ms: float
    p50_ms: float
    def __init__(self, name: _Optional[str] = ..., avg_ms: _Optional[float] = ..., p95_ms: _Optional[float] = ..., max_ms: _Optional[float] = ..., p50_ms: _Optional[float] = ...) -> None: ...

class Latency(_message.Message):
    __slots__ = ("p50", "p95", "p99", "max")
    P50_FIELD_NUMBER: _ClassVar[int]
    P95_FIELD_NUMBER: _ClassVar[int]
    P99_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    p50: float
    p95: float
    p99: float
    max: float
    def __init__(self, p50: _Optional[float] = ..., p95: _Optional[float] = ..., p99: _Optional[float] = ..., max: _Optional[float] = ...) -> None: ...

class Viewer(_message.Message):
    __slots__ = ("id", "address", "transport", "agent", "connected_s", "frames_sent", "frames_dropped", "bytes_sent", "loss_percent", "jitter_ms", "report", "report_age_s")
    ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_S_FIELD_NUMBER: _ClassVar[int]
    FRAMES_SENT_FIELD_NUMBER: _ClassVar[int]
    FRAMES_DROPPED_FIELD_NUMBER: _ClassVar[int]
    BYTES_SENT_FIELD_NUMBER: _ClassVar[int]
    LOSS_PERCENT_FIELD_NUMBER: _ClassVar[int]
    JITTER_MS_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    REPORT_AGE_S_FIELD_NUMBER: _ClassVar[int]
    id: str
    address: str
    transport: str
    agent: str
    connected_s: float
    frames_sent: int
    frames_dropped: int
    bytes_sent: int
    loss_percent: float
    jitter_ms: float
    report: ViewerReport
    report_age_s: float
    def __init__(self, id: _Optional[str] = ..., address: _Optional[str] = ..., transport: _Optional[str] = ..., agent: _Optional[str] = ..., connected_s: _Optional[float] = ..., frames_sent: _Optional[int] = ..., frames_dropped: _Optional[int] = ..., bytes_sent: _Optional[int] = ..., loss_percent: _Optional[float] = ..., jitter_ms: _Optional[float] = ..., report: _Optional[_Union[ViewerReport, _Mapping]] = ..., report_age_s: _Optional[float] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("time_us", "level", "code", "text", "camera")
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    time_us: int
    level: str
    code: str
    text: str
    camera: str
    def __init__(self, time_us: _Optional[int] = ..., level: _Optional[str] = ..., code: _Optional[str] = ..., text: _Optional[str] = ..., camera: _Optional[str] = ...) -> None: ...

class Pong(_message.Message):
    __slots__ = ("id", "t0_us", "t1_us", "t2_us")
    ID_FIELD_NUMBER: _ClassVar[int]
    T0_US_FIELD_NUMBER: _ClassVar[int]
    T1_US_FIELD_NUMBER: _ClassVar[int]
    T2_US_FIELD_NUMBER: _ClassVar[int]
    id: int
    t0_us: int
    t1_us: int
    t2_us: int
    def __init__(self, id: _Optional[int] = ..., t0_us: _Optional[int] = ..., t1_us: _Optional[int] = ..., t2_us: _Optional[int] = ...) -> None: ...

class ControlResult(_message.Message):
    __slots__ = ("camera", "name", "ok", "value", "text", "id")
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OK_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    camera: str
    name: str
    ok: bool
    value: str
    text: str
    id: int
    def __init__(self, camera: _Optional[str] = ..., name: _Optional[str] = ..., ok: _Optional[bool] = ..., value: _Optional[str] = ..., text: _Optional[str] = ..., id: _Optional[int] = ...) -> None: ...

class Thumbnail(_message.Message):
    __slots__ = ("camera", "time_us", "width", "height", "jpeg", "snapshot")
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    JPEG_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    camera: str
    time_us: int
    width: int
    height: int
    jpeg: bytes
    snapshot: bool
    def __init__(self, camera: _Optional[str] = ..., time_us: _Optional[int] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., jpeg: _Optional[bytes] = ..., snapshot: _Optional[bool] = ...) -> None: ...

class WebrtcAnswer(_message.Message):
    __slots__ = ("camera", "id", "sdp", "text", "session")
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    SDP_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    camera: str
    id: int
    sdp: str
    text: str
    session: str
    def __init__(self, camera: _Optional[str] = ..., id: _Optional[int] = ..., sdp: _Optional[str] = ..., text: _Optional[str] = ..., session: _Optional[str] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("token", "kind", "name", "session", "version")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    token: str
    kind: str
    name: str
    session: str
    version: str
    def __init__(self, token: _Optional[str] = ..., kind: _Optional[str] = ..., name: _Optional[str] = ..., session: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class Ping(_message.Message):
    __slots__ = ("id", "t0_us")
    ID_FIELD_NUMBER: _ClassVar[int]
    T0_US_FIELD_NUMBER: _ClassVar[int]
    id: int
    t0_us: int
    def __init__(self, id: _Optional[int] = ..., t0_us: _Optional[int] = ...) -> None: ...

class SetControl(_message.Message):
    __slots__ = ("camera", "name", "value", "id")
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    camera: str
    name: str
    value: str
    id: int
    def __init__(self, camera: _Optional[str] = ..., name: _Optional[str] = ..., value: _Optional[str] = ..., id: _Optional[int] = ...) -> None: ...

class ViewerReport(_message.Message):
    __slots__ = ("camera", "fps", "latency_p50_ms", "latency_p95_ms", "latency_error_ms", "missed", "session", "longest_freeze_ms", "network_decode_ms", "display_ms", "latency_buckets", "latency_sum_ms")
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    FPS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_P50_MS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_P95_MS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_ERROR_MS_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    LONGEST_FREEZE_MS_FIELD_NUMBER: _ClassVar[int]
    NETWORK_DECODE_MS_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_MS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_BUCKETS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_SUM_MS_FIELD_NUMBER: _ClassVar[int]
    camera: str
    fps: float
    latency_p50_ms: float
    latency_p95_ms: float
    latency_error_ms: float
    missed: int
    session: str
    longest_freeze_ms: float
    network_decode_ms: float
    display_ms: float
    latency_buckets: _containers.RepeatedScalarFieldContainer[int]
    latency_sum_ms: float
    def __init__(self, camera: _Optional[str] = ..., fps: _Optional[float] = ..., latency_p50_ms: _Optional[float] = ..., latency_p95_ms: _Optional[float] = ..., latency_error_ms: _Optional[float] = ..., missed: _Optional[int] = ..., session: _Optional[str] = ..., longest_freeze_ms: _Optional[float] = ..., network_decode_ms: _Optional[float] = ..., display_ms: _Optional[float] = ..., latency_buckets: _Optional[_Iterable[int]] = ..., latency_sum_ms: _Optional[float] = ...) -> None: ...

class Subscribe(_message.Message):
    __slots__ = ("cameras", "status", "thumbnails", "thumbnail_hz", "thumbnail_width", "thumbnail_cameras")
    CAMERAS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    THUMBNAILS_FIELD_NUMBER: _ClassVar[int]
    THUMBNAIL_HZ_FIELD_NUMBER: _ClassVar[int]
    THUMBNAIL_WIDTH_FIELD_NUMBER: _ClassVar[int]
    THUMBNAIL_CAMERAS_FIELD_NUMBER: _ClassVar[int]
    cameras: _containers.RepeatedScalarFieldContainer[str]
    status: bool
    thumbnails: bool
    thumbnail_hz: float
    thumbnail_width: int
    thumbnail_cameras: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cameras: _Optional[_Iterable[str]] = ..., status: _Optional[bool] = ..., thumbnails: _Optional[bool] = ..., thumbnail_hz: _Optional[float] = ..., thumbnail_width: _Optional[int] = ..., thumbnail_cameras: _Optional[_Iterable[str]] = ...) -> None: ...

class WebrtcOffer(_message.Message):
    __slots__ = ("camera", "id", "sdp")
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    SDP_FIELD_NUMBER: _ClassVar[int]
    camera: str
    id: int
    sdp: str
    def __init__(self, camera: _Optional[str] = ..., id: _Optional[int] = ..., sdp: _Optional[str] = ...) -> None: ...
