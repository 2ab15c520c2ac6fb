"""A stand-in for the MediaMTX program, which does as a file says: for what the real one does too seldom.

`python -P standin_mediamtx.py MODE_FILE [--version | CONFIGURATION]`. The mode is read at the start and again while it
runs. Modes: `serve` (an API that tells of a ready path whose bytes grow, and an open RTSP port), `slow` (the same, two
seconds late), `crash` (ends at the start), `die` (ends, from serving), `hang` (runs and opens nothing), `deaf` (the
API takes connections and says nothing), `garbage`, `refuse` (HTTP 500), `lists` (JSON of the wrong shape), `stuck`
(bytes stand still), `empty` (no path is ready), `flood` (serves, and writes its log as fast as it can), `stubborn`
(serves, deaf to SIGINT and SIGTERM).
"""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import stat
import sys
import threading
import time
from pathlib import Path


class StandIn:
    """An executable that behaves like MediaMTX as far as it is told to."""

    def __init__(self, folder: Path, mode: str = "serve", version: str = "v1.20.1") -> None:
        self._mode = folder / "mode"
        self.path = folder / "mediamtx"
        self.starts = folder / "starts"
        """One line for each start: the modes of the configuration's folder and file, and its name."""
        self.path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -S "{__file__}" "{self._mode}" {version} "$@"\n')
        self.path.chmod(self.path.stat().st_mode | stat.S_IXUSR)
        self.be(mode)

    def be(self, mode: str) -> None:
        """Changes what it does, and what one that runs does."""
        new = self._mode.with_suffix(".new")
        new.write_text(mode)
        new.replace(self._mode)

    def count(self) -> int:
        """How often it was started."""
        return len(self.starts.read_text().splitlines()) if self.starts.exists() else 0


def main(mode_file: Path, configuration: Path) -> None:
    """Runs the stand-in."""
    with (mode_file.parent / "starts").open("a") as starts:
        modes = (f"{path.stat().st_mode & 0o777:o}" for path in (configuration.parent, configuration))
        starts.write(f"{' '.join(modes)} {configuration}\n")
    settings = json.loads(configuration.read_text())
    mode = mode_file.read_text()
    if mode == "crash":
        sys.exit("2026/01/01 00:00:00 ERR it was told to crash")
    if mode == "hang":
        threading.Event().wait()
    if mode == "slow":
        time.sleep(2.0)
    if mode == "stubborn":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    rtsp = listening(settings["rtspAddress"])
    api = listening(settings["apiAddress"])
    assert api is not None
    threading.Thread(target=follow, args=(mode_file,), daemon=True).start()
    if rtsp is not None:
        threading.Thread(target=swallow, args=(rtsp,), daemon=True).start()
    received = 0
    while True:
        connection, _ = api.accept()
        mode = mode_file.read_text()
        received += 0 if mode == "stuck" else 10_000
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            if mode == "deaf":
                time.sleep(30)
            connection.sendall(answer(mode, list(settings["paths"]), received))


def listening(address: str) -> socket.socket | None:
    """A listener at HOST:PORT as the configuration has it; None for port 0. Ends the program when it is taken."""
    host, _, port = address.rpartition(":")
    if port == "0":
        return None
    try:
        return socket.create_server((host.strip("[]"), int(port)))
    except OSError as error:
        sys.exit(f"2026/01/01 00:00:00 ERR listen tcp {address}: bind: {error.strerror}")


def swallow(listener: socket.socket) -> None:
    """Takes clients and says nothing to them."""
    held = []
    while True:
        held.append(listener.accept())


def follow(mode_file: Path) -> None:
    """Does what a running program can be told to do."""
    while True:
        match mode_file.read_text():
            case "die":
                signal.raise_signal(signal.SIGSEGV)
            case "flood":
                sys.stdout.write("2026/01/01 00:00:00 WAR there is so much to say\n" * 1000)
                sys.stdout.write("x" * 100_000)
            case _:
                time.sleep(0.02)


def answer(mode: str, paths: list[str], received: int) -> bytes:
    """What the API says."""
    head = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"
    match mode:
        case "garbage":
            return b"\x00\xff garbage" * 1000
        case "refuse":
            return b"HTTP/1.0 500 Internal Server Error\r\n\r\n{}"
        case "lists":
            return head + b'{"items": [7, {"name": "x", "readers": [null, 3]}, {"readers": 5}]}'
        case _:
            items = [
                {
                    "name": name,
                    "available": mode != "empty",
                    "inboundBytes": received,
                    "readers": [{"type": "odd", "id": "1"}],
                }
                for name in paths
            ]
            return head + json.dumps({"items": items}).encode()


if __name__ == "__main__":
    own_mode, own_version, argument = sys.argv[1:]
    if argument == "--version":
        print(own_version)
    else:
        main(Path(own_mode), Path(argument))
