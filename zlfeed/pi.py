"""What only a Raspberry Pi tells of itself: its model, and whether it is throttled, now or since it was started."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_MODEL = Path("/proc/device-tree/model")
_SYSFS = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
"""On the Raspberry Pi's own kernels; as hexadecimal digits."""
_ASK_EVERY_S = 5.0
"""A process of its own each time, where the kernel does not tell."""
_VCGENCMD_S = 2.0
_BITS = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
"""Bits 0 to 3 now, bits 16 to 19 since the start (Raspberry Pi documentation, vcgencmd get_throttled)."""


class Throttling(NamedTuple):
    """What holds the processor back: now, and at any time since the machine was started."""

    now: Sequence[str]
    ever: Sequence[str]


def parse_throttled(text: str) -> Throttling | None:
    """Reads `throttled=0x50005`, or the bare digits of sysfs; None for what is neither."""
    match = re.fullmatch(r"(?:throttled=)?(?:0x)?([0-9a-fA-F]{1,8})", text.strip())
    if not match:
        return None
    bits = int(match[1], 16)
    now, ever = (tuple(word for at, word in enumerate(_BITS) if bits >> (shift + at) & 1) for shift in (0, 16))
    return Throttling(now, ever)


def model(path: Path = _MODEL) -> str | None:
    """`Raspberry Pi 4 Model B Rev 1.4`; of other machines with a device tree, what they call themselves."""
    try:
        return path.read_bytes().rstrip(b"\0\n").decode("utf-8", "replace").strip() or None
    except OSError:
        return None


class ThrottleReader:
    """Reads the flags; of a machine that does not tell them, None at no cost."""

    def __init__(self, sysfs: Path = _SYSFS, program: str | None = None) -> None:
        self._sysfs = sysfs
        self._program = program or shutil.which("vcgencmd")
        self._asked_at = -_ASK_EVERY_S
        self._last: Throttling | None = None

    def read(self) -> Throttling | None:
        """The flags, by vcgencmd at most every five seconds. May block for a moment."""
        try:
            return parse_throttled(self._sysfs.read_text())
        except OSError:
            pass
        now = time.monotonic()
        if self._program and now - self._asked_at >= _ASK_EVERY_S:
            self._asked_at = now
            self._last = self._ask(self._program)
        return self._last

    def _ask(self, program: str) -> Throttling | None:
        try:
            said = subprocess.run(
                [program, "get_throttled"],
                check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_VCGENCMD_S,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return None
        return parse_throttled(said.stdout)
