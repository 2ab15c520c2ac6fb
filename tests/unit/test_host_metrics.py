from __future__ import annotations

import subprocess
import sys
import time
from collections import namedtuple
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any, NoReturn

import psutil
import pytest

from zlfeed.model import CameraStatus
from zlfeed.publisher.host_metrics import HostSample, HostSampler, throttle_events


class Host:
    """A machine whose counters a test sets, in psutil's terms."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.cpu = dict.fromkeys(("user", "system", "idle", "iowait", "guest", "guest_nice"), 0.0)
        self.traffic: dict[str, tuple[int, int]] = {}
        self.sensors: dict[str, list[float | None]] = {}
        monkeypatch.setattr("zlfeed.publisher.host_metrics.time", SimpleNamespace(monotonic=lambda: self.now))
        for name in ("cpu_times", "net_io_counters", "net_if_stats", "sensors_temperatures"):
            monkeypatch.setattr(psutil, name, getattr(self, name), raising=False)

    def cpu_times(self) -> Any:
        return namedtuple("Times", self.cpu)(**self.cpu)

    def net_io_counters(self, pernic: bool) -> Any:
        assert pernic
        return {name: SimpleNamespace(bytes_sent=s, bytes_recv=r) for name, (s, r) in self.traffic.items()}

    def net_if_stats(self) -> Any:
        return {name: SimpleNamespace(flags="up,loopback" if name.startswith("lo") else "up") for name in self.traffic}

    def sensors_temperatures(self) -> Any:
        return {chip: [SimpleNamespace(current=t) for t in values] for chip, values in self.sensors.items()}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


def test_the_first_sample_has_no_rates() -> None:
    first = HostSampler().sample()
    assert (first.cpu_percent, first.process_cpu_percent, first.network_mbps) == (None, None, None)
    assert first.memory_total_mb is not None
    assert first.memory_used_mb is not None
    assert 0 < first.memory_used_mb < first.memory_total_mb
    assert first.uptime_s >= 0


def test_its_figures_are_those_of_the_status() -> None:
    assert {field.name for field in fields(HostSample)} <= {field.name for field in fields(CameraStatus)}


def test_this_machines_figures_are_possible() -> None:
    sampler = HostSampler()
    sampler.sample()
    time.sleep(0.3)
    sample = sampler.sample()
    assert sample.cpu_percent is not None
    assert 0 <= sample.cpu_percent <= 100
    assert sample.process_cpu_percent is not None
    assert sample.process_cpu_percent >= 0
    assert sample.network_interface != "lo"


def test_children_of_children_count() -> None:
    burn = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"
    spawn = f"import subprocess, sys\nprint(1, flush=True)\nsubprocess.run([sys.executable, '-c', {burn!r}])"
    sampler = HostSampler()
    sampler.sample()
    parent = subprocess.Popen([sys.executable, "-c", spawn], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        parent.stdout.readline()
        deadline = time.monotonic() + 20
        while (sampler.sample().process_cpu_percent or 0) < 20:
            assert time.monotonic() < deadline
            time.sleep(0.5)
    finally:
        for process in psutil.Process(parent.pid).children(recursive=True):
            process.kill()
        parent.kill()
        parent.wait(10)
        assert parent.stdout is not None
        parent.stdout.close()


def test_cpu_is_busy_time_of_all_time_and_waiting_for_a_disk_is_not_busy(host: Host) -> None:
    sampler = HostSampler()
    sampler.sample()
    host.now += 1
    host.cpu.update(user=0.5, system=0.25, idle=1.0, iowait=0.25, guest=0.5)
    assert sampler.sample().cpu_percent == pytest.approx(100 * 0.75 / 2.0), "guests are in user's time already"


def test_the_busiest_interface_of_late_is_told_and_loopback_is_left_out(host: Host) -> None:
    host.traffic = {"lo": (10**9, 10**9), "eth0": (10**8, 10**8), "wlan0": (0, 0)}
    sampler = HostSampler()
    assert sampler.sample().network_interface == "eth0"
    host.now += 2
    host.traffic = {"lo": (10**10, 10**10), "eth0": (10**8 + 10, 10**8), "wlan0": (500_000, 700_000)}
    sample = sampler.sample()
    assert sample.network_interface == "wlan0"
    assert sample.network_mbps == pytest.approx(2.0)
    host.now += 1
    host.traffic["eth0"] = (10**8 + 1000, 10**8)
    assert sampler.sample().network_interface == "wlan0", "a pause of a second is no reason to change"
    for _ in range(100):
        host.now += 1
        sent, received = host.traffic["eth0"]
        host.traffic["eth0"] = (sent + 125_000, received)
        sample = sampler.sample()
    assert sample.network_interface == "eth0"
    assert sample.network_mbps == pytest.approx(1.0)


def test_with_nothing_but_loopback_the_network_is_unknown(host: Host) -> None:
    host.traffic = {"lo": (5, 5), "Loopback Pseudo-Interface 1": (5, 5)}
    sampler = HostSampler()
    sampler.sample()
    host.now += 1
    sample = sampler.sample()
    assert (sample.network_interface, sample.network_mbps) == (None, None)


def test_an_interface_that_began_anew_has_no_rate_for_a_moment(host: Host) -> None:
    host.traffic = {"eth0": (1000, 1000)}
    sampler = HostSampler()
    sampler.sample()
    host.now += 1
    host.traffic = {"eth0": (10, 10)}
    assert sampler.sample().network_mbps is None


@pytest.mark.parametrize(
    ("sensors", "expected"),
    [
        ({}, None),
        ({"nvme": [40.0]}, None),
        ({"nvme": [70.0], "cpu_thermal": [51.5]}, 51.5),
        ({"coretemp": [48.0, 60.0, None]}, 60.0),
        ({"coretemp": [None]}, None),
    ],
)
def test_temperature_is_the_processors(host: Host, sensors: dict[str, list[float | None]], expected: float) -> None:
    host.sensors = sensors
    assert HostSampler().sample().temperature_c == expected


@pytest.mark.parametrize("error", [OSError, NotImplementedError, AttributeError, psutil.AccessDenied])
def test_what_the_system_does_not_tell_is_unknown(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def refuse(*_args: object, **_options: object) -> NoReturn:
        raise error

    for name in ("cpu_times", "net_io_counters", "net_if_stats", "sensors_temperatures", "virtual_memory"):
        monkeypatch.setattr(psutil, name, refuse, raising=False)
    monkeypatch.setattr(psutil.Process, "children", refuse)
    sampler = HostSampler()
    sampler.sample()
    sample = sampler.sample()
    known = {field.name for field in fields(sample) if getattr(sample, field.name) not in (None, ())}
    assert known == {"uptime_s"}


def test_what_holds_the_machine_back_is_an_event_once() -> None:
    quiet = HostSampler().sample()
    weak = replace(quiet, throttled_now=("under-voltage", "throttled"), throttled_ever=("under-voltage",))
    ((level, code, text),) = throttle_events(quiet, weak)
    assert (level, code) == ("warning", "throttled")
    assert "under-voltage, throttled (the power supply is too weak)" in text
    assert throttle_events(weak, weak) == []
    assert [event[1] for event in throttle_events(weak, quiet)] == ["throttled_over"]
    assert throttle_events(None, quiet) == []
