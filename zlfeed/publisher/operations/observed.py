"""The publisher's side of /metrics: what it hands over, whether or not anybody scrapes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from zlfeed import versions
from zlfeed.config import Settings
from zlfeed.model import CameraStatus, Event, ViewerReport
from zlfeed.net import Allowed
from zlfeed.publisher.operations.exporter import Exporter
from zlfeed.publisher.operations.latency_histogram import LatencyHistograms
from zlfeed.publisher.operations.metrics_server import MetricsServer


class Observed:
    """Keeps what only Prometheus wants; serves it when a port was named."""

    def __init__(
        self,
        settings: Settings,
        statuses: Callable[[], Sequence[CameraStatus]],
        on_event: Callable[[str, str, str], None],
    ) -> None:
        self.wanted = settings.metrics_port is not None
        self._settings = settings
        self._statuses = statuses
        self._on_event = on_event
        self._latencies = LatencyHistograms()
        self._exporter = Exporter(statuses, self._latencies, {})

    def event(self, event: Event) -> None:
        """Counts it."""
        self._exporter.event(event)

    def report(self, report: ViewerReport) -> ViewerReport:
        """Takes a viewer's histogram; the report without it, for everybody."""
        if self.wanted:
            self._latencies.add(report)
        return replace(report, latency_buckets=(), latency_sum_ms=None)

    async def run(self, ffmpeg: Path) -> None:
        """Serves, until cancelled."""
        assert self._settings.metrics_port is not None
        self._exporter.versions = await asyncio.to_thread(_versions, ffmpeg)
        server = MetricsServer(
            self._exporter, self._statuses, self._settings.metrics_host, self._settings.metrics_port,
            allowed=Allowed(self._settings.allow), on_event=self._on_event,
        )  # fmt: skip
        await server.run()


def _versions(ffmpeg: Path) -> dict[str, str]:
    found = {"opencv": versions.opencv(), "ffmpeg": versions.ffmpeg(ffmpeg)}
    return {name: version or "unknown" for name, version in found.items()}
