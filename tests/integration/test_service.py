"""A publisher as a service: what it tells its manager over a real socket, and a reload by SIGHUP."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import Running, publishing

WATCHDOG_S = 4.0


class Manager:
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.heard: list[str] = []

    def until(self, state: str, within_s: float = 30.0) -> str:
        """The rest of the next message that begins with this state."""
        deadline = time.monotonic() + within_s
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            first, _, rest = self.socket.recv(8192).decode().partition("\n")
            self.heard.append(first)
            if first == state:
                return rest
        raise AssertionError(f"no {state} within {within_s:g} s, only {self.heard}")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Manager, Path]]:
    """A publisher that a manager watches, with the folder of its zlfeed.toml."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "zlfeed.toml").write_text('bitrate = "800k"\n')
    manager = Manager(folder / "notify")
    env = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": f"{WATCHDOG_S * 1e6:.0f}"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with publishing("--metrics-port", port, cwd=folder, env=env) as publisher:
            said = publisher.line("event", code="metrics_unavailable")["text"]
            assert f"port {port} is taken" in said, "the feed comes without its figures"
            try:
                yield publisher, manager, folder
            finally:
                manager.socket.close()


def test_it_is_ready_once_it_can_be_watched_and_then_alive(service: tuple[Running, Manager, Path]) -> None:
    publisher, manager, _ = service
    assert manager.until("READY=1").startswith("STATUS=zerolatency: live")
    publisher.line("ready")
    assert "STATUS=zerolatency: live" in manager.until("WATCHDOG=1", WATCHDOG_S)
    manager.until("WATCHDOG=1", WATCHDOG_S)


def test_sighup_takes_what_can_be_taken_and_names_the_rest(service: tuple[Running, Manager, Path]) -> None:
    publisher, manager, folder = service
    (folder / "zlfeed.toml").write_text(
        'bitrate = "300k"\nno_overlay = true\nalert_latency = 80\nlog_level = "warning"\nstream_name = "door"\n'
    )
    publisher.process.send_signal(signal.SIGHUP)
    manager.until("RELOADING=1")
    manager.until("READY=1")
    said = publisher.line("event", code="reloaded")
    assert said["level"] == "warning"
    assert said["text"] == (
        "the configuration was read again; in force: alerts, log level warning, bitrate 300, overlay off; "
        "only after a restart: stream_name"
    )
    assert publisher.line("second", bitrate_asked_kbps=300.0)["encoder_restarts"] == 0


def test_a_wrong_file_changes_nothing_and_is_said(service: tuple[Running, Manager, Path]) -> None:
    publisher, manager, folder = service
    (folder / "zlfeed.toml").write_text('bitrat = "2M"\n')
    publisher.process.send_signal(signal.SIGHUP)
    manager.until("READY=1")
    said = publisher.line("event", code="reload_failed")
    assert said["text"] == (
        "nothing is changed: zlfeed.toml, line 1: there is no setting 'bitrat': did you mean bitrate?"
    )
    assert publisher.line("second")["bitrate_asked_kbps"] == 300.0


def test_it_says_that_it_ends(service: tuple[Running, Manager, Path]) -> None:
    publisher, manager, _ = service
    publisher.process.terminate()
    manager.until("STOPPING=1")
    assert publisher.wait() == 143
    assert publisher.left_behind() == []
