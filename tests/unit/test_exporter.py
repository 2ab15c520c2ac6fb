"""/metrics and /healthz without sockets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from zlfeed.model import LATENCY_BOUNDS_MS, CameraStatus, Event, Stage, Viewer, ViewerReport
from zlfeed.publisher.operations.exporter import Exporter
from zlfeed.publisher.operations.health import Health
from zlfeed.publisher.operations.latency_histogram import LatencyHistograms
from zlfeed.receiver.figures import buckets

CONTRIB = Path(__file__).parents[2] / "contrib"
STATUS = CameraStatus(
    "front", 0, state="live", fps=29.9, frames_captured=300, frames_sent=299, bytes_sent=5000, encode_ms_avg=2.0,
    encode_ms_max=9.0, frames_dropped={"camera_slow": 3}, stages=[Stage("encode", 2.0, 3.0, 9.0, 1.5)], fps_asked=30.0,
    viewers=[Viewer("1", "a:1", report=ViewerReport(latency_error_ms=0.5)), Viewer("2", "b:1", transport="udp")],
    bitrate_kbps=780.0, bitrate_asked_kbps=800.0, encoder_restarts=2, temperature_c=51.5, cpu_percent=12.0,
    memory_percent=40.0, uptime_s=10.0, network_mbps=0.9, process_cpu_percent=20.0,
)  # fmt: skip


def seconds(*latencies: float) -> ViewerReport:
    """What a viewer reports that had such pictures, ms, in a second."""
    return ViewerReport("front", latency_buckets=buckets(latencies), latency_sum_ms=sum(latencies))


def exported(*statuses: CameraStatus, latencies: LatencyHistograms | None = None) -> dict[str, float]:
    exporter = Exporter(lambda: statuses, latencies or LatencyHistograms(), {"opencv": "4.10"})
    exporter.event(Event(0, "error", "camera_lost", "", "front"))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(exporter)
    text = generate_latest(registry).decode()
    return {
        sample.name + json.dumps(sample.labels, sort_keys=True): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def labels(**names: str) -> str:
    return json.dumps(names, sort_keys=True)


def test_each_figure_has_its_name_unit_and_labels() -> None:
    found = exported(STATUS)
    front = labels(camera="front")
    assert found["zlfeed_fps" + front] == 29.9
    assert found["zlfeed_frames_sent_total" + front] == 299
    assert found["zlfeed_sent_bytes_total" + front] == 5000
    assert found["zlfeed_bitrate_bits_per_second" + front] == 780_000
    assert found["zlfeed_frames_dropped_total" + labels(camera="front", reason="camera_slow")] == 3
    assert found["zlfeed_encode_seconds" + labels(camera="front", statistic="max")] == 0.009
    assert found["zlfeed_stage_seconds" + labels(camera="front", stage="encode", statistic="p50")] == 0.0015
    assert found["zlfeed_restarts_total" + labels(camera="front", part="encoder")] == 2
    assert found["zlfeed_viewers" + labels(camera="front", transport="tcp")] == 1
    assert found["zlfeed_viewers" + labels(camera="front", transport="udp")] == 1
    assert found["zlfeed_clock_error_seconds" + front] == 0.0005
    assert found["zlfeed_state" + labels(camera="front", state="live")] == 1
    assert found["zlfeed_state" + labels(camera="front", state="no_signal")] == 0
    assert found["zlfeed_events_total" + labels(camera="front", level="error", code="camera_lost")] == 1
    assert found["zlfeed_temperature_celsius" + "{}"] == 51.5
    assert any(name.startswith("zlfeed_build_info") and '"opencv": "4.10"' in name for name in found)


def test_what_was_not_measured_is_left_out() -> None:
    found = exported(CameraStatus("front", 0))
    names = {name.partition("{")[0] for name in found}
    assert not names & {
        "zlfeed_fps",
        "zlfeed_temperature_celsius",
        "zlfeed_clock_error_seconds",
        "zlfeed_encode_seconds",
    }
    assert found["zlfeed_frames_sent_total" + labels(camera="front")] == 0


def test_latencies_of_all_viewers_add_up_to_one_histogram() -> None:
    latencies = LatencyHistograms()
    latencies.add(seconds(1.0, 4.0, 5.0))
    latencies.add(seconds(2500.0))
    found = exported(STATUS, latencies=latencies)
    count = {
        bound: found["zlfeed_viewer_latency_seconds_bucket" + labels(camera="front", le=bound)]
        for bound in ("0.002", "0.005", "2.0", "+Inf")
    }
    assert count == {"0.002": 1, "0.005": 3, "2.0": 3, "+Inf": 4}
    assert found["zlfeed_viewer_latency_seconds_sum" + labels(camera="front")] == pytest.approx(2.51)
    assert found["zlfeed_viewer_latency_seconds_count" + labels(camera="front")] == 4


@pytest.mark.parametrize(
    "report",
    [
        ViewerReport("front"),
        ViewerReport("front", latency_buckets=[1], latency_sum_ms=1.0),
        ViewerReport("front", latency_buckets=[1] * 99, latency_sum_ms=1.0),
        ViewerReport("front", latency_buckets=[0] * (len(LATENCY_BOUNDS_MS) + 1), latency_sum_ms=1.0),
        ViewerReport("front", latency_buckets=[1 << 31] * (len(LATENCY_BOUNDS_MS) + 1), latency_sum_ms=1.0),
        ViewerReport("front", latency_buckets=[1] * (len(LATENCY_BOUNDS_MS) + 1), latency_sum_ms=-1.0),
        ViewerReport("front", latency_buckets=[1] * (len(LATENCY_BOUNDS_MS) + 1)),
    ],
)
def test_what_no_viewer_can_have_seen_is_left_out(report: ViewerReport) -> None:
    latencies = LatencyHistograms()
    latencies.add(report)
    assert list(latencies.cumulative()) == []


def test_names_that_anybody_may_send_are_bounded() -> None:
    latencies = LatencyHistograms()
    for number in range(1000):
        latencies.add(ViewerReport(str(number), latency_buckets=buckets([1.0]), latency_sum_ms=1.0))
    assert len(list(latencies.cumulative())) == 64


def test_a_picture_falls_into_the_first_bucket_that_holds_it() -> None:
    assert buckets([]) == []
    assert buckets([-0.5, 2.0, 2.1, 2000.0, 2000.1]) == [2, 1, *[0] * 13, 1, 1]


def test_health_is_frames_of_the_camera_that_advance() -> None:
    health = Health()

    def why(second: float, **fields: object) -> str | None:
        return health.look([CameraStatus("front", 0, fps_asked=30.0, **fields)], second)["front"]  # type: ignore[arg-type]

    assert why(0.0) == "starting"
    assert why(1.0, state="live") == "no frame has come yet"
    assert why(2.0, state="live", frames_captured=30) is None
    assert why(3.0, state="live", frames_captured=60) is None
    assert why(5.5, state="live", frames_captured=60) == "no frame for 2.5 s"
    assert why(6.0, state="no_signal", frames_captured=60, error_message="it was unplugged") == (
        "no signal, a slate is shown: it was unplugged"
    )
    assert why(7.0, state="private", frames_captured=90) == "private, a slate is shown"
    assert why(8.0, state="live", frames_captured=120) is None


def expressions() -> list[str]:
    dashboard = json.loads((CONTRIB / "grafana" / "zlfeed.json").read_text("utf-8"))
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    found += [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
    return found + re.findall(r"expr: (.+)", (CONTRIB / "prometheus" / "zlfeed.rules.yml").read_text("utf-8"))


def test_dashboard_and_alerts_ask_for_figures_that_there_are() -> None:
    latencies = LatencyHistograms()
    latencies.add(seconds(1.0))
    known = {name.partition("{")[0] for name in exported(STATUS, latencies=latencies)}
    asked = {name for expression in expressions() for name in re.findall(r"zlfeed_\w+", expression)}
    assert len(asked) > 12
    assert asked - known == set()
