"""All settings of all commands in one model: flag > environment > .env > zlfeed.toml > default (design 4.1)."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from zlfeed.errors import UsageError
from zlfeed.net import Allowed
from zlfeed.publisher import target
from zlfeed.publisher.mediamtx import release

CONFIG_NAME = "zlfeed.toml"
DOTENV = ".env"

OLDER_NAMES = {
    "PI_VPN_IP": ("advertise", "publisher"),
    "RTSP_PORT": ("rtsp_port",),
    "WEBSOCKET_PORT": ("websocket_port",),
    "HLS_PORT": ("hls_port",),
    "WEBRTC_PORT": ("webrtc_port",),
    "STREAM_NAME": ("stream_name",),
    "CONNECTION_TIMEOUT": ("connection_timeout",),
}
"""Variables without ZLFEED_ before them, and the settings they stand for."""
VIEWER_ADDRESS = "WINDOWS_VPN_IP"
"""A viewer's address, by its older name: joins `allow`."""


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
    if target.is_url(server):
        target.parse(server)
    elif server not in ("auto", "embedded", "mediamtx"):
        shown = "" if "@" in server else f", not {server!r}"
        raise ValueError(f"the server is auto, embedded, mediamtx or rtsp://HOST[:PORT]/PATH{shown}")
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


def _or_off(value: object) -> object:
    return None if value == "off" else value


def _share(value: float | None) -> float | None:
    if value is not None and value >= 1:
        raise ValueError(f"a share of the frames is less than 1, or off, not {value:g}")
    return value


