"""The service under a real systemd, in a container of this machine's files."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.systemd_machine import Machine, booted

pytestmark = [pytest.mark.needs("systemd-nspawn", "nsenter"), pytest.mark.timeout(240)]
UNIT = "zlfeed.service"
QUICK = "/run/systemd/system/zlfeed.service.d/quick.conf"
CONFIG = "/etc/zlfeed-test.toml"


def configure(machine: Machine, line: str) -> None:
    """Writes the configuration and has it read."""
    assert machine.run("sh", "-c", f"echo '{line}' > {CONFIG}").returncode == 0
    assert machine.run("systemctl", "reload", "--no-block", UNIT).returncode == 0


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine whose systemd runs the publisher: one camera that is there, and one that is not."""
    with booted() as found:
        assert found.run("sh", "-c", f"echo 'bitrate = \"700k\"' > {CONFIG}").returncode == 0
        # A watchdog that need not be waited for; the rest is as `service install` writes it.
        found.run("sh", "-c", f"mkdir -p $(dirname {QUICK}); printf '[Service]\\nWatchdogSec=8\\n' > {QUICK}")
        options = ("--server", "embedded", "--fps", "10", "--camera", "front=test", "--camera", "side=/dev/video9")
        installed = found.zlfeed("service", "install", "--config", CONFIG, "--", *options)
        assert installed.returncode == 0, installed.stderr + found.journal()
        assert installed.stdout.startswith("zlfeed.service runs, and starts with the machine\n")
        configure(found, 'bitrate = "300k"')  # what comes of it is looked at later: a missing camera takes its time
        yield found


def test_it_is_ready_when_it_can_be_watched(machine: Machine) -> None:
    """systemctl came back just now: what it says is ready is looked at, by a client on that machine."""
    seen = machine.zlfeed("receive", "rtsp://127.0.0.1:8554/front", "--headless", "--json", "--duration", "1.5")
    assert seen.returncode == 0, seen.stderr
    assert json.loads(seen.stdout.splitlines()[-1])["frames"] > 5
    status = json.loads(machine.zlfeed("service", "status", "--json").stdout)
    assert status["running"] is True
    assert status["UnitFileState"] == "enabled"


def test_a_camera_that_is_missing_is_none_of_systemds_business(machine: Machine) -> None:
    machine.until(UNIT, "NRestarts", "0")
    says = machine.shown(UNIT, "StatusText")
    assert says.startswith("front: live"), says
    assert "side: no signal (there is no camera /dev/video9" in says, says


def test_what_it_may_not_it_cannot_and_no_token_is_in_the_journal(machine: Machine) -> None:
    """As an account that systemd made up, with its state folder and no other place to write."""
    pid = machine.shown(UNIT, "MainPID")
    status = machine.run("cat", f"/proc/{pid}/status").stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Uid"].split()[0] not in ("0", "65534")
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"
    assert int(fields["CapBnd"], 16) == 1 << 10, "CAP_NET_BIND_SERVICE"
    token = machine.run("cat", "/var/lib/zlfeed/token").stdout.strip()
    assert len(token) > 20
    assert token not in machine.journal()
    assert machine.run("stat", "-c", "%a", "/var/lib/zlfeed/token").stdout.strip() == "600"


def test_a_reload_keeps_the_process_and_says_what_it_did(machine: Machine) -> None:
    pid = machine.shown(UNIT, "MainPID")
    told(machine, "reloaded", "6", "in force: bitrate 300, on side as soon as it gives a picture")
    configure(machine, "bitrat = 1")
    told(machine, "reload_failed", "3", "did you mean bitrate?")
    assert machine.shown(UNIT, "MainPID") == pid
    assert machine.shown(UNIT, "ActiveState") in ("active", "reloading")
    configure(machine, 'bitrate = "300k"')


def told(machine: Machine, event: str, priority: str, text: str) -> None:
    """Waits for an event in the journal; it has this priority and says this."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for line in machine.journal("--output=json").splitlines():
            entry = json.loads(line)
            if f'"event": "{event}"' in str(entry["MESSAGE"]):
                assert entry["PRIORITY"] == priority
                assert entry["SYSLOG_IDENTIFIER"] == "zlfeed"
                assert text in str(entry["MESSAGE"])
                return
        time.sleep(0.3)
    raise AssertionError(machine.journal())


def test_a_publisher_that_stands_still_is_started_anew(machine: Machine) -> None:
    machine.run("kill", "-STOP", machine.shown(UNIT, "MainPID"))
    machine.until(UNIT, "NRestarts", "1")
    machine.until(UNIT, "SubState", "running")
    assert "Watchdog timeout" in machine.journal()


def test_a_stop_leaves_nothing_and_what_is_taken_away_is_gone(machine: Machine) -> None:
    assert machine.run("systemctl", "stop", UNIT).returncode == 0
    assert machine.shown(UNIT, "Result") == "success"
    assert machine.run("pgrep", "--full", "ffmpeg|publisher").stdout == ""
    assert machine.zlfeed("service", "uninstall").returncode == 0
    assert machine.shown(UNIT, "LoadState") == "not-found"
    assert not Path("/etc/systemd/system", UNIT).exists()


def test_an_account_that_cannot_run_it_is_said_before_anything_is_written(machine: Machine) -> None:
    folder = str(Path(sys.executable).parent)
    machine.run("chmod", "o-x", folder)  # root goes on, others may not pass
    refused = machine.zlfeed("service", "install", "--name", "door", "--", "--camera", "test")
    assert refused.returncode == 2
    assert f"{folder} is closed to others; install zlfeed where it may look" in refused.stderr
    assert machine.run("test", "-e", "/etc/systemd/system/door.service").returncode == 1
