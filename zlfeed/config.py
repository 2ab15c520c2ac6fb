"""All settings of all commands in one model: flag > environment > .env > zlfeed.toml > default (design 4.1)."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    ValidationError,
)

from zlfeed import config_sources as sources
from zlfeed.config_sources import VIEWER_ADDRESS, config_file, nearest
from zlfeed.errors import UsageError
from zlfeed.monitor.limits import Limit, Thresholds, parser
from zlfeed.net import Allowed
from zlfeed.publisher.mediamtx import release
from zlfeed.tls import parse_fingerprint

_RULE = Thresholds()


def parse_size(text: object) -> tuple[int, int]:
    """`640x480` as (width, height) in pixels; both even (4:2:0), 64 to 7680."""
    if isinstance(text, tuple | list) and len(text) == 2:
        text = f"{text[0]}x{text[1]}"
    match = re.fullmatch(r"\s*(\d+)\s*[xX×]\s*(\d+)\s*", str(text))
    if not match:
        raise ValueError(f"a size looks like 640x480, not {str(text)!r}")
    width, height = int(match[1]), int(match[2])
    if not (64 <= width <= 7680 and 64 <= height <= 4320):
        raise ValueError(f"the size {width}x{height} is outside 64x64 to 7680x4320")
    if width % 2 or height % 2:
        near = f"{width + width % 2}x{height + height % 2}"
        raise ValueError(f"the size {width}x{height} is odd, and 4:2:0 video wants even numbers: try {near}")
    return width, height


def parse_bitrate(text: object) -> int:
    """`800k`, `2.5M` or `800000` as bit/s, from 16k to 200M."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kKmM]?)(?:bit/s|bps|b)?\s*", str(text))
    if not match:
        raise ValueError(f"a bitrate looks like 800k or 2M, not {str(text)!r}")
    value = round(float(match[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[match[2].lower()])
    if not 16_000 <= value <= 200_000_000:
        raise ValueError(f"the bitrate {str(text)!r} is outside 16k to 200M")
    return value


def _file_size(text: object) -> int:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kKmMgG]?)B?\s*", str(text))
    if not match:
        raise ValueError(f"a file's size looks like 500k or 10M, not {str(text)!r}")
    value = round(float(match[1]) * {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}[match[2].lower()])
    if not 10_000 <= value <= 10_000_000_000:
        raise ValueError(f"the file's size {str(text)!r} is outside 10k to 10G")
    return value


def _gop(text: object) -> int | None:
    if text is None or str(text) == "auto":
        return None
    try:
        value = int(str(text))
    except ValueError:
        raise ValueError(f"a keyframe interval is a number of frames or auto, not {str(text)!r}") from None
    if not 1 <= value <= 3000:
        raise ValueError(f"the keyframe interval {value} is outside 1 to 3000 frames")
    return value


def _host(host: str) -> str:
    if not re.fullmatch(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._:%-]+", host):
        raise ValueError(f"an address is a name or an IP address without port and path, not {host!r}")
    return host


def _stream_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}", name):
        raise ValueError(f"the stream name {name!r} may hold letters, digits, '.', '_', '~' and '-' only")
    return name


def _server(server: str) -> str:
    if server in ("auto", "embedded", "mediamtx"):
        return server
    from zlfeed.publisher import target  # for those only who push

    if not target.is_url(server):
        shown = "" if "@" in server else f", not {server!r}"
        raise ValueError(f"the server is auto, embedded, mediamtx or rtsp://HOST[:PORT]/PATH{shown}")
    target.parse(server)
    return server


def _web_address(url: str) -> str:
    if not re.fullmatch(r"(?i:https?)://[^\s/?#]+(/[^\s?#]*)?", url):
        raise ValueError("an address of releases looks like https://HOST/PATH")
    return url


def _webhook(url: str | None) -> str | None:
    if url is not None and not re.fullmatch(r"(?i:https?)://[^\s/?#@]+(/\S*)?", url):
        raise ValueError("a webhook is a URL like https://HOST/PATH, without a user name in it")
    return url


def _allowed(networks: list[str]) -> list[str]:
    return Allowed(networks).networks


def _fingerprints(texts: list[str]) -> list[str]:
    return [parse_fingerprint(text) for text in texts]


def _or_off(value: object) -> object:
    return None if value == "off" else value


def _share(value: float | None) -> float | None:
    if value is not None and value >= 1:
        raise ValueError(f"a share of the frames is less than 1, or off, not {value:g}")
    return value


