"""The monitor's health rule on what a real publisher says while the cause of each reason is really there."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from tests.faults.kit import encoders
from tests.support.commands import Running, publishing
from tests.support.lossy_udp import lossy_path
from tests.support.standin_ffmpeg import tapped
from tests.support.status_tap import StatusTap
from zlfeed.model import CameraStatus
from zlfeed.monitor.health import assess
from zlfeed.monitor.limits import Limit, Thresholds

pytestmark = [pytest.mark.needs("ffmpeg"), pytest.mark.timeout(120)]
STRICT = Thresholds(
    fps_share=Limit(3.0, 2.0, low=True),
    latency_ms=Limit(0.01, 0.02),
    cpu_percent=Limit(0.001, 0.002),
    memory_percent=Limit(0.01, 0.02),
)
"""What any machine and any feed is past, so that the figures' own way into the rule is seen."""


FIGURES = {"fps", "latency", "cpu", "memory"}


def codes(status: CameraStatus, limits: Thresholds | None = None) -> set[str]:
    """Why a camera is not well."""
    return {reason.code for reason in assess(status, connected=True, age_s=0.0, limits=limits).reasons}


def test_each_cause_gives_its_reason_and_goes_with_it(tmp_path: Path) -> None:
    """Contact, silence and the camera are in other tests."""
    program, orders = tapped(tmp_path, shutil.which("ffmpeg") or "")
    with publishing("--server", "embedded", "--size", "320x240", "--ffmpeg-path", str(program)) as publisher:
        urls = publisher.line("ready")["urls"]
        port = int(urls["rtsp"].split(":")[2].split("/")[0])
        with lossy_path(port, 0.2) as path, StatusTap(urls["websocket"]) as tap:
            url = f"rtsp://127.0.0.1:{path.port}/zerolatency"
            arguments = ("--transport", "udp", "--headless", "--status-url", urls["websocket"])
            with Running("receive", url, *arguments):
                tap.until(CameraStatus, lambda status: codes(status, STRICT) >= FIGURES, 30)
                tap.until(CameraStatus, lambda status: "loss" in codes(status), 30)
            since = time.monotonic()
            tap.until(CameraStatus, lambda status: "loss" not in codes(status), 30, after=since)

            orders.write_text("without rawvideo")  # none can be started any more
            since = time.monotonic()
            for _ in range(3):  # the spare too, and one that was being started
                for encoder in encoders(publisher):
                    encoder.kill()
                time.sleep(0.3)
            tap.until(CameraStatus, lambda status: "encoder_down" in codes(status), 30, after=since)
            orders.unlink()
            since = time.monotonic()
            # What else is wrong there may be the machine's own: it has other tests to run.
            tap.until(
                CameraStatus,
                lambda status: status.state == "live" and "encoder_down" not in codes(status),
                40,
                after=since,
            )


HOT = """
import pathlib, psutil, types
def sensors():
    return {{"cpu_thermal": [types.SimpleNamespace(current=float(pathlib.Path({file!r}).read_text()))]}}
psutil.sensors_temperatures = sensors
from zlfeed.cli import main; main()
"""
"""A sensor, which machines for tests have none of: its figure is in a file."""


def test_heat_gives_its_reason_and_goes_with_it(tmp_path: Path) -> None:
    sensor = tmp_path / "sensor"

    def is_at(degrees: float) -> None:
        sensor.with_suffix(".new").write_text(str(degrees))
        sensor.with_suffix(".new").replace(sensor)

    def levels(status: CameraStatus) -> list[str]:
        reasons = assess(status, connected=True, age_s=0.0, limits=None).reasons
        return [reason.level for reason in reasons if reason.code == "temperature"]

    is_at(45.0)
    program = ("-c", HOT.format(file=str(sensor)))
    feed = publishing("--server", "embedded", "--size", "320x240", program=program)
    with feed as publisher, StatusTap(publisher.line("ready")["urls"]["websocket"]) as tap:
        for degrees, expected in ((45.0, []), (75.5, ["warn"]), (85.0, ["bad"]), (50.0, [])):
            is_at(degrees)
            _, status = tap.until(CameraStatus, lambda status, d=degrees: status.temperature_c == d, 30)  # type: ignore[misc]
            assert levels(status) == expected