def _listed(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


# NoDecode: a variable holds what would be typed, not JSON.
Size = Annotated[tuple[int, int], NoDecode, BeforeValidator(parse_size)]
Listed = Annotated[list[str], NoDecode, BeforeValidator(_listed)]
"""Separated by commas in a variable."""
Bitrate = Annotated[int, BeforeValidator(parse_bitrate)]
Gop = Annotated[int | None, BeforeValidator(_gop)]
HostName = Annotated[str, AfterValidator(_host)]
StreamName = Annotated[str, AfterValidator(_stream_name)]
Server = Annotated[str, AfterValidator(_server), Field(repr=False)]
WebAddress = Annotated[str, AfterValidator(_web_address), Field(repr=False)]
"""A URL may hold a password: never shown as it is."""
AlertLimit = Annotated[Annotated[float, Field(gt=0, le=100_000)] | None, BeforeValidator(_or_off)]
Port = Annotated[int, Field(ge=0, le=65535)]
"""0 lets the system choose; the port in use is in every URL that is shown."""


class Settings(BaseSettings):
    """Every setting, checked. Environment: ZLFEED_<NAME> in capitals, and the older names where there are any."""

    model_config = SettingsConfigDict(
        env_prefix="ZLFEED_",
        env_file=DOTENV,
        extra="ignore",
        env_ignore_empty=True,
        validate_default=True,
    )

    # publish
    camera: Listed = Field(default=["auto"])
    size: Size | None = None
    fps: Annotated[float, Field(ge=0.1, le=240)] | None = None
    bitrate: Bitrate = 800_000
    gop: Gop = None
    codec: Literal["h264", "h265", "av1"] = "h264"
    encoder: str = "auto"
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
    web_plain: bool = False
    """WebRTC and HLS on every address although the token then goes over plain HTTP."""
    allow: Annotated[Listed, AfterValidator(_allowed)] = Field(default=[])
    """Addresses and networks that may come at all; none: everyone. This machine always may."""
    token: str | None = None
    token_file: Path | None = None
    no_auth: bool = False
    wait_camera: bool = False
    no_timecode: bool = False
    no_overlay: bool = False
    no_closed_frames: bool = False
    reset_controls: bool = False
    alert_command: str | None = None
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
    refresh_hz: Annotated[float, Field(gt=0, le=30)] = 2.0

    # all
    duration: Annotated[float, Field(gt=0)] | None = None
    log_format: Literal["auto", "text", "json"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The order of precedence, highest first."""
        return (
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, _older(os.environ)),
            dotenv_settings,
            InitSettingsSource(settings_cls, _older(dotenv_values(DOTENV))),
            InitSettingsSource(settings_cls, _from_file(config_file(), settings_cls)),
        )


def config_file() -> Path:
    """The configuration file: ZLFEED_CONFIG, ./zlfeed.toml, else the user's configuration folder."""
    if named := os.environ.get("ZLFEED_CONFIG"):
        return Path(named)
    here = Path(CONFIG_NAME)
    return here if here.exists() else platformdirs.user_config_path("zlfeed") / CONFIG_NAME


def _older(variables: Mapping[str, str | None]) -> dict[str, Any]:
    """What the older names say, by setting."""
    return {field: value for name, fields in OLDER_NAMES.items() if (value := variables.get(name)) for field in fields}


def _from_file(path: Path, settings: type[BaseSettings]) -> dict[str, Any]:
    """What the configuration file says; nothing when there is none. Raises UsageError."""
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if os.environ.get("ZLFEED_CONFIG"):
            raise UsageError(f"there is no file {path}, which ZLFEED_CONFIG names") from None
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    for name in found:
        if name not in settings.model_fields:
            near = difflib.get_close_matches(name, settings.model_fields, 1)
            meant = f": did you mean {near[0]}?" if near else ""
            raise UsageError(f"{path}: there is no setting {name!r}{meant}")
    return found


def load(**flags: Any) -> Settings:
    """The settings; `flags` holds what the command line said, None where it said nothing.

    Raises UsageError with one line a wrong value.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise UsageError("\n".join(_sentence(e, given) for e in error.errors())) from None
    except (SettingsError, ValueError) as error:
        raise UsageError(f"the configuration cannot be read: {error}") from None
    if viewer := os.environ.get(VIEWER_ADDRESS) or dotenv_values(DOTENV).get(VIEWER_ADDRESS):
        try:
            settings.allow = _allowed([*settings.allow, viewer])
        except ValueError as error:
            raise UsageError(f"the variable {VIEWER_ADDRESS}: {error}") from None
    return settings


def origins(settings_cls: type[Settings] = Settings) -> dict[str, str]:
    """Where each setting that is not a default was said: a variable, .env, or the configuration file. Without flags."""
    dotenv = {name: value for name, value in dotenv_values(DOTENV).items() if value}
    found: dict[str, str] = {}
    for name in settings_cls.model_fields:
        older = [old for old, fields in OLDER_NAMES.items() if name in fields]
        places = [
            *((f"variable {v}", os.environ.get(v)) for v in (f"ZLFEED_{name.upper()}", *older)),
            *((f"{DOTENV}: {v}", dotenv.get(v)) for v in (f"ZLFEED_{name.upper()}", *older)),
            (str(config_file()), _from_file(config_file(), settings_cls).get(name)),
        ]
        if where := next((place for place, value in places if value not in (None, "")), None):
            found[name] = where
    return found


def _sentence(error: Any, flags: dict[str, Any]) -> str:
    """One line for the person: which setting, where it was said, what is wrong with it."""
    key = str(error["loc"][0]) if error["loc"] else ""
    name = key.lower().removeprefix("zlfeed_")
    flag = "--" + name.replace("_", "-")
    where = flag if name in flags else f"the setting {name} ({flag}, ZLFEED_{name.upper()} or {CONFIG_NAME})"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{where}: {message}"
    for theirs, ours in _PLAINER.items():
        message = message.replace(theirs, ours)
    value = error["input"]
    shown = f"{value:g}" if isinstance(value, float) else repr(value)
    return f"{where}: {message[0].lower()}{message[1:]}, not {shown}"


_PLAINER = {
    "Input should be greater than or equal to ": "must be at least ",
    "Input should be less than or equal to ": "must be at most ",
    "Input should be greater than ": "must be more than ",
    "Input should be ": "must be ",
}
"""Pydantic's words, and ours."""
