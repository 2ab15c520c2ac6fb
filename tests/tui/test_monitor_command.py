"""`zlfeed monitor` as a process, against a real status server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.tui.scenes import EVENTS, NOW_S, NOW_US, URL, Scripted, healthy, history, status, urls, welcome
from zlfeed.model import (
    CameraInfo,
    CameraStatus,
    ControlResult,
    Event,
    Hello,
    Role,
    ServerMessage,
    SetControl,
    Thumbnail,
    ViewerReport,
    WebrtcOffer,
    Welcome,
)
from zlfeed.monitor.plain import describe, to_json
from zlfeed.monitor.state import MonitorState
from zlfeed.publisher.mediamtx.whep import Call, refused
from zlfeed.publisher.status.server import StatusServer
from zlfeed.wire.close import CloseCode

LIMIT_S = 40.0


@dataclass
class Publisher:
    """A status source with scripted figures and the present time."""

    token: str = ""
    cameras: list[str] = field(default_factory=lambda: ["front"])
    changes: dict[str, object] = field(default_factory=dict)

    def welcome(self, local_host: str) -> Welcome:
        now = time.time_ns() // 1000
        infos = tuple(CameraInfo(camera, urls(local_host)) for camera in self.cameras)
        aged = [replace(p, time_us=p.time_us - NOW_US + now) for camera in self.cameras for p in history(camera)]
        return replace(welcome(), cameras=infos, time_us=now, history=tuple(aged), events=EVENTS)

    def statuses(self) -> list[CameraStatus]:
        return [status(camera, time_us=time.time_ns() // 1000, **self.changes) for camera in self.cameras]

    async def set_control(self, request: SetControl, tell: Callable[[ServerMessage], None]) -> ControlResult:
        return ControlResult(request.camera, request.name, False, None, "nothing can be set here", request.id)

    async def thumbnail(self, camera: str, width: int) -> Thumbnail | None:
        return None

    async def call(self, offer: WebrtcOffer, remote_host: str) -> Call:
        return refused(offer, "there is no WebRTC here")

    def viewer_report(self, report: ViewerReport, remote_host: str) -> None:
        pass

    def role(self, hello: Hello, remote_host: str) -> Role | None:
        return "control" if not self.token or hello.token == self.token else None


@contextlib.asynccontextmanager
async def publishing(source: Publisher, port: int = 0) -> AsyncIterator[StatusServer]:
    """A status server on this machine, on a free port when none is named."""
    server = StatusServer(source, ["127.0.0.1"], port)
    await server.start()
    for event in EVENTS:
        server.event(event)
    running = asyncio.create_task(server.run())
    try:
        yield server
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await server.stop()


async def monitor(*arguments: str) -> tuple[int, str, str]:
    """Runs the command to its end: exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "zlfeed", "monitor", *arguments,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(LIMIT_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    assert "Traceback" not in err.decode()
    return process.returncode, out.decode(), err.decode()


async def test_once_prints_every_camera_for_people() -> None:
    async with publishing(Publisher(cameras=["front", "back"])) as server:
        code, out, err = await monitor(f"127.0.0.1:{server.port}", "--once")
    assert (code, err) == (0, "")
    assert "front on pi-garage: live, healthy" in out
    assert "back on pi-garage" in out
    for words in ("30.0 of 30 fps", "p50 4.2, p95 8.1, max 12.3 ms, ± 0.3 ms", "787 kbit/s", "52.1 °C", "wlan0"):
        assert words in out
    assert "rtsp://127.0.0.1:8554/zerolatency" in out


async def test_once_with_json_is_one_line_a_camera() -> None:
    async with publishing(Publisher(cameras=["front", "back"])) as server:
        code, out, _ = await monitor(f"ws://127.0.0.1:{server.port}/", "--once", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["camera"] for line in lines] == ["front", "back"]
    assert all(line_text.startswith('{"type":"status"') for line_text in out.splitlines())
    assert lines[0]["latency_ms"]["p95"] == 8.1
    assert lines[0]["error_message"] is None


async def test_json_goes_on_until_the_duration_ends() -> None:
    async with publishing(Publisher()) as server:
        code, out, _ = await monitor(f"127.0.0.1:{server.port}", "--json", "--duration", "2.5")
    lines = [json.loads(line) for line in out.splitlines()]
    kinds = [line["type"] for line in lines]
    assert code == 0
    assert kinds[0] == "link"
    assert kinds.count("event") == len(EVENTS)
    assert kinds.count("status") >= 2
    assert [line["connected"] for line in lines if line["type"] == "link"] == [False, True]
    assert all(line["url"].endswith(f":{server.port}/") for line in lines)


async def follower(port: int) -> asyncio.subprocess.Process:
    """`monitor --json` once it has printed its first line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "zlfeed", "monitor", f"127.0.0.1:{port}", "--json",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(LIMIT_S):
        await process.stdout.readline()
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_json_ends_in_order_by_a_signal(number: int, code: int) -> None:
    async with publishing(Publisher()) as server:
        process = await follower(server.port)
        process.send_signal(number)
        async with asyncio.timeout(LIMIT_S):
            _, err = await process.communicate()
    assert (process.returncode, err) == (code, b"")


async def test_json_ends_quietly_when_nobody_reads_on() -> None:
    async with publishing(Publisher()) as server:
        line = f"{sys.executable} -m zlfeed monitor 127.0.0.1:{server.port} --json | head -n 2"
        shell = await asyncio.create_subprocess_shell(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        async with asyncio.timeout(LIMIT_S):
            out, err = await shell.communicate()
    assert (len(out.splitlines()), err) == (2, b"")


async def test_a_publisher_that_does_not_answer_is_a_sentence_in_time() -> None:
    async with publishing(Publisher()) as server:
        port = server.port
    code, out, err = await monitor(f"127.0.0.1:{port}", "--once")
    assert (code, out) == (3, "")
    assert err == f"zlfeed: nothing listens at 127.0.0.1:{port}: is `zlfeed publish` running there?\n"


async def test_of_several_publishers_those_that_answer_are_shown() -> None:
    async with publishing(Publisher()) as gone:
        dead = gone.port
    async with publishing(Publisher()) as server:
        code, out, err = await monitor(f"127.0.0.1:{server.port}", f"127.0.0.1:{dead}", "--once")
    assert code == 3
    assert "front on pi-garage" in out
    assert f"127.0.0.1:{dead}" in err


@pytest.mark.parametrize("options", [["--once"], ["--json"], ["--once", "--json"]])
async def test_a_wrong_token_is_a_sentence(options: list[str]) -> None:
    async with publishing(Publisher(token="the-right-one")) as server:
        code, _, err = await monitor(f"127.0.0.1:{server.port}", *options, "--token", "a-wrong-one")
    assert code == 3
    assert "refuses the token" in err


async def test_the_token_comes_from_a_file(tmp_path: object) -> None:
    from pathlib import Path

    file = Path(str(tmp_path)) / "token"
    file.write_text("the-right-one\n")
    async with publishing(Publisher(token="the-right-one")) as server:
        code, _, _ = await monitor(f"127.0.0.1:{server.port}", "--once", "--token-file", str(file))
    assert code == 0


async def test_another_protocol_version_is_a_sentence() -> None:
    async def other(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.close(CloseCode.OTHER_VERSION, "version 9 is spoken here")

    async with serve(other, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        code, _, err = await monitor(f"127.0.0.1:{port}", "--once")
    assert code == 3
    assert "another version" in err


async def test_a_server_that_sends_garbage_is_a_sentence() -> None:
    async def garbage(connection: ServerConnection) -> None:
        await connection.send(b"\xff\x00 this is no envelope")
        await connection.wait_closed()

    async with serve(garbage, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        code, _, err = await monitor(f"127.0.0.1:{port}", "--once")
    assert code == 3
    assert "no zlfeed publisher" in err


async def test_without_a_terminal_it_says_what_to_do() -> None:
    code, _, err = await monitor("127.0.0.1")
    assert code == 2
    assert err == "zlfeed: the monitor needs a terminal: without one use --once, or --json for programs\n"


@pytest.mark.parametrize("target", ["two words", "http://host/", "host:99999", "ws://user:secret@host/", ""])
async def test_nonsense_for_a_target_is_a_sentence(target: str) -> None:
    code, _, err = await monitor(target, "--once")
    assert code == 2
    assert err.startswith("zlfeed: ")
    assert "secret" not in err


async def test_unknown_figures_are_null_and_infinite_ones_too() -> None:
    line = json.loads(to_json("status", status(fps=float("nan"), cpu_percent=float("inf"), gop=None), URL))
    assert (line["fps"], line["cpu_percent"], line["gop"]) == (None, None, None)
    assert list(line)[:3] == ["type", "url", "camera"]


def test_text_names_the_reasons_and_what_nobody_measured() -> None:
    state = healthy()
    state.on_message(URL, status(temperature_c=82.0, latency_ms=None, viewers=()), NOW_S)
    shown = "\n".join(describe(Scripted(state).snapshot().cameras[0]))
    assert "live, trouble" in shown
    assert "temperature 82.0 °C, limit 80.0 °C" in shown
    assert "unknown, no viewer reports one" in shown


def test_text_of_a_camera_that_has_said_nothing() -> None:
    state = MonitorState([URL])
    state.on_message(URL, welcome(events=(Event(NOW_US, "info", "x", "y"),)), NOW_S)
    assert describe(Scripted(state).snapshot().cameras[0])[0].endswith("waiting")


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import zlfeed.monitor.run, zlfeed.monitor.plain", {"textual", "cv2", "numpy"}),
        ("import zlfeed.monitor.run, zlfeed.monitor.app", {"cv2", "numpy"}),
    ],
)
def test_nothing_is_imported_that_is_not_needed(code: str, unwanted: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True, text=True, timeout=LIMIT_S, check=True,
    )  # fmt: skip
    assert not unwanted & set(done.stdout.split())
