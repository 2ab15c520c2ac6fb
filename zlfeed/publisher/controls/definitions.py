"""What can be set on a camera's feed: names, ranges, and what is said to a value that cannot be. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zlfeed.config import parse_size
from zlfeed.model import Control
from zlfeed.publisher.capture import PRIVACIES
from zlfeed.publisher.picture.orientation import ORIENTATIONS

MIN_KBPS, MAX_KBPS = 16, 20_000
MAX_GOP = 300
MAX_FPS = 120
SIZES = ((320, 240), (640, 360), (640, 480), (800, 600), (1280, 720), (1920, 1080))
FEED_CONTROLS = ("bitrate", "gop", "fps", "size", "orientation", "overlay", "privacy")
"""Those that stand for a value of the feed's own; the rest are actions."""
_ON, _OFF = ("on", "true", "1", "yes"), ("off", "false", "0", "no")


class Refused(Exception):
    """Why a control cannot be set so: a sentence for the person who asked."""


@dataclass(frozen=True, slots=True)
class FeedValues:
    """The values of a feed's own controls. `fps` and `size` None: not known yet."""

    bitrate_kbps: int
    gop: int
    fps: float | None
    size: tuple[int, int] | None
    orientation: str
    privacy: str
    overlay: bool


def size_text(size: tuple[int, int]) -> str:
    """`640x480`."""
    return f"{size[0]}x{size[1]}"


def definitions(now: FeedValues, first: FeedValues, most_fps: float | None) -> list[Control]:
    """The controls of a feed, as they are now.

    `first` are the values it was started with, which are its defaults and lie in every range; `most_fps` is what the
    camera was found to give at most, None while it never gave less than it was asked for.
    """
    sizes = {*SIZES, *(size for size in (now.size, first.size) if size)}
    return [
        Control(
            "bitrate", "int", min(MIN_KBPS, first.bitrate_kbps), max(MAX_KBPS, first.bitrate_kbps), 50,
            first.bitrate_kbps, value=str(now.bitrate_kbps), unit="kbit/s",
        ),
        Control("gop", "int", 1, max(MAX_GOP, first.gop), 1, first.gop, value=str(now.gop), unit="frames"),
        Control(
            "fps", "int", 1, math.ceil(most_fps or max(MAX_FPS, first.fps or 0)), 1, first.fps,
            value=None if now.fps is None else f"{now.fps:g}", unit="fps",
        ),
        Control(
            "size", "choice", choices=[size_text(size) for size in sorted(sizes)],
            value=size_text(now.size) if now.size else None,
        ),
        Control("orientation", "choice", choices=ORIENTATIONS, value=now.orientation),
        Control("overlay", "bool", default_value=float(first.overlay), value="on" if now.overlay else "off"),
        Control("privacy", "choice", choices=PRIVACIES, value=now.privacy),
        Control("snapshot", "action"),
        Control("restart_camera", "action"),
        Control("restart_encoder", "action"),
    ]  # fmt: skip


def checked(control: Control, text: str) -> str:
    """The value in the control's own spelling. Raises Refused, with the range and the nearest value that is in it.

    Values between two steps are taken: the step is what a slider moves by.
    """
    value = text.strip()
    match control.kind:
        case "action":
            return ""
        case "bool":
            return _switch(control, value)
        case "int":
            return str(_number(control, value))
        case "float":
            return f"{_decimal(control, value):g}"
        case "choice" if control.name == "size":
            return _size(value)
        case "choice":
            return _choice(control, value)
        case _:
            return value


def _switch(control: Control, value: str) -> str:
    if value.lower() in _ON:
        return "on"
    if value.lower() in _OFF:
        return "off"
    raise Refused(f"{control.name} is on or off, not {value!r}")


def _number(control: Control, value: str) -> int:
    assert control.minimum is not None
    assert control.maximum is not None
    unit = f" {control.unit}" if control.unit else ""
    span = f"{control.minimum:.10g} to {control.maximum:.10g}{unit}"
    try:
        number = int(value)
    except ValueError:
        raise Refused(f"{control.name} is a whole number from {span}, not {value[:40]!r}") from None
    nearest = round(max(control.minimum, min(control.maximum, number)))
    if not control.minimum <= number <= control.maximum:
        raise Refused(f"{control.name} {number} is outside {span}: the nearest is {nearest}")
    return number


def _decimal(control: Control, value: str) -> float:
    unit = f" {control.unit}" if control.unit else ""
    low = -math.inf if control.minimum is None else control.minimum
    high = math.inf if control.maximum is None else control.maximum
    span = f"{low:g} to {high:g}{unit}"
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Refused(f"{control.name} is a number from {span}, not {value[:40]!r}")
    if not low <= number <= high:
        raise Refused(f"{control.name} {number:g} is outside {span}: the nearest is {max(low, min(high, number)):g}")
    return number


def _choice(control: Control, value: str) -> str:
    if value in control.choices:
        return value
    raise Refused(f"{control.name} is one of {', '.join(control.choices)}, not {value[:40]!r}")


def _size(value: str) -> str:
    try:
        return size_text(parse_size(value))
    except ValueError as error:
        raise Refused(str(error)) from None


def named(controls: Sequence[Control], name: str) -> Control:
    """The control of that name. Raises Refused."""
    for control in controls:
        if control.name == name:
            return control
    known = ", ".join(control.name for control in controls)
    raise Refused(f"there is no control {name[:40]!r}; there are {known or 'none'}")
