"""The publisher's figures as Prometheus takes them. What was not measured is left out, never 0."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from zlfeed import __version__
from zlfeed.model import CameraStatus, Event
from zlfeed.publisher.operations.latency_histogram import LatencyHistograms

STATES = ("starting", "live", "private", "no_signal", "encoder_down", "stopped")
_CAMERA = ["camera"]


class Exporter(Collector):
    """Asked by prometheus_client at each scrape."""

    def __init__(
        self,
        statuses: Callable[[], Sequence[CameraStatus]],
        latencies: LatencyHistograms,
        versions: Mapping[str, str],
    ) -> None:
        self._statuses = statuses
        self._latencies = latencies
        self.versions = dict(versions)
        """Of what the feed is made with, besides our own and Python's."""
        self._events: Counter[tuple[str, str, str]] = Counter()

    def event(self, event: Event) -> None:
        """Counts an event by camera, level and code; codes are few."""
        self._events[event.camera, event.level, event.code] += 1

    def collect(self) -> Iterable[Metric]:
        """Every figure of this moment."""
        statuses = self._statuses()
        own = {"version": __version__, "python": platform.python_version()}
        yield _labelled(GaugeMetricFamily, "zlfeed_build", "What runs here.", own | self.versions)
        yield from _feeds(statuses)
        yield from _viewers(statuses)
        yield self._histogram()
        yield from _machine(statuses)
        events = CounterMetricFamily("zlfeed_events", "Events by code.", labels=["camera", "level", "code"])
        for key, count in self._events.items():
            events.add_metric(key, count)
        yield events

    def _histogram(self) -> Metric:
        family = HistogramMetricFamily(
            "zlfeed_viewer_latency_seconds", "Capture to picture in hand, of every picture that viewers report.",
            labels=_CAMERA,
        )  # fmt: skip
        for camera, buckets, total in self._latencies.cumulative():
            family.add_metric([camera], buckets, total)
        return family


def _labelled(kind: type[GaugeMetricFamily], name: str, words: str, labels: Mapping[str, str]) -> Metric:
    family = kind(f"{name}_info", words, labels=list(labels))
    family.add_metric(list(labels.values()), 1)
    return family


def _gauge(name: str, words: str, found: Iterable[tuple[str, float | None]]) -> Metric:
    """One value a camera, where it is known."""
    family = GaugeMetricFamily(f"zlfeed_{name}", words, labels=_CAMERA)
    for camera, value in found:
        if value is not None:
            family.add_metric([camera], value)
    return family


def _counter(name: str, words: str, found: Iterable[tuple[str, float]]) -> Metric:
    family = CounterMetricFamily(f"zlfeed_{name}", words, labels=_CAMERA)
    for camera, value in found:
        family.add_metric([camera], value)
    return family


def _feeds(statuses: Sequence[CameraStatus]) -> Iterator[Metric]:
    state = GaugeMetricFamily("zlfeed_state", "1 for the state a feed is in.", labels=["camera", "state"])
    drops = CounterMetricFamily("zlfeed_frames_dropped", "Frames dropped, by reason.", labels=["camera", "reason"])
    restarts = CounterMetricFamily("zlfeed_restarts", "Parts that were started again.", labels=["camera", "part"])
    stages = GaugeMetricFamily(
        "zlfeed_stage_seconds",
        "A frame's time in each stage, over two seconds.",
        labels=["camera", "stage", "statistic"],
    )
    encode = GaugeMetricFamily(
        "zlfeed_encode_seconds", "A frame's time in the encoder, over two seconds.", labels=["camera", "statistic"]
    )
    for s in statuses:
        for name in STATES:
            state.add_metric([s.camera, name], float(s.state == name))
        for reason, count in s.frames_dropped.items():
            drops.add_metric([s.camera, reason], count)
        restarts.add_metric([s.camera, "encoder"], s.encoder_restarts)
        restarts.add_metric([s.camera, "camera"], s.camera_restarts)
        for statistic, milliseconds in (("avg", s.encode_ms_avg), ("max", s.encode_ms_max)):
            if milliseconds is not None:
                encode.add_metric([s.camera, statistic], milliseconds / 1000)
        for stage in s.stages:
            for statistic, milliseconds in (("p50", stage.p50_ms), ("p95", stage.p95_ms), ("max", stage.max_ms)):
                if milliseconds is not None:
                    stages.add_metric([s.camera, stage.name, statistic], milliseconds / 1000)
    yield from (state, drops, restarts, encode, stages)
    for name, words, counts in (
        ("frames_captured", "Frames that the camera gave.", [s.frames_captured for s in statuses]),
        ("frames_sent", "Frames that were encoded and published.", [s.frames_sent for s in statuses]),
        ("sent_bytes", "Encoded bytes published.", [s.bytes_sent for s in statuses]),
    ):
        yield _counter(name, words, zip((s.camera for s in statuses), counts, strict=True))
    for name, words, values in (
        ("fps", "Frames a second, published.", [s.fps for s in statuses]),
        ("fps_asked", "Frames a second that were asked for.", [s.fps_asked for s in statuses]),
        ("bitrate_bits_per_second", "Bitrate as it is.", [_times(s.bitrate_kbps, 1e3) for s in statuses]),
        (
            "bitrate_asked_bits_per_second", "Bitrate that was asked for.",
            [_times(s.bitrate_asked_kbps, 1e3) for s in statuses],
        ),
    ):  # fmt: skip
        yield _gauge(name, words, zip((s.camera for s in statuses), values, strict=True))


def _viewers(statuses: Sequence[CameraStatus]) -> Iterator[Metric]:
    viewers = GaugeMetricFamily("zlfeed_viewers", "Sessions that play.", labels=["camera", "transport"])
    for s in statuses:
        transports = Counter(viewer.transport for viewer in s.viewers)
        for transport in sorted({"tcp", "udp", *transports}):
            viewers.add_metric([s.camera, transport], transports[transport])
    yield viewers
    yield _gauge(
        "clock_error_seconds", "Largest error of a latency that a viewer reports now.",
        ((s.camera, _times(_worst_error(s), 1e-3)) for s in statuses),
    )  # fmt: skip


def _worst_error(status: CameraStatus) -> float | None:
    errors = [viewer.report.latency_error_ms for viewer in status.viewers if viewer.report]
    return max((error for error in errors if error is not None), default=None)


def _machine(statuses: Sequence[CameraStatus]) -> Iterator[Metric]:
    """The machine's figures, which each status has alike."""
    host = statuses[0] if statuses else CameraStatus("", time.time_ns() // 1000)
    for name, words, value in (
        ("uptime_seconds", "Since the publisher was started.", host.uptime_s),
        ("cpu_percent", "Load of the whole machine, 0 to 100.", host.cpu_percent),
        ("process_cpu_percent", "zlfeed with its children; 100 is one core.", host.process_cpu_percent),
        ("memory_percent", "Memory of the machine in use.", host.memory_percent),
        ("temperature_celsius", "The processor's temperature.", host.temperature_c),
        ("network_bits_per_second", "What the machine sends and receives.", _times(host.network_mbps, 1e6)),
    ):
        family = GaugeMetricFamily(f"zlfeed_{name}", words)
        if value is not None:
            family.add_metric([], value)
        yield family


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
