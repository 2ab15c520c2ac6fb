"""How the machine is that runs the publisher: processor, memory, network, temperature. Measured, or None.

A sample took 1.9 ms with 80 processes on the machine (two x86 cores); two thirds of it is finding our children, and
grows with their number. So it is taken in a thread: beside frames, the event loop has no such time to give.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import psutil

from zlfeed.pi import ThrottleReader

T = TypeVar("T")

CPU_SENSORS = ("cpu_thermal", "cpu-thermal", "coretemp", "k10temp", "zenpower", "soc_thermal", "soc-thermal")
"""Chips that are the processor's, best first. Others (drives, radios) would answer another question."""
TRAFFIC_MEMORY = 0.9
"""What an interface's traffic still counts a sample later: the busiest one is that of about the last ten samples."""


@dataclass(frozen=True, slots=True)
class HostSample:
    """The machine over the time since the sample before; the fields are CameraStatus's. MB are 2²⁰ bytes."""

    cpu_percent: float | None
    process_cpu_percent: float | None
    memory_percent: float | None
    memory_used_mb: float | None
    memory_total_mb: float | None
    network_mbps: float | None
    network_interface: str | None
    temperature_c: float | None
    uptime_s: float
    throttled_now: Sequence[str]
    throttled_ever: Sequence[str]
    """Since the machine was started. Only a Raspberry Pi tells; none elsewhere."""


@dataclass(frozen=True, slots=True)
class _Counters:
    at: float
    busy_s: float | None
    all_s: float | None
    process_s: dict[tuple[int, float], float] | None
    traffic: dict[str, tuple[int, int]] | None  # interface → bytes sent, bytes received


class HostSampler:
    """Takes samples, once a second or so, from one thread. Rates of the first one are None."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._process = psutil.Process()
        self._throttle = ThrottleReader()
        self._before: _Counters | None = None
        self._busyness: dict[str, float] = {}

    def sample(self) -> HostSample:
        """The figures now."""
        before, now = self._before, self._read()
        self._before = now
        elapsed = now.at - before.at if before else 0.0
        memory = _measured(psutil.virtual_memory)
        throttling = self._throttle.read()
        interface = self._busiest(before, now)
        return HostSample(
            cpu_percent=_machine_percent(before, now) if before else None,
            process_cpu_percent=_process_percent(before, now, elapsed) if before else None,
            memory_percent=memory.percent if memory else None,
            memory_used_mb=memory.used / 2**20 if memory else None,
            memory_total_mb=memory.total / 2**20 if memory else None,
            network_mbps=_sent_mbps(before, now, interface, elapsed) if before else None,
            network_interface=interface,
            temperature_c=_measured(_temperature),
            uptime_s=now.at - self._started,
            throttled_now=throttling.now if throttling else (),
            throttled_ever=throttling.ever if throttling else (),
        )

    def _read(self) -> _Counters:
        busy_s, all_s = _measured(_machine_times) or (None, None)
        return _Counters(time.monotonic(), busy_s, all_s, _measured(self._process_times), _measured(_traffic))

    def _process_times(self) -> dict[tuple[int, float], float]:
        """Processor seconds of this process and of all below it, by pid and start: a pid may be used again."""
        times = {}
        for process in (self._process, *self._process.children(recursive=True)):
            try:
                used = process.cpu_times()
                times[process.pid, process.create_time()] = used.user + used.system
            except psutil.Error:
                continue  # it ended while we looked
        return times

    def _busiest(self, before: _Counters | None, now: _Counters) -> str | None:
        """The interface that carried most of late; before anything is known of late, most since the machine started."""
        if not now.traffic:
            return None
        earlier = before.traffic if before and before.traffic else {}
        for name, (sent, received) in now.traffic.items():
            was_sent, was_received = earlier.get(name, (sent, received))
            lately = max(0, sent - was_sent) + max(0, received - was_received)
            self._busyness[name] = TRAFFIC_MEMORY * self._busyness.get(name, 0.0) + lately
        traffic = now.traffic
        self._busyness = {name: self._busyness[name] for name in traffic}
        return max(traffic, key=lambda name: (self._busyness[name], sum(traffic[name])))


def _measured(read: Callable[[], T]) -> T | None:
    """What `read` gives, None where this system does not tell."""
    try:
        return read()
    except (OSError, psutil.Error, NotImplementedError, AttributeError):
        return None


def _machine_times() -> tuple[float, float]:
    """Busy and all processor seconds of the machine. Linux counts guests' time in user and nice already."""
    times = psutil.cpu_times()._asdict()
    everything = sum(times.values()) - times.get("guest", 0.0) - times.get("guest_nice", 0.0)
    return everything - times["idle"] - times.get("iowait", 0.0), everything


def _machine_percent(before: _Counters, now: _Counters) -> float | None:
    if before.busy_s is None or before.all_s is None or now.busy_s is None or now.all_s is None:
        return None
    elapsed = now.all_s - before.all_s
    return min(100.0, max(0.0, 100 * (now.busy_s - before.busy_s) / elapsed)) if elapsed > 0 else None


def _process_percent(before: _Counters, now: _Counters, elapsed: float) -> float | None:
    """100 is one core. A child that began since counts from its start; one that ended since counts no more."""
    if before.process_s is None or now.process_s is None or elapsed <= 0:
        return None
    used = sum(seconds - before.process_s.get(key, 0.0) for key, seconds in now.process_s.items())
    return max(0.0, 100 * used / elapsed)


def _traffic() -> dict[str, tuple[int, int]]:
    """Bytes sent and received by interface, loopback left out."""
    states = psutil.net_if_stats()
    return {
        name: (counters.bytes_sent, counters.bytes_recv)
        for name, counters in psutil.net_io_counters(pernic=True).items()
        if not _is_loopback(name, states[name].flags if name in states else "")
    }


def _is_loopback(name: str, flags: str) -> bool:
    """By its flags; Windows has none of them, and names it instead."""
    return "loopback" in flags.split(",") or name == "lo" or name.startswith("Loopback")


def _sent_mbps(before: _Counters, now: _Counters, interface: str | None, elapsed: float) -> float | None:
    if interface is None or now.traffic is None or before.traffic is None or interface not in before.traffic:
        return None
    sent = now.traffic[interface][0] - before.traffic[interface][0]
    return sent * 8 / 1e6 / elapsed if elapsed > 0 and sent >= 0 else None


def _temperature() -> float | None:
    """The processor's, °C, its hottest sensor."""
    chips = psutil.sensors_temperatures()
    for chip in CPU_SENSORS:
        readings = [sensor.current for sensor in chips.get(chip, ()) if sensor.current]
        if readings:
            return max(readings)
    return None


def throttle_events(before: HostSample | None, now: HostSample) -> list[tuple[str, str, str]]:
    """The events (level, code, text) for what holds the processor back since this sample, or does no more."""
    held = now.throttled_now
    was = before.throttled_now if before else ()
    begun, over = [word for word in held if word not in was], [word for word in was if word not in held]
    events = []
    if begun:
        cure = " (the power supply is too weak)" if "under-voltage" in begun else ""
        events.append(("warning", "throttled", f"the Raspberry Pi is held back: {', '.join(begun)}{cure}"))
    if over and not held:
        events.append(("info", "throttled_over", f"the Raspberry Pi is held back no more ({', '.join(over)})"))
    return events
