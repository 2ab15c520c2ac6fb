"""The systemd unit, as systemd itself reads it, and the command that writes it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from zlfeed.cli import program
from zlfeed.service import app as service_app
from zlfeed.service import unit

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")
TRUE = "/bin/true"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("ZLFEED_CONFIG", "")  # what --config sets is taken back


def zlfeed(*arguments: str) -> Result:
    return CliRunner().invoke(program(), ["service", *arguments])


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("plain", "plain"),
        ("front=/dev/video0", "front=/dev/video0"),
        ("two words", '"two words"'),
        ("100%", "100%%"),
        ("$HOME", "$$HOME"),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("", '""'),
        ("a;b", '"a;b"'),
    ],
)
def test_words_are_quoted_for_systemd(word: str, written: str) -> None:
    assert unit.quoted(word) == written


WISHES = {
    "made up": unit.Wish((TRUE,), False, ["--camera", "test"], groups=["video"]),
    "account": unit.Wish((TRUE,), False, ["--camera", "a b=0"], Path("/etc/z.toml"), "root", Path("/root/state")),
}


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("wish", WISHES.values(), ids=list(WISHES))
def test_systemd_understands_every_line(wish: unit.Wish, tmp_path: Path) -> None:
    path = tmp_path / "zlfeed.service"
    path.write_text(unit.text(wish))
    done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_watches_waits_for_the_camera_and_takes_no_device_away() -> None:
    text = unit.text(WISHES["account"])
    assert "Type=notify\n" in text
    assert 'ExecStart=/bin/true publish --wait-camera --config /etc/z.toml --camera "a b=0"\n' in text
    assert f"WatchdogSec={unit.WATCHDOG_S}\n" in text
    assert "User=root\n" in text
    assert "ReadWritePaths=-/root/state\n" in text
    assert "PrivateDevices" not in text
    assert "ProtectClock=" not in text
    assert "DynamicUser" not in text
    assert "StateDirectory=zlfeed\n" in unit.text(WISHES["made up"])


def test_a_users_own_service_has_what_a_users_manager_can_do() -> None:
    text = unit.text(unit.Wish((TRUE,), True))
    assert "WantedBy=default.target" in text
    assert "NoNewPrivileges=yes" in text
    assert not any(word in text for word in ("User=", "ProtectSystem", "CapabilityBoundingSet", "network-online"))


def test_a_dry_run_shows_the_unit_and_changes_nothing(tmp_path: Path) -> None:
    result = zlfeed("install", "--user", "--dry-run", "--name", "door", "--", "--camera", "test")
    assert result.exit_code == 0
    assert result.stdout.endswith("WantedBy=default.target\n")
    assert "publish --wait-camera --camera test\n" in result.stdout
    assert "door.service" in result.stderr
    assert "systemctl --user enable door.service" in result.stderr
    assert not (tmp_path / "config").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["install", "--user", "--", "--token", "secret-word"], "--token in a unit can be read by everyone"),
        (["install", "--user", "--", "--token=secret-word"], "--token in a unit can be read by everyone"),
        (["install", "--user", "--", "--bitrat", "3"], "No such option: --bitrat"),
        (["install", "--user", "--", "--bitrate", "much"], "bitrate"),
        (["install", "--name", "a/b"], "--name 'a/b'"),
        (["install", "--run-as", "nobody-of-that-name", "--dry-run"], "there is no user 'nobody-of-that-name'"),
        (["install", "--user", "--run-as", "root"], "--run-as is for a service of the machine"),
        (["install", "--user", "--config", "none.toml"], "there is no file none.toml"),
        (["uninstall", "--user"], "there is no service zlfeed"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(arguments: list[str], words: str) -> None:
    result = zlfeed(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "secret-word" not in result.output + result.stderr


def test_a_status_of_none_is_said() -> None:
    result = zlfeed("status", "--user")
    assert result.exit_code == 3
    assert "`zlfeed service install` makes one" in result.stderr


SYSTEMCTL = """#!/bin/sh
echo "$@" >> calls
case "$*" in
  *show*)
    printf 'ActiveState=%s\\nSubState=running\\nUnitFileState=enabled\\nNRestarts=2\\n' "$STATE"
    printf 'StatusText=front: live\\nMainPID=7\\nResult=success\\n' ;;
  *restart*) [ "$STATE" = active ] || { echo "Job for zlfeed.service failed." >&2; exit 1; } ;;
esac
"""


def test_it_is_installed_looked_at_and_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemctl is a stand-in here, which records: tests have no service manager of their own."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("STATE", "active")
    assert zlfeed("install", "--user").exit_code == 0
    path = service_app.path_of("zlfeed", user=True)
    assert path.is_relative_to(tmp_path)
    assert path.read_text() == unit.text(unit.Wish((sys.executable, "-P", "-m", "zlfeed"), True))
    shown = zlfeed("status", "--user")
    assert (shown.exit_code, shown.stdout) == (
        0, "zlfeed.service: active (running), enabled, PID 7, started again 2 times\nfront: live\n",
    )  # fmt: skip
    assert json.loads(zlfeed("status", "--user", "--json").stdout)["running"] is True
    monkeypatch.setenv("STATE", "failed")
    assert zlfeed("status", "--user").exit_code == 3
    shutil.copy("/bin/true", program.with_name("journalctl"))
    failed = zlfeed("install", "--user")
    assert failed.exit_code == 3
    assert failed.stderr == (
        f"zlfeed: {path} is written, but `systemctl --user restart zlfeed.service` failed: "
        "Job for zlfeed.service failed.\n"
    )
    program.with_name("journalctl").write_text("#!/bin/sh\necho 'zlfeed: port 8554 is taken'\necho; echo ' '\n")
    said = zlfeed("install", "--user").stderr
    assert said == f"zlfeed: {path} is written, but it says: zlfeed: port 8554 is taken\n"
    assert zlfeed("uninstall", "--user").exit_code == 0
    assert not path.exists()
    assert Path("calls").read_text().splitlines()[:3] == [
        "--user daemon-reload", "--user enable zlfeed.service", "--user restart zlfeed.service",
    ]  # fmt: skip


def test_a_machine_without_systemd_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = zlfeed("install", "--user")
    assert result.exit_code == 3
    assert "there is no systemctl here: this machine does not run systemd" in result.stderr
