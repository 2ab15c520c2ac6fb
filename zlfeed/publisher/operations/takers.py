"""What of the configuration is taken while the publisher runs, and by whom."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from zlfeed import logs
from zlfeed.config import CameraSettings, Settings
from zlfeed.publisher.alerting.actions import Alerting
from zlfeed.publisher.alerting.alerts import Limits
from zlfeed.publisher.controls.panel import Panel
from zlfeed.publisher.controls.wishes import said
from zlfeed.publisher.operations.reload import Taker, changed
from zlfeed.publisher.pipeline import PipelineSettings

PICTURE = frozenset({"bitrate", "gop", "fps", "size", "no_overlay", "cameras"})
ALERTS = frozenset({"alert_latency", "alert_fps", "alert_temperature", "alert_command", "alert_webhook"})
TOKENS = frozenset({"token", "token_file", "readonly_token", "readonly_token_file", "no_auth"})
LEVEL = frozenset({"log_level"})
LIVE = PICTURE | ALERTS | TOKENS | LEVEL
"""Taken while the publisher runs."""
RESTART = frozenset({
    "camera", "play", "no_adaptive", "min_bitrate", "codec", "encoder", "preset", "server", "ffmpeg_path",
    "mediamtx_path", "host", "advertise", "rtsp_port", "websocket_port", "hls_port", "webrtc_port", "stream_name",
    "vpn_address", "web_plain", "allow", "metrics_port", "metrics_host", "no_announce", "tls_cert", "tls_key",
    "rtsps_port", "passthrough", "wait_camera", "no_timecode", "no_closed_frames", "reset_controls", "duration",
    "log_format", "log_file", "log_file_size", "log_file_count",
})  # fmt: skip
"""What a publisher goes by from its start on."""
OTHERS = frozenset({
    "mediamtx_base_url", "publisher", "connection_timeout", "backend", "transport", "status_url", "fingerprint",
    "refresh_hz", "preview", "preview_hz", "bell", "notify", "limit_age", "limit_fps", "limit_latency", "limit_cpu",
    "limit_memory", "limit_temperature", "limit_loss",
})  # fmt: skip
"""Those of other commands, which a running publisher has nothing to do with. Every setting is in one of the three."""


def waiting(old: Settings, new: Settings) -> list[str]:
    """The names of what differs and waits for a restart, a camera's own with its table's."""
    own = [
        f"cameras.{camera}.{name}"
        for camera in {**old.cameras, **new.cameras}
        for name in CameraSettings.model_fields
        if name not in PICTURE | {"controls"} and _own(old, camera, name) != _own(new, camera, name)
    ]
    return [*(name for name in changed(old, new) if name in RESTART), *own]


def _own(settings: Settings, camera: str, name: str) -> object:
    return getattr(settings.cameras.get(camera), name, None)


def own_controls(settings: Settings, camera: str) -> tuple[tuple[str, str], ...]:
    """What the file says is to be set on the camera itself."""
    return tuple(sorted(settings.cameras[camera].controls.items())) if camera in settings.cameras else ()


def started_as(settings: Settings, before: PipelineSettings) -> PipelineSettings:
    """How a feed would be started with these settings, all else as `before`."""
    controls = own_controls(settings, before.capture.spec.name)
    settings = settings.of(before.capture.spec.name)
    look = replace(before.capture.look, overlay=not settings.no_overlay)
    capture = replace(before.capture, size=settings.size, fps=settings.fps, look=look, controls=controls)
    return replace(before, capture=capture, bitrate=settings.bitrate, gop=settings.gop)


def limits(settings: Settings) -> Limits:
    """When alarms are raised."""
    return Limits(settings.alert_latency, settings.alert_fps, settings.alert_temperature)


def _news(feeds: Mapping[str, tuple[PipelineSettings, PipelineSettings]]) -> list[str]:
    """What is another in how feeds are started, in words; with the camera's name where it is not so for all."""
    news = {}
    for camera, (before, wanted) in feeds.items():
        was, now = said(before), said(wanted)
        news[camera] = [
            f"{name} {now.get(name) or 'auto'}" for name in {**now, **was} if now.get(name) != was.get(name)
        ]
    first = next(iter(news.values()), [])
    if all(words == first for words in news.values()):
        return first
    return [f"{camera}: {word}" for camera, words in news.items() for word in words]


def takers(
    panels: Mapping[str, Panel], alerting: Alerting, tokens: Callable[[Settings], Awaitable[Sequence[str]]]
) -> list[Taker]:
    """Who takes what. `tokens` takes tokens anew and names those that changed, or raises UsageError."""

    async def picture(settings: Settings) -> Sequence[str]:
        before = [panel.started for panel in panels.values()]
        wanted = [started_as(settings, started) for started in before]
        pairs = zip(panels.values(), wanted, strict=True)
        outcomes = await asyncio.gather(*(panel.start_from(w) for panel, w in pairs), return_exceptions=True)
        late = [name for name, outcome in zip(panels, outcomes, strict=True) if isinstance(outcome, TimeoutError)]
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, TimeoutError):
                raise outcome
        if not before:
            return []
        words = _news(dict(zip(panels, zip(before, wanted, strict=True), strict=True)))
        # A camera that is not there is no failure: what was asked counts from its first picture on.
        return [*words, *(f"on {name} as soon as it gives a picture" for name in late)]

    async def alerts(settings: Settings) -> Sequence[str]:
        alerting.change(limits(settings), settings.alert_command, settings.alert_webhook)
        return ["alerts"]

    async def level(settings: Settings) -> Sequence[str]:
        logs.set_level(settings.log_level)
        return [f"log level {settings.log_level}"]

    async def take_tokens(settings: Settings) -> Sequence[str]:
        return [f"a new {name}" for name in await tokens(settings)]

    # A token that leaked waits for nobody; the picture does, where a camera is not there.
    return [
        Taker(TOKENS, take_tokens, always=True),
        Taker(ALERTS, alerts),
        Taker(LEVEL, level),
        Taker(PICTURE, picture),
    ]
