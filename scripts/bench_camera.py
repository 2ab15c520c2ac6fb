"""Measures the hop out of the camera process: captured there → in hand here. `python scripts/bench_camera.py`."""

from __future__ import annotations

import sys
import time

import numpy as np

from zlfeed.metrics import percentile
from zlfeed.publisher.camera import CameraProcess, parse_camera

FRAMES = 300


def main() -> None:
    """Prints one line a size."""
    for size in ((640, 480), (1280, 720), (1920, 1080)):
        began = time.monotonic()
        camera = CameraProcess.start(parse_camera("test", "bench"), size=size, fps=30)
        start_ms = (time.monotonic() - began) * 1e3
        try:
            into = np.empty((size[1] * 3 // 2, size[0]), np.uint8)
            hops: list[float] = []
            while len(hops) < FRAMES:
                if frame := camera.next_frame(into, 2.0):
                    hops.append((time.monotonic_ns() - frame.captured_ns) / 1e6)
            figures = " ".join(
                f"{name} {percentile(hops, q):.2f}" for name, q in (("p50", 50), ("p95", 95), ("p99", 99))
            )
            sys.stdout.write(
                f"{size[0]}x{size[1]}: captured → in hand, ms: {figures} max {max(hops):.2f}; "
                f"dropped {camera.dropped}; first picture after {start_ms:.0f} ms\n"
            )
        finally:
            camera.stop()


if __name__ == "__main__":
    main()