def _cameras(value: object) -> object:
    if isinstance(value, str):
        raise ValueError("cameras are tables in the configuration file: [cameras.front], and below it source = 0")
    return value


def _control(value: object) -> object:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value) if isinstance(value, int) else value


def _listed(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


# A variable holds what would be typed, not JSON.
Size = Annotated[tuple[int, int], BeforeValidator(parse_size)]
Listed = Annotated[list[str], BeforeValidator(_listed)]
"""Separated by commas in a variable."""
FileSize = Annotated[int, BeforeValidator(_file_size)]
Bitrate = Annotated[int, BeforeValidator(parse_bitrate)]
Gop = Annotated[int | None, BeforeValidator(_gop)]
HostName = Annotated[str, AfterValidator(_host)]
StreamName = Annotated[str, AfterValidator(_stream_name)]
Preset = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]*$")]
Server = Annotated[str, AfterValidator(_server), Field(repr=False)]
WebAddress = Annotated[str, AfterValidator(_web_address), Field(repr=False)]
"""A URL may hold a password: never shown as it is."""
HighLimit = Annotated[Limit, PlainValidator(parser(_RULE.latency_ms))]
"""Two thresholds, as 50,150 in a variable or [50, 150] in the file; off: none."""
LowLimit = Annotated[Limit, PlainValidator(parser(_RULE.fps_share))]
AlertLimit = Annotated[Annotated[float, Field(gt=0, le=100_000)] | None, BeforeValidator(_or_off)]
Secret = Annotated[str | None, Field(repr=False)]
Port = Annotated[int, Field(ge=0, le=65535)]
"""0 lets the system choose; the port in use is in every URL that is shown."""


class CameraSettings(BaseModel):
    """What one camera has of its own, [cameras.NAME] in the file; what it does not say is as for all."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    source: Annotated[str | None, BeforeValidator(_control)] = Field(default=None, repr=False)
    """What --camera takes; a URL may hold a password."""
    size: Size | None = None
    fps: Annotated[float, Field(ge=0.1, le=240)] | None = None
    bitrate: Bitrate | None = None
    gop: Gop = None
    codec: Literal["h264", "h265", "av1"] | None = None
    encoder: str | None = None
    preset: Preset | None = None
    play: Literal["loop", "once"] | None = None
    passthrough: bool | None = None
    no_timecode: bool | None = None
    no_overlay: bool | None = None
    controls: dict[str, Annotated[str, BeforeValidator(_control)]] = Field(default={})
    """The camera's own: brightness = 0.2."""

    @property
    def said(self) -> dict[str, Any]:
        """What goes before what is said for all."""
        return {name: value for name, value in self if name in self.model_fields_set - {"source", "controls"}}


