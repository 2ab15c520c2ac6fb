"""How old a picture is by libcamera's SensorTimestamp: when its first row was read out."""

from __future__ import annotations

import time

_PLAUSIBLE_NS = 2_000_000_000


def age_ns(sensor_ns: int, now_ns: int) -> int | None:
    """How old a picture with that time stamp is; None when the stamp cannot be by a clock of this machine.

    `now_ns` is by time.monotonic_ns().
    """
    boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    # The kernel stamps by CLOCK_MONOTONIC, libcamera's documentation says CLOCK_BOOTTIME: they differ once a machine
    # has slept, and then only one of them is plausible.
    return next((age for age in (now_ns - sensor_ns, boot_ns - sensor_ns) if 0 <= age < _PLAUSIBLE_NS), None)
