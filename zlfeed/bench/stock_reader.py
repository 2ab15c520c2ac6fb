"""A viewer that knows nothing of zlfeed's tricks: a stock OpenCV reader, as a process of its own.

`python -m zlfeed.bench.stock_reader URL SECONDS` opens URL the way most programs do and prints one JSON object when
the seconds since the first picture are over: capture → picture in hand of each picture by the strip in it, ms.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import pairwise

import cv2

from zlfeed import timecode

_OPEN_S = 15.0
LIVE_MS = 100.0


def measure(url: str, seconds: float) -> dict[str, object]:
    """Reads for `seconds`. Latencies start with the first picture that is ≤100 ms old, or with the second half when
    none ever is: what a viewer then sees for good."""
    opened = time.monotonic()
    capture = cv2.VideoCapture(url)
    first = live = None
    numbers: list[int] = []
    seen: list[tuple[float, float]] = []
    unread = 0
    end = opened + _OPEN_S
    while time.monotonic() < end:
        ok, picture = capture.read()
        now, now_us = time.monotonic(), time.time_ns() // 1000
        if not ok:
            break
        if first is None:
            first = now - opened
            end = now + seconds
        code = timecode.read(picture)
        if code is None:
            unread += 1
            continue
        age = (now_us - timecode.unwrap(code.time_us, now_us)) / 1000
        if live is None and age <= LIVE_MS:
            live = now - opened
        numbers.append(code.frame)
        seen.append((now, age))
    capture.release()
    settled = opened + live if live is not None else opened + ((first or 0) + (time.monotonic() - opened)) / 2
    missed = sum((b - a - 1) % timecode.FRAME_MODULUS for a, b in pairwise(numbers))
    return {
        "latencies_ms": [round(age, 3) for at, age in seen if at >= settled],
        "first_picture_ms": None if first is None else first * 1000,
        "live_ms": None if live is None else live * 1000,
        "frames": len(seen),
        "missed": missed,
        "unread_timecodes": unread,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(sys.argv[1], float(sys.argv[2]))) + "\n")