class Settings(BaseModel):
    """Every setting, checked. `load` makes one of all that is said; made directly it holds what it is given alone."""

    model_config = ConfigDict(validate_default=True, defer_build=True)

    # publish
    camera: Listed = Field(default=["auto"])
    cameras: Annotated[dict[StreamName, CameraSettings], BeforeValidator(_cameras)] = Field(default={})
    """What each has of its own, by name; where no camera is said, these are the cameras."""
    size: Size | None = None
    fps: Annotated[float, Field(ge=0.1, le=240)] | None = None
    bitrate: Bitrate = 800_000
    gop: Gop = None
    play: Literal["loop", "once"] = "loop"
    """Of files."""
    passthrough: bool = False
    """An RTSP source's frames as they are, neither decoded nor encoded."""
    no_adaptive: bool = False
    min_bitrate: Bitrate | None = None
    """Where lowering the bitrate for a slow link ends; none: a quarter of the bitrate."""
    codec: Literal["h264", "h265", "av1"] = "h264"
    encoder: str = "auto"
    preset: Preset = ""
    """The encoder's own word for slower and better; empty: the quickest that does well."""
    server: Server = "auto"
    ffmpeg_path: Path | None = None
    mediamtx_path: Path | None = None
    mediamtx_base_url: WebAddress = release.BASE_URL
    """Where `mediamtx install` finds releases; for a mirror."""
    host: str | None = None
    advertise: HostName | None = None
    rtsp_port: Port = 8554
    websocket_port: Port = 9000
    hls_port: Port = 8888
    webrtc_port: Port = 8889
    stream_name: StreamName = "zerolatency"
    vpn_address: HostName | None = None
    """The publisher's address in a VPN, PI_VPN_IP: there MediaMTX's WebRTC and HLS are open without TLS."""
    web_plain: bool = False
    """WebRTC and HLS on every address although the token then goes over plain HTTP."""
    allow: Annotated[Listed, AfterValidator(_allowed)] = Field(default=[])
    """Addresses and networks that may come at all; none: everyone. This machine always may."""
    metrics_port: Port | None = None
    """Of /metrics and /healthz; none: they are off."""
    metrics_host: HostName = "127.0.0.1"
    no_announce: bool = False
    """The feed is not announced to the local net by DNS-SD; it never is while it listens on this machine only."""
    token: Secret = None
    token_file: Path | None = None
    readonly_token: Secret = None
    """Lets its bearer look and report, not set anything."""
    readonly_token_file: Path | None = None
    no_auth: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    rtsps_port: Port = 8322
    """RTSP over TLS, when there is a certificate; the usual port in MediaMTX."""
    wait_camera: bool = False
    no_timecode: bool = False
    no_overlay: bool = False
    no_closed_frames: bool = False
    reset_controls: bool = False
    alert_command: str | None = Field(default=None, repr=False)
    alert_webhook: Annotated[str | None, AfterValidator(_webhook), Field(repr=False)] = None
    alert_latency: AlertLimit = 150.0
    """p95 in ms, as the worst viewer reports it; off: no alert."""
    alert_fps: Annotated[AlertLimit, AfterValidator(_share)] = 0.5
    """Share of the rate asked for."""
    alert_temperature: AlertLimit = 80.0
    """°C, the processor's; a Raspberry Pi throttles there."""

    # receive, monitor
    publisher: str | None = None
    """The publisher's address, where receive and monitor look when none is given."""
    connection_timeout: Annotated[float, Field(gt=0, le=300)] = 2.0
    backend: Literal["auto", "ffmpeg", "gstreamer", "v4l2", "any"] = "auto"
    transport: Literal["tcp", "udp"] = "tcp"
    status_url: str | None = None
    fingerprint: Annotated[Listed, AfterValidator(_fingerprints)] = Field(default=[])
    """SHA-256 of the certificates that are trusted, whatever else is said of them; none: those the system trusts."""
    refresh_hz: Annotated[float, Field(gt=0, le=30)] = 2.0
    preview: Literal["auto", "blocks", "kitty", "sixel"] = "auto"
    """How the monitor draws the picture; auto: in the terminal's own pixels where it has them."""
    preview_hz: Annotated[float, Field(gt=0, le=5)] = 2.0
    """Pictures a second while the preview is open."""
    bell: bool = False
    """New alerts ring and notify from the start."""
    notify: Literal["auto", "osc9", "osc777"] = "auto"
    """How a terminal is told to notify."""
    # The health rule's two thresholds each, for a look and for trouble: limit_latency = [50, 150].
    limit_age: HighLimit = _RULE.age_s  # s since the last status
    limit_fps: LowLimit = _RULE.fps_share  # of the rate asked for
    limit_latency: HighLimit = _RULE.latency_ms
    limit_cpu: HighLimit = _RULE.cpu_percent
    limit_memory: HighLimit = _RULE.memory_percent
    limit_temperature: HighLimit = _RULE.temperature_c
    limit_loss: HighLimit = _RULE.loss_percent

    # all
    duration: Annotated[float, Field(gt=0)] | None = None
    log_format: Literal["auto", "text", "json"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_file: Path | None = None
    """JSON lines, besides stderr."""
    log_file_size: FileSize = 10_000_000
    """At so many bytes it becomes FILE.1, and so on."""
    log_file_count: Annotated[int, Field(ge=1, le=100)] = 5
    """So many older ones are kept."""

    _flags: dict[str, Any] = PrivateAttr(default_factory=dict)
    _before_file: frozenset[str] = PrivateAttr(default=frozenset())
    """What a flag or a variable said, for all cameras: a camera's own settings are the file's."""

    def again(self) -> Settings:
        """The settings as files say them by now, with the flags of then. Raises UsageError."""
        return load(**self._flags)

    def of(self, camera: str) -> Settings:
        """The settings as they are for one camera."""
        own = self.cameras[camera].said if camera in self.cameras else {}
        return self.model_copy(update={name: own[name] for name in own if name not in self._before_file})

    @property
    def limits(self) -> Thresholds:
        """The health rule's thresholds."""
        return Thresholds(
            self.limit_age, self.limit_fps, self.limit_latency, self.limit_cpu, self.limit_memory,
            self.limit_temperature, self.limit_loss,
        )  # fmt: skip


@contextlib.contextmanager
def _without_plugins() -> Iterator[None]:
    """Within, pydantic does not look through everything that is installed for plug-ins of its own."""
    name = "PYDANTIC_DISABLE_PLUGINS"
    before = os.environ.get(name)
    os.environ[name] = "__all__"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def load(**flags: Any) -> Settings:
    """The settings; `flags` holds what the command line said, None where it said nothing.

    Raises UsageError with one line a wrong value or unknown name, each with the place where it was said.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    if not Settings.__pydantic_complete__:
        with _without_plugins():
            Settings.model_rebuild()
    try:
        settings = Settings(**sources.said(Settings.model_fields) | given)
    except ValidationError as error:
        raise UsageError("\n".join(_sentences(error.errors(), given))) from None
    settings._flags = given
    if settings.cameras:
        said = origins()
        in_file = {name for name, place in said.items() if place.startswith(str(config_file()))}
        settings._before_file = frozenset({*said, *given} - in_file | set(given))
    for secret in ("token", "readonly_token"):
        if secret in given and f"{secret}_file" not in given:
            setattr(settings, f"{secret}_file", None)  # the flag goes before a file that is named elsewhere
    if viewer := sources.viewer_address():
        try:
            settings.allow = _allowed([*settings.allow, viewer])
        except ValueError as error:
            raise UsageError(f"the variable {VIEWER_ADDRESS}: {error}") from None
    return settings


def origins() -> dict[str, str]:
    """Where each setting that is not a default was said: a variable, .env, or the file with its line. Without flags."""
    return sources.origins(Settings.model_fields)


def unknown_variables() -> list[str]:
    """A sentence for each ZLFEED_… that is no setting. A typing mistake there is worth a word; it ends nothing, for the
    variables of other versions and of other programs may be about."""
    return sources.unknown_variables(Settings.model_fields)


def _sentences(errors: Iterable[Any], flags: dict[str, Any]) -> list[str]:
    said = origins()
    return [_sentence(error, flags, said) for error in errors]


def _sentence(error: Any, flags: dict[str, Any], said: dict[str, str]) -> str:
    """One line for the person: where it was said, which setting, what is wrong with it."""
    key = str(error["loc"][0]) if error["loc"] else ""
    name = key.lower().removeprefix("zlfeed_")
    if name == "cameras" and len(error["loc"]) > 1:
        camera, *rest = (str(part) for part in error["loc"][1:] if part != "[key]")
        name = rest[0] if rest else ""
        where = f"{sources.camera_place(camera, name)}: [cameras.{camera}]" + (f" {'.'.join(rest)}" if rest else "")
        if error["type"] == "extra_forbidden":
            return f"{where}: there is no such setting of a camera{nearest(name, CameraSettings.model_fields)}"
    elif name in flags:
        where = "--" + name.removesuffix("_hz").replace("_", "-")
    else:
        place = said.get(name, f"the setting {name}")
        # A variable's name has the setting's in it; a file's line has not.
        where = f"{place}: {name}" if place.startswith(str(config_file())) else place
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{where}: {message}"
    for theirs, ours in _PLAINER:
        message = re.sub(theirs, ours, message)
    value = error["input"]
    shown = "" if _is_secret(name) else f", not {f'{value:g}' if isinstance(value, float) else repr(value)}"
    return f"{where}: {message[0].lower()}{message[1:]}{shown}"


def _is_secret(name: str) -> bool:
    field = Settings.model_fields.get(name) or CameraSettings.model_fields.get(name)
    return field is not None and not field.repr


_PLAINER = (
    (r"Input should be greater than or equal to ", "must be at least "),
    (r"Input should be less than or equal to ", "must be at most "),
    (r"Input should be greater than ", "must be more than "),
    (r"Input should be a valid boolean.*", "must be true or false"),
    (r"Input should be a valid integer.*", "must be a whole number"),
    (r"Input should be a valid number.*", "must be a number"),
    (r"Input should be a valid dictionary.*", "must be a table, [cameras.NAME]"),
    (r"Input should be a valid list.*", 'must be a list like ["one", "two"]'),
    (r"Input should be a valid string.*", "must be text in quotes"),
    (r"Input is not a valid path.*|Path input should be.*", "must be a path in quotes"),
    (r"Input should be ", "must be "),
)
"""Pydantic's words, and ours."""
