"""A V4L2 device's modes and controls, by linuxpy, which knows the kernel's structures.

It takes 0.2 s to load on a fast machine, so nobody imports this module who can do without. Its higher classes raise at
the first control that is odd, and cameras have odd controls: its plain functions are used, one control at a time.
"""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple

from linuxpy.video import device as linux

from zlfeed.model import Control
from zlfeed.publisher.camera.facts import Mode
from zlfeed.publisher.camera.source import ControlRefused

DEFAULT = "default"
"""A control's value that stands for what the driver says is its default."""

_NAMES = {
    linux.ControlID.AUTO_WHITE_BALANCE: "white_balance_auto",
    linux.ControlID.WHITE_BALANCE_TEMPERATURE: "white_balance",
    linux.ControlID.EXPOSURE_AUTO: "exposure_auto",
    linux.ControlID.EXPOSURE_ABSOLUTE: "exposure",
    linux.ControlID.EXPOSURE_AUTO_PRIORITY: "exposure_lowers_rate",
    linux.ControlID.FOCUS_AUTO: "focus_auto",
    linux.ControlID.FOCUS_ABSOLUTE: "focus",
    linux.ControlID.ZOOM_ABSOLUTE: "zoom",
    linux.ControlID.PAN_ABSOLUTE: "pan",
    linux.ControlID.TILT_ABSOLUTE: "tilt",
}
"""Controls whose names by the driver differ from kernel to kernel ("Exposure, Auto" became "Auto Exposure")."""
_UNITS = {linux.ControlID.EXPOSURE_ABSOLUTE: "× 100 µs", linux.ControlID.WHITE_BALANCE_TEMPERATURE: "K"}
_KINDS = {
    linux.ControlType.INTEGER: "int",
    linux.ControlType.BOOLEAN: "bool",
    linux.ControlType.MENU: "choice",
    linux.ControlType.INTEGER_MENU: "choice",
}
_UNUSABLE = linux.ControlFlag.DISABLED | linux.ControlFlag.READ_ONLY | linux.ControlFlag.WRITE_ONLY
_PLENTY = 64


class Known(NamedTuple):
    """A control with the driver's number for it, and the numbers of its choices."""

    control: Control
    id: int
    numbers: Mapping[str, int]


def card(path: str) -> tuple[str, str, bool]:
    """What VIDIOC_QUERYCAP says: the driver, the camera's name, whether it captures video. Raises OSError."""
    with linux.Device(path) as device:
        said = linux.read_capabilities(device)
        # With this flag, device_caps tells of this node, and capabilities of all nodes of the device.
        own = said.device_caps if said.capabilities & linux.Capability.DEVICE_CAPS else said.capabilities
        captures = bool(own & (linux.Capability.VIDEO_CAPTURE | linux.Capability.VIDEO_CAPTURE_MPLANE))
        return _text(said.driver), _text(said.card), captures


def modes(path: str) -> list[Mode]:
    """The sizes, formats and rates that the device offers, largest size first. Raises OSError."""
    found = []
    with linux.Device(path) as device:
        for fmt in _formats(device):
            name = linux.human_pixel_format(fmt)
            sizes = linux.raw.v4l2_frmsizeenum()
            sizes.pixel_format = fmt
            for size in linux.iter_read(device, linux.IOC.ENUM_FRAMESIZES, sizes):
                for width, height in _dimensions(size):
                    found.append(Mode(width, height, name, _rates(device, fmt, width, height)))
    return sorted(found, key=lambda mode: (-mode.pixels, mode.format))


def controls(path: str) -> list[Control]:
    """What can be set on the device, with ranges and values as they are now. Raises OSError."""
    with linux.Device(path) as device:
        return [_read(device, known) for known in _known(device)]


def set_control(path: str, name: str, value: str) -> str:
    """Sets a control (to its default for DEFAULT), and reads it back. Raises ControlRefused, OSError."""
    with linux.Device(path) as device:
        known = next((known for known in _known(device) if known.control.name == name), None)
        if known is None:
            raise ControlRefused(f"this camera has no control {name!r}")
        try:
            number = _number(known, value)
            low, high = known.control.minimum, known.control.maximum
            if low is not None and high is not None and not low <= number <= high:
                # The driver would take the nearest, without a word.
                raise ControlRefused(f"{name} {number} is outside {low:g} to {high:g}")
            linux.set_control(device, known.id, number)
        except OSError as error:
            raise ControlRefused(_why_not(known.control, error)) from None
        except ValueError:
            raise ControlRefused(f"{name} cannot be {value!r}") from None
        return _value(known, linux.get_control(device, known.id))


