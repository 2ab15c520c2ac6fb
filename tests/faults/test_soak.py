"""The feed runs for minutes, or for an hour: memory, descriptors and latency stay where they are."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Sequence

import psutil
import pytest

from tests.faults.kit import camera_workers
from tests.support import figures
from tests.support.commands import publishing, receiving
from tests.support.status_tap import StatusTap
from tests.support.watching import Watcher, ffmpeg

WARM_S, MEASURED_S = figures.soak_s()
pytestmark = [pytest.mark.alone, pytest.mark.needs("ffmpeg"), pytest.mark.timeout(WARM_S + MEASURED_S + 300)]
MB = 1 << 20
LONG_S = 1800.0
"""From here on the growth itself says what an hour costs; before it, allocators that still settle say more."""


def slope_an_hour(times: Sequence[float], values: Sequence[float]) -> float:
    """The straight line through the values, by least squares: its rise in an hour."""
    mean_t, mean_v = sum(times) / len(times), sum(values) / len(values)
    above = sum((t - mean_t) * (v - mean_v) for t, v in zip(times, values, strict=True))
    return above / sum((t - mean_t) ** 2 for t in times) * 3600


def ends(values: Sequence[float]) -> tuple[float, float]:
    """The medians of the first and the last tenth."""
    tenth = max(1, len(values) // 10)
    return statistics.median(values[:tenth]), statistics.median(values[-tenth:])


def test_memory_descriptors_and_latency_stay_where_they_are() -> None:
    server = ("--server", "auto" if shutil.which("mediamtx") else "embedded", "--webrtc-port", "0", "--hls-port", "0")
    with publishing(*server, "--size", "320x240") as publisher:
        urls = publisher.line("ready")["urls"]
        with receiving(urls) as receiver, Watcher(ffmpeg(urls["rtsp"])) as viewer, StatusTap(urls["websocket"]) as tap:
            viewer.first()
            receiver.line("second", state="live")
            (camera,) = camera_workers(publisher)
            pids = {"publish": publisher.process.pid, "camera process": camera.pid, "receive": receiver.process.pid}
            processes = {name: psutil.Process(pid) for name, pid in pids.items()}
            memory: dict[str, list[float]] = {name: [] for name in processes}
            descriptors: dict[str, list[int]] = {name: [] for name in processes}
            times: list[float] = []
            latencies: list[float] = []
            began = time.monotonic()
            while time.monotonic() < began + WARM_S + MEASURED_S:
                second = receiver.line("second")
                publisher.line("second")
                tap.heard.clear()  # what the tests keep is not what is measured, but would fill this machine
                viewer.sightings.clear()
                if time.monotonic() < began + WARM_S:
                    continue
                times.append(time.monotonic())
                if second["latency_ms"] is not None:  # a second without a frame has none
                    latencies.append(second["latency_ms"]["p50"])
                for name, process in processes.items():
                    memory[name].append(process.memory_info().rss / MB)
                    descriptors[name].append(process.num_fds())
            assert viewer.alive
            last = viewer.until(lambda sighting: sighting.code, 10)
            assert last.code
            receiver.end()
            summary = receiver.line("summary")
    first_ms, last_ms = ends(latencies)
    grown = {name: last - first for name, (first, last) in ((name, ends(kept)) for name, kept in memory.items())}
    hourly = {name: slope_an_hour(times, values) for name, values in memory.items()}
    figures.record(
        f"soak of {MEASURED_S / 60:.0f} minutes" if MEASURED_S >= 60 else f"soak of {MEASURED_S:.0f} s",
        "; ".join(
            f"{name}: {ends(memory[name])[1]:.1f} MB, {grown[name]:+.1f} MB (by the slope {hourly[name]:+.1f} MB an "
            f"hour), descriptors {descriptors[name][0]} → {descriptors[name][-1]}"
            for name in processes
        )
        + f"; latency p50 {first_ms:.1f} → {last_ms:.1f} ms, worst second {max(latencies):.1f} ms; "
        f"{summary['missed']} of {summary['frames']} frames missed, {summary['reconnects']} reconnects",
    )
    if MEASURED_S >= LONG_S:
        assert all(growth <= 2 for growth in grown.values())
    else:
        assert all(growth < 8 for growth in grown.values())
    assert all(values[-1] <= values[0] + 1 for values in descriptors.values())
    assert last_ms < first_ms + 40
