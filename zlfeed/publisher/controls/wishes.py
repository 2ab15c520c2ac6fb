"""A feed's controls as its settings, and back; what was set on it before, put upon how it is started. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple, cast

from zlfeed.publisher.camera import DEFAULT_FPS
from zlfeed.publisher.capture import Privacy
from zlfeed.publisher.controls.definitions import (
    FEED_CONTROLS,
    FeedValues,
    Refused,
    checked,
    definitions,
    named,
    size_text,
)
from zlfeed.publisher.picture.orientation import Orientation
from zlfeed.publisher.pipeline import PipelineSettings

DEFAULT = "default"
"""The value of a camera's control that leaves it to the camera."""


_NO_DEVICES = ("test", "file", "rtsp")


class Kept(NamedTuple):
    """A value that was set, and what the feed had been started with instead (None: nothing was said)."""

    value: str
    instead_of: str | None


def with_value(settings: PipelineSettings, name: str, value: str) -> PipelineSettings:
    """The settings of a feed with one of its controls set to a checked value."""
    capture = settings.capture
    match name:
        case "bitrate":
            return replace(settings, bitrate=int(value) * 1000)
        case "gop":
            return replace(settings, gop=int(value))
        case "fps":
            capture = replace(capture, fps=float(value))
        case "size":
            width, _, height = value.partition("x")
            capture = replace(capture, size=(int(width), int(height)))
        case "privacy":
            capture = replace(capture, privacy=cast(Privacy, value))
        case "orientation":
            capture = replace(capture, look=replace(capture.look, orientation=cast(Orientation, value)))
        case "overlay":
            capture = replace(capture, look=replace(capture.look, overlay=value == "on"))
        case _:
            capture = replace(capture, controls=tuple(sorted({**dict(capture.controls), name: value}.items())))
    return replace(settings, capture=capture)


def said(settings: PipelineSettings) -> dict[str, str | None]:
    """The values of the controls as the settings have them; None: left to the camera, or to the rate."""
    capture, look = settings.capture, settings.capture.look
    return {
        "bitrate": str(round(settings.bitrate / 1000)),
        "gop": None if settings.gop is None else str(settings.gop),
        "fps": None if capture.fps is None else f"{capture.fps:g}",
        "size": size_text(capture.size) if capture.size else None,
        "orientation": look.orientation,
        "overlay": "on" if look.overlay else "off",
        "privacy": capture.privacy,
        **{name: value for name, value in capture.controls if value != DEFAULT},
    }


def with_defaults(settings: PipelineSettings, names: Iterable[str]) -> PipelineSettings:
    """The settings of a feed with these controls of its camera back at the camera's defaults."""
    wishes = {**dict(settings.capture.controls), **dict.fromkeys(names, DEFAULT)}
    return replace(settings, capture=replace(settings.capture, controls=tuple(sorted(wishes.items()))))


def defaults(values: FeedValues, now: PipelineSettings, started: PipelineSettings) -> FeedValues:
    """What the controls stood at when the feed was started; what the camera has of itself, while it was not set."""
    then = started.capture
    fps = values.fps if now.capture.fps == then.fps else then.fps
    return FeedValues(
        bitrate_kbps=round(started.bitrate / 1000),
        gop=started.gop or max(1, round(fps or DEFAULT_FPS)),
        fps=fps,
        size=values.size if now.capture.size == then.size else then.size,
        orientation=then.look.orientation,
        privacy=then.privacy,
        overlay=then.look.overlay,
    )


def said_anew(now: PipelineSettings, before: PipelineSettings, started: PipelineSettings) -> PipelineSettings:
    """`now` with that in which `started` differs from how the feed had been started before."""
    capture = now.capture
    if started.capture.size != before.capture.size:
        capture = replace(capture, size=started.capture.size)
    if started.capture.fps != before.capture.fps:
        capture = replace(capture, fps=started.capture.fps)
    if started.capture.look.overlay != before.capture.look.overlay:
        capture = replace(capture, look=replace(capture.look, overlay=started.capture.look.overlay))
    then, wanted = dict(before.capture.controls), dict(started.capture.controls)
    for name in {**then, **wanted}:
        if wanted.get(name) != then.get(name):
            now = with_value(now, name, wanted.get(name, DEFAULT))
    capture = replace(capture, controls=now.capture.controls)
    return replace(
        now,
        capture=capture,
        bitrate=now.bitrate if started.bitrate == before.bitrate else started.bitrate,
        gop=now.gop if started.gop == before.gop else started.gop,
    )


def to_keep(now: PipelineSettings, started: PipelineSettings) -> dict[str, Kept]:
    """What was set since the start."""
    before = said(started)
    return {
        name: Kept(value, before.get(name))
        for name, value in said(now).items()
        if value is not None and value != before.get(name)
    }


def restored(started: PipelineSettings, kept: Mapping[str, Kept]) -> PipelineSettings:
    """How the feed is started, with what was set before.

    A value that was set when the feed had been started otherwise is older than the way it is started now, and does not
    count; nor does one that is none.
    """
    before, settings = said(started), started
    values = FeedValues(
        round(started.bitrate / 1000),
        started.gop or 1,
        started.capture.fps,
        started.capture.size,
        "normal",
        "off",
        True,
    )
    controls = definitions(values, values, None)
    for name in FEED_CONTROLS:
        wish = kept.get(name)
        if wish is None or wish.instead_of != before[name]:
            continue
        try:
            settings = with_value(settings, name, checked(named(controls, name), wish.value))
        except Refused:
            continue
    if started.capture.spec.kind in _NO_DEVICES:
        return settings
    for name, wish in kept.items():
        # Of the camera's own only the camera knows the ranges: it passes over what it does not take.
        if name not in FEED_CONTROLS and wish.instead_of == before.get(name):
            settings = with_value(settings, name, wish.value)
    return settings
