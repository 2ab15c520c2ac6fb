"""The latencies of all pictures that viewers had in hand, as they report them once a second; no I/O."""

from __future__ import annotations

from collections.abc import Iterator

from zlfeed.model import LATENCY_BOUNDS_MS, ViewerReport

_MOST_A_SECOND = 1000
"""A report says nothing of more pictures: no feed gives so many."""
_MAX_CAMERAS = 64


class LatencyHistograms:
    """One histogram a camera, over all its viewers since the start."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[list[int], float]] = {}

    def add(self, report: ViewerReport) -> None:
        """Takes what one viewer measured in one second. What cannot be is left out: anybody may send it."""
        buckets, total = report.latency_buckets, report.latency_sum_ms
        if len(buckets) != len(LATENCY_BOUNDS_MS) + 1 or total is None:
            return
        count = sum(buckets)
        if not 0 < count <= _MOST_A_SECOND or not 0 <= total <= count * 3_600_000:
            return
        if report.camera not in self._found and len(self._found) >= _MAX_CAMERAS:
            return
        before, so_far = self._found.get(report.camera, ([0] * len(buckets), 0.0))
        self._found[report.camera] = [a + b for a, b in zip(before, buckets, strict=True)], so_far + total

    def cumulative(self) -> Iterator[tuple[str, list[tuple[str, float]], float]]:
        """Camera; (upper bound in seconds, pictures at most that old) up to +Inf; the sum in seconds."""
        bounds = [*(str(bound / 1000) for bound in LATENCY_BOUNDS_MS), "+Inf"]
        for camera, (buckets, total_ms) in self._found.items():
            counts = [float(sum(buckets[: index + 1])) for index in range(len(buckets))]
            yield camera, list(zip(bounds, counts, strict=True)), total_ms / 1000
