"""Servers that others wrote and streams are pushed to: MediaMTX, and GStreamer's in RECORD mode."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.support.watching import Player

SYSTEM_PYTHON = "/usr/bin/python3"
_GST_PROGRAM = Path(__file__).with_name("gst_record_server.py")
_START_S = 20.0
_OFF = ("api", "metrics", "pprof", "playback", "rtmp", "hls", "webrtc", "srt", "moq")


def free_port() -> int:
    """A TCP port of this machine that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def wait_for_port(port: int, within_s: float = _START_S) -> None:
    """Waits until someone listens there."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, f"nobody listens at port {port}"
            time.sleep(0.02)


class MediaMtxServer:
    """A MediaMTX that anyone may read from, on one port, started and killed as often as wanted.

    `user` may publish, by Digest or Basic as `methods` say; None: everyone may.
    """

    def __init__(self, *, user: tuple[str, str] | None = None, methods: Sequence[str] = ("digest",)) -> None:
        self.port = free_port()
        self._user = user
        self._methods = methods
        self._folder = tempfile.TemporaryDirectory(prefix="zlfeed-test-mtx-")
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, path: str, user: tuple[str, str] | None = None) -> str:
        """The URL of a path."""
        login = f"{user[0]}:{user[1]}@" if user else ""
        return f"rtsp://{login}127.0.0.1:{self.port}/{path}"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        if error is not None:
            error.add_note(f"MediaMTX said:\n{self.words()[-3000:]}")
        self._folder.cleanup()

    def start(self) -> None:
        """Starts it and waits until it listens."""
        publishing = {"permissions": [{"action": "publish"}]}
        reading = {"user": "any", "pass": "", "permissions": [{"action": "read"}]}
        name, password = self._user or ("any", "")
        users = [{"user": name, "pass": password, **publishing}, reading]
        configuration = {
            "logLevel": "info", "logDestinations": ["stdout"], **dict.fromkeys(_OFF, False),
            "rtsp": True, "rtspTransports": ["tcp"], "rtspAddress": f"127.0.0.1:{self.port}",
            "rtspAuthMethods": list(self._methods), "authMethod": "internal", "authInternalUsers": users,
            "paths": {"all_others": {}},
        }  # fmt: skip
        file = Path(self._folder.name) / "mediamtx.yml"
        file.write_text(json.dumps(configuration))
        own = {name: value for name, value in os.environ.items() if not name.startswith(("MTX_", "RTSP_"))}
        with open(self._log(), "ab") as log:
            self._process = subprocess.Popen(
                ["mediamtx", str(file)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=own
            )
        wait_for_port(self.port)

    def _log(self) -> Path:
        return Path(self._folder.name) / "log"

    def words(self) -> str:
        """What it said so far."""
        return self._log().read_text("utf-8", "replace") if self._log().exists() else ""

    def signal(self, number: int) -> None:
        """Sends it a signal."""
        assert self._process
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kills it, if it runs."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait(10)
            self._process = None


def gst_record_server(port: int, *login: str) -> Player:
    """GStreamer's server: what is pushed to its /live is on its stdout, as with a player. Skips where there is none."""
    probe = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    found = (
        Path(SYSTEM_PYTHON).exists()
        and not subprocess.run([SYSTEM_PYTHON, "-c", probe], capture_output=True, check=False, timeout=60).returncode
    )
    if not found:
        words = "needs GStreamer's RTSP server for Python (Debian: gir1.2-gst-rtsp-server-1.0, python3-gi)"
        if os.environ.get("ZLFEED_TEST_REQUIRE_TOOLS") == "1":
            pytest.fail(words)
        pytest.skip(words)
    return Player("GStreamer's server", [SYSTEM_PYTHON, str(_GST_PROGRAM), str(port), *login])
