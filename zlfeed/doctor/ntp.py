"""Whether the system's clock is kept right by others: what the kernel says (adjtimex(2)), whoever sets it."""

from __future__ import annotations

import ctypes
import sys

_LIMIT_US = 16_000_000
"""From here on the kernel takes its clock for unsynchronised (NTP_PHASE_LIMIT); timedatectl asks for the same."""


class _Timex(ctypes.Structure):
    """struct timex, as far as it is read; the rest is room for what the kernel writes."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("rest", ctypes.c_char * 256),
    )


def error_us() -> int | None:
    """The greatest error in µs that the clock may have by the kernel's account; None where that is not known."""
    if sys.platform != "linux":
        return None
    timex = _Timex()  # modes 0: nothing is set
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else int(timex.maxerror)


def synchronized(error: int) -> bool:
    """Whether a clock with that greatest error is one that others set."""
    return error < _LIMIT_US
