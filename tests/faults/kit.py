"""What the fault tests share: a publisher's own children, told apart."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

from tests.support.commands import Running

BUSY = 60
"""Frames that a viewer may miss for the load of a machine that has much else to do; without it there are none."""
_WORKER = "zlfeed.publisher.camera.worker"


def children(publisher: Running, name: str) -> list[psutil.Process]:
    """The publisher's children of that name, oldest first."""
    found = []
    for child in psutil.Process(publisher.process.pid).children(recursive=True):
        try:
            if child.name() == name and child.status() != psutil.STATUS_ZOMBIE:
                found.append((child.create_time(), child.pid, child))
        except psutil.NoSuchProcess:
            continue
    return [child for *_, child in sorted(found, key=lambda entry: entry[:2])]


def encoders(publisher: Running) -> list[psutil.Process]:
    """Its FFmpegs: one camera has one at work and a warm spare."""
    return children(publisher, "ffmpeg")


def at_work(publisher: Running) -> psutil.Process:
    """The FFmpeg that is being fed; the spare reads nothing."""
    before = {encoder: encoder.io_counters().read_chars for encoder in encoders(publisher)}
    time.sleep(0.15)
    return max(before, key=lambda encoder: encoder.io_counters().read_chars - before[encoder])


def camera_workers(publisher: Running) -> list[psutil.Process]:
    """Its camera processes, in the order of their start."""
    return [child for child in children(publisher, "python") if _WORKER in child.cmdline()]


def wait_until(condition: Callable[[], object], within_s: float = 20.0) -> float:
    """Waits until something has come true; when that was, monotonic s."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"did not come true within {within_s:g} s"
        time.sleep(0.01)
    return time.monotonic()
