"""--allow: who is not named finds every door shut, and who is named finds them open."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.commands import Running
from tests.support.netns import PUBLISHER, VIEWER, two_hosts

PUBLISH = ("publish", "--json", "--no-auth", "--host", "0.0.0.0", "--server", "embedded", "--camera", "test")
URL = f"rtsp://{PUBLISHER}:8554/zerolatency"


@pytest.mark.needs("ip", "ffprobe")
def test_only_those_who_are_named_may_come() -> None:
    with two_hosts() as hosts:
        for allowed, may in (("10.9.0.77", False), (f"{VIEWER}/32", True)):
            with Running(*PUBLISH, "--allow", allowed, wrapper=hosts.publisher) as publisher:
                publisher.line("ready")
                probe = subprocess.run(
                    [*hosts.viewer, "ffprobe", "-v", "error", "-timeout", "5000000", URL],
                    capture_output=True, timeout=30, check=False,
                )  # fmt: skip
                monitor = subprocess.run(
                    [*hosts.viewer, sys.executable, "-P", "-m", "zlfeed", "monitor", PUBLISHER, "--once", "--json"],
                    capture_output=True, timeout=30, check=False,
                )  # fmt: skip
                assert (probe.returncode == 0) is may
                assert monitor.returncode == (0 if may else 3), monitor.stderr
                # The machine itself is never shut out.
                own = subprocess.run(
                    [*hosts.publisher, "ffprobe", "-v", "error", "rtsp://127.0.0.1:8554/zerolatency"],
                    capture_output=True, timeout=30, check=False,
                )  # fmt: skip
                assert own.returncode == 0, own.stderr