def differs(control: Control) -> bool:
    """Whether a control stands elsewhere than at its default, as far as that is known."""
    if control.default_value is None or control.value is None:
        return True
    if control.kind == "bool":
        return (control.value == "on") != bool(control.default_value)
    return control.value != f"{control.default_value:g}"


def _formats(device: Any) -> Iterator[int]:
    """Pixel formats by their fourcc, those that linuxpy does not know as well."""
    description = linux.raw.v4l2_fmtdesc()
    description.type = linux.BufferType.VIDEO_CAPTURE
    for found in linux.iter_read(device, linux.IOC.ENUM_FMT, description):
        yield int(found.pixelformat)


def _dimensions(size: Any) -> list[tuple[int, int]]:
    if size.type == linux.FrameSizeType.DISCRETE:
        return [(size.m1.discrete.width, size.m1.discrete.height)]
    steps = size.m1.stepwise
    # A range, as drivers of picture processors have it: the sizes that people ask for and that lie in it.
    return [
        (width, height)
        for width, height in ((640, 480), (1280, 720), (1920, 1080), (steps.max_width, steps.max_height))
        if steps.min_width <= width <= steps.max_width and steps.min_height <= height <= steps.max_height
    ]


def _rates(device: Any, fmt: int, width: int, height: int) -> tuple[float, ...]:
    asked = linux.raw.v4l2_frmivalenum()
    asked.pixel_format, asked.width, asked.height = fmt, width, height
    found = set()
    for interval in linux.iter_read(device, linux.IOC.ENUM_FRAMEINTERVALS, asked):
        discrete = interval.type == linux.FrameIntervalType.DISCRETE
        shortest = interval.discrete if discrete else interval.stepwise.min
        if shortest.numerator:
            found.add(round(shortest.denominator / shortest.numerator, 3))
    return tuple(sorted(found, reverse=True))


def _known(device: Any) -> Iterator[Known]:
    taken: set[str] = set()
    for info in linux.iter_read_controls(device):
        kind = _KINDS.get(info.type)
        if kind is None or info.flags & _UNUSABLE or len(taken) >= _PLENTY:
            continue
        name = _NAMES.get(info.id) or re.sub(r"\W+", "_", _text(info.name).lower()).strip("_")
        if not name or name in taken:
            continue
        taken.add(name)
        yield _control(device, info, name, kind)


def _control(device: Any, info: Any, name: str, kind: str) -> Known:
    numbers: dict[str, int] = {}
    if kind == "choice":
        menu = SimpleNamespace(id=info.id, _info=SimpleNamespace(minimum=info.minimum, maximum=info.maximum, step=1))
        for item in linux.iter_read_menu(device, menu):
            text = str(item.value) if info.type == linux.ControlType.INTEGER_MENU else _text(item.name)
            numbers[re.sub(r"\W+", "_", text.lower()).strip("_")] = item.index
    elif kind == "bool":
        numbers = {"off": 0, "on": 1}
    ranged = kind == "int"
    control = Control(
        name,
        kind,
        minimum=float(info.minimum) if ranged else None,
        maximum=float(info.maximum) if ranged else None,
        step=float(info.step or 1) if ranged else None,
        default_value=None if kind == "choice" else float(info.default_value),
        choices=tuple(numbers) if kind == "choice" else (),
        unit=_UNITS.get(info.id, ""),
    )
    return Known(control, info.id, {**numbers, DEFAULT: info.default_value})


def _read(device: Any, known: Known) -> Control:
    """The control with its value; without one when it cannot be read just now."""
    with contextlib.suppress(OSError):
        return replace(known.control, value=_value(known, linux.get_control(device, known.id)))
    return known.control


def _number(known: Known, value: str) -> int:
    return known.numbers[value] if value in known.numbers else int(value)


def _value(known: Known, number: int) -> str:
    for text, its in known.numbers.items():
        if its == number and text != DEFAULT:
            return text
    return str(number)


def _why_not(control: Control, error: OSError) -> str:
    cure = _AUTOMATIC.get(control.name)
    if cure and error.errno in (errno.EACCES, errno.EINVAL, errno.EIO):
        return f"{control.name} is the camera's own to set just now: {cure} first"
    return f"the camera does not take that {control.name} ({error.strerror})"


_AUTOMATIC = {
    "exposure": "set exposure_auto to manual_mode",
    "white_balance": "switch white_balance_auto off",
    "focus": "switch focus_auto off",
}


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace").strip()
