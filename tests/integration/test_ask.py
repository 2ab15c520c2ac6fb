"""A token that is asked for on a terminal, when the publisher wants one and none is known."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

from tests.support.commands import Running

TOKEN = "a-token-that-is-typed"
LIMIT_S = 30.0


def until(terminal: int, words: bytes) -> bytes:
    """What the terminal shows up to these words."""
    shown, deadline = b"", time.monotonic() + LIMIT_S
    while words not in shown:
        assert time.monotonic() < deadline, shown
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 4096)
    return shown


def test_a_token_is_asked_for_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    door = ("--host", "127.0.0.1", "--server", "embedded", "--rtsp-port", "0", "--websocket-port", "0")
    with Running("publish", "--json", "--camera", "test", "--token-file", str(file), *door) as publisher:
        urls = publisher.line("ready")["urls"]
        ours, its = pty.openpty()
        command = [
            "receive",
            urls["rtsp"],
            "--status-url",
            urls["websocket"],
            "--headless",
            "--json",
            "--duration",
            "3",
        ]
        viewer = Running(*command)
        receiver = subprocess.Popen(
            [sys.executable, "-P", "-m", "zlfeed", *command],
            stdin=its, stdout=subprocess.PIPE, stderr=its, env=viewer.env, cwd=tmp_path, text=True,
            start_new_session=True,
        )  # fmt: skip
        try:
            until(ours, b"token of the publisher at 127.0.0.1: ")
            os.write(ours, TOKEN.encode() + b"\n")
            out, _ = receiver.communicate(timeout=LIMIT_S)
            os.write(its, b"<end>")
            shown = until(ours, b"<end>")
        finally:
            viewer.close()
            os.close(ours)
            os.close(its)
    summary = json.loads(out.splitlines()[-1])
    assert (receiver.returncode, summary["type"]) == (0, "summary")
    assert summary["frames"] > 0
    assert summary["latency_ms"] is not None
    assert TOKEN.encode() not in shown
