"""The feed runs for minutes: memory, descriptors and latency stay where they are."""

from __future__ import annotations

import time
from collections.abc import Sequence

import psutil
import pytest

from tests.support import figures
from tests.support.commands import publishing, receiving
from tests.support.status_tap import StatusTap
from tests.support.watching import Watcher, ffmpeg
from zlfeed.metrics import percentile

pytestmark = [pytest.mark.needs("ffmpeg"), pytest.mark.timeout(900)]
MB = 1 << 20


def slope_an_hour(times: Sequence[float], values: Sequence[float]) -> float:
    """The straight line through the values, by least squares: its rise in an hour."""
    mean_t, mean_v = sum(times) / len(times), sum(values) / len(values)
    above = sum((t - mean_t) * (v - mean_v) for t, v in zip(times, values, strict=True))
    return above / sum((t - mean_t) ** 2 for t in times) * 3600


def test_memory_descriptors_and_latency_stay_where_they_are() -> None:
    warm_s, measured_s = (60, 300) if figures.wanted() else (8, 22)
    with publishing("--server", "embedded", "--size", "320x240") as publisher:
        urls = publisher.line("ready")["urls"]
        with receiving(urls) as receiver, Watcher(ffmpeg(urls["rtsp"])) as viewer, StatusTap(urls["websocket"]):
            viewer.first()
            receiver.line("second", state="live")
            processes = {"publish": publisher.process.pid, "receive": receiver.process.pid}
            memory: dict[str, list[float]] = {name: [] for name in processes}
            descriptors: dict[str, list[int]] = {name: [] for name in processes}
            times: list[float] = []
            latencies: list[float] = []
            began = time.monotonic()
            while time.monotonic() < began + warm_s + measured_s:
                second = receiver.line("second")
                publisher.line("second")
                if time.monotonic() < began + warm_s:
                    continue
                times.append(time.monotonic())
                if second["latency_ms"] is not None:  # a second without a frame has none
                    latencies.append(second["latency_ms"]["p50"])
                for name, pid in processes.items():
                    process = psutil.Process(pid)
                    memory[name].append(process.memory_info().rss / MB)
                    descriptors[name].append(process.num_fds())
            third = len(latencies) // 3
            first, last = percentile(latencies[:third], 50), percentile(latencies[-third:], 50)
            assert first is not None
            assert last is not None
            grown = {name: values[-1] - values[0] for name, values in memory.items()}
            hourly = {name: slope_an_hour(times, values) for name, values in memory.items()}
            figures.record(
                f"soak of {measured_s / 60:.0f} minutes" if measured_s >= 60 else f"soak of {measured_s} s",
                "; ".join(
                    f"{name}: {memory[name][-1]:.0f} MB, {grown[name]:+.1f} MB (by the slope {hourly[name]:+.1f} MB an "
                    f"hour), descriptors {descriptors[name][0]} → {descriptors[name][-1]}"
                    for name in processes
                )
                + f"; latency p50 {first:.1f} → {last:.1f} ms",
            )
            assert all(growth < 8 for growth in grown.values())
            assert all(values[-1] <= values[0] + 1 for values in descriptors.values())
            assert last < first + 40
            assert viewer.alive
