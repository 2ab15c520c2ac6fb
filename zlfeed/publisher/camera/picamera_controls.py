"""A CSI camera's controls as picamera2 takes them: libcamera's names and numbers, what pictures tell of them. Pure.

The names, words and ranges are those of rpicam-vid's options (rpicam.py), so that what was set by the one way counts by
the other. The numbers are libcamera's (src/libcamera/control_ids_core.yaml, control_ids_draft.yaml).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zlfeed.model import Control
from zlfeed.publisher.camera import rpicam
from zlfeed.publisher.camera.source import ControlRefused

DEFAULT = "default"
AUTOMATIC_AT_ZERO = ("exposure", "gain")
TOLD_ALWAYS = ("exposure", "gain", "focus")
_NUMBERS: Mapping[str, Mapping[str, int]] = {
    "exposure_mode": {"normal": 0, "sport": 1},
    "metering": {"centre": 0, "spot": 1, "average": 2},
    "awb": {
        "auto": 0, "incandescent": 1, "tungsten": 2, "fluorescent": 3, "indoor": 4, "daylight": 5, "cloudy": 6,
    },
    "denoise": {"auto": 1, "off": 0, "cdn_off": 3, "cdn_fast": 1},
    "autofocus": {"default": 2, "manual": 0, "auto": 1, "continuous": 2},
    "hdr": {"off": 0, "single-exp": 3},
}  # fmt: skip
"""What rpicam-vid makes of its words for video: `auto` noise reduction is the fast one, autofocus is continuous."""
_NAMES = {control.name: name for name, _, control in rpicam.CONTROLS}


def ranges_of(told: Mapping[str, tuple[Any, Any, Any]]) -> dict[str, tuple[float, float]]:
    """The ranges of numbers among Picamera2.camera_controls (lowest, highest, default)."""
    found = {}
    for name, (low, high, _) in told.items():
        if isinstance(low, bool) or not (isinstance(low, int | float) and isinstance(high, int | float)):
            continue
        found[name] = float(low), float(high)
    return found


def controls_of(told: Mapping[str, tuple[Any, Any, Any]], values: Mapping[str, str]) -> list[Control]:
    """The controls of a camera with the values that were asked for. What this way cannot set is left out."""
    return [
        replace(control, choices=tuple(word for word in control.choices if word in _NUMBERS[control.name]))
        if control.choices
        else control
        for control in rpicam.controls_of(ranges_of(told), values)
    ]


def setting(control: Control, value: str) -> tuple[str, Any]:
    """libcamera's name and number for a control's value, "default" for what the program would take.

    Raises ControlRefused for a value that it does not take.
    """
    name = _NAMES[control.name]
    if control.choices:
        numbers = _NUMBERS[control.name]
        word = control.choices[0] if value == DEFAULT else value
        if word not in numbers:
            raise ControlRefused(f"{control.name} is one of {', '.join(control.choices)}, not {value[:40]!r}")
        return name, numbers[word]
    try:
        number = float(value) if value != DEFAULT else float(control.default_value or 0.0)
    except ValueError:
        raise ControlRefused(f"{control.name} cannot be {value[:40]!r}") from None
    low, high = control.minimum, control.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        raise ControlRefused(f"{control.name} {number:g} is outside {low:g} to {high:g}")
    return name, round(number) if control.kind == "int" else number


def words(control: Control, number: Any) -> str:
    """A number of libcamera's as the control's value."""
    if control.choices:
        return next((word for word, its in _NUMBERS[control.name].items() if its == number), str(number))
    return str(round(number)) if control.kind == "int" else f"{float(number):.4g}"


def as_told(control: Control, metadata: Mapping[str, Any]) -> Control:
    """A control with its value as a picture tells it: exposure, gain and focus that were set to be fixed."""
    number = metadata.get(_NAMES[control.name])
    fixed = control.name in TOLD_ALWAYS and control.value not in (None, "", DEFAULT, "0")
    return replace(control, value=words(control, number)) if fixed and number is not None else control


class Expected:
    """Waits for a picture's metadata to tell that a control was set.

    libcamera tells most controls once, with the picture for which they were set; exposure, gain and focus with every
    picture, so that theirs counts when it is near what was asked. Autofocus and HDR it does not tell.
    """

    PATIENCE = 12
    """So many pictures later it is what it is: sensors take two or three to follow, lenses some more."""
    _NEAR = 0.02

    def __init__(self, control: Control, value: str, name: str, number: Any) -> None:
        """`value` was asked for, "default" among them; `name` and `number` are what setting() made of it."""
        self.control = control
        self._word = control.choices[0] if control.choices and value == DEFAULT else value
        self._name = name
        self._number = number
        self._left = self.PATIENCE

    def told(self, metadata: Mapping[str, Any]) -> str | None:
        """The value, once it is known; to be asked with each picture's metadata."""
        self._left -= 1
        number = metadata.get(self._name)
        always = self.control.name in TOLD_ALWAYS
        if always and self._number == 0 and self.control.name in AUTOMATIC_AT_ZERO:
            return "0"
        if number is not None and (
            not always or abs(number - self._number) <= self._NEAR * max(1.0, abs(self._number))
        ):
            return self._said(number)
        if self._left > 0:
            return None
        # Not told at all: as it was asked, for picamera2 refuses what the camera has not.
        return self._said(self._number if number is None else number)

    def _is_near(self, number: float) -> bool:
        return bool(abs(number - self._number) <= self._NEAR * max(1.0, abs(self._number)))

    def _said(self, number: Any) -> str:
        # Two words may stand for one number.
        return self._word if self.control.choices and number == self._number else words(self.control, number)
