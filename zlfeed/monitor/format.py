"""Figures as people read them. What was not measured is "–", never 0. Pure; knows nothing of Textual."""

from __future__ import annotations

import time

UNKNOWN = "–"

_DIGITS = {
    "0": ("█▀█", "█ █", "▀▀▀"),
    "1": ("▀█ ", " █ ", "▀▀▀"),
    "2": ("▀▀█", "█▀▀", "▀▀▀"),
    "3": ("▀▀█", " ▀█", "▀▀▀"),
    "4": ("█ █", "▀▀█", "  ▀"),
    "5": ("█▀▀", "▀▀█", "▀▀▀"),
    "6": ("█▀▀", "█▀█", "▀▀▀"),
    "7": ("▀▀█", "  █", "  ▀"),
    "8": ("█▀█", "█▀█", "▀▀▀"),
    "9": ("█▀█", "▀▀█", "▀▀▀"),
    ".": (" ", " ", "▀"),
    "–": ("   ", "▀▀▀", "   "),
    "-": ("   ", "▀▀▀", "   "),
}


def number(value: float | None, decimals: int = 1) -> str:
    """A number with a fixed number of decimals."""
    return UNKNOWN if value is None else f"{value:.{decimals}f}"


def ms(value: float | None) -> str:
    """Milliseconds without the unit: one decimal below 100."""
    if value is None:
        return UNKNOWN
    return f"{value:.1f}" if abs(value) < 99.95 else f"{value:.0f}"


def percent(value: float | None) -> str:
    """A share, whole per cent."""
    return UNKNOWN if value is None else f"{value:.0f} %"


def rate(value: float | None, unit: str = "kbit/s") -> str:
    """Kilobits a second, in kbit/s below 10 000 and Mbit/s from there."""
    if value is None:
        return f"{UNKNOWN} {unit}"
    return f"{value:.0f} kbit/s" if value < 10_000 else f"{value / 1000:.1f} Mbit/s"


def kilobytes(value: float | None) -> str:
    """Bytes in kB of 1000, with a decimal below 10."""
    if value is None:
        return f"{UNKNOWN} kB"
    return f"{value / 1000:.1f} kB" if value < 9950 else f"{value / 1000:.0f} kB"


def megabits(value: float | None) -> str:
    """Megabits a second."""
    return f"{UNKNOWN} Mbit/s" if value is None else f"{value:.2f} Mbit/s" if value < 10 else f"{value:.1f} Mbit/s"


def memory(used_mb: float | None, total_mb: float | None) -> str:
    """Used of all memory, in GB when there is that much."""
    if used_mb is None or total_mb is None:
        return UNKNOWN
    if total_mb < 1000:
        return f"{used_mb:.0f} of {total_mb:.0f} MB"
    return f"{used_mb / 1024:.1f} of {total_mb / 1024:.1f} GB"


def temperature(value: float | None) -> str:
    """Degrees Celsius."""
    return f"{UNKNOWN} °C" if value is None else f"{value:.1f} °C"


def size(width: int | None, height: int | None) -> str:
    """A picture's size in pixels."""
    return UNKNOWN if width is None or height is None else f"{width}×{height}"


def duration(seconds: float | None) -> str:
    """A length of time as 1:02:03, with days in front when there are any."""
    if seconds is None:
        return UNKNOWN
    whole = max(0, int(seconds))
    days, whole = divmod(whole, 86_400)
    clock = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{days} d {clock}" if days else clock


def ago(seconds: float | None) -> str:
    """An age or a wait in one unit: 0.4 s, 12 s, 3 min, 2 h."""
    if seconds is None:
        return UNKNOWN
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def count(value: int | None) -> str:
    """A count with thin groups of three: 12 345."""
    return UNKNOWN if value is None else f"{value:,}".replace(",", " ")


def clock(time_us: int) -> str:
    """The local time of day of a time in µs since 1970 UTC."""
    return time.strftime("%H:%M:%S", time.localtime(time_us / 1e6)) if time_us > 0 else "--:--:--"


def stamp(time_us: int) -> str:
    """Local date and time, for files."""
    return time.strftime("%Y-%m-%d %H:%M:%S%z", time.localtime(time_us / 1e6)) if time_us > 0 else UNKNOWN


def big(text: str) -> tuple[str, str, str]:
    """`text` (digits, point, dash) in three rows of half blocks; other characters are left out."""
    shapes = [_DIGITS[c] for c in text if c in _DIGITS]
    return (
        " ".join(shape[0] for shape in shapes),
        " ".join(shape[1] for shape in shapes),
        " ".join(shape[2] for shape in shapes),
    )
