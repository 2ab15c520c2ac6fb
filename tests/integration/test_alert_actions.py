"""The alert command and the webhook: what they get, and that nothing waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.commands import PUBLISH, Running, publishing
from tests.support.rtsp_client import connected
from tests.support.status_tap import StatusTap
from zlfeed.model import CameraStatus, Event, Hello, ViewerReport
from zlfeed.publisher.alerting import actions as alert_actions
from zlfeed.publisher.alerting.actions import QUEUE_LIMIT, Alerting, as_json, run_command
from zlfeed.publisher.alerting.alerts import Limits
from zlfeed.rtsp.auth import Login, best, challenges

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.skipif(sys.platform == "win32", reason="publish does not run on Windows"),
]

LOST = Event(1_700_000_000_000_000, "error", "camera_lost", 'the camera "front" is gone: $(id) `id`', "front")
LIMIT_S = 20.0


async def run(command: str, timeout_s: float | None = None) -> str | None:
    return await run_command(command, LOST, as_json(LOST), timeout_s)


# ------------------------------------------------------------ the command


async def test_a_command_has_the_event_on_stdin_and_in_its_environment_and_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZLFEED_TOKEN", "a-secret-token")
    command = (
        f'cat > {tmp_path}/in; printf "%s|%s|%s" "$ZLFEED_EVENT_CODE" "$ZLFEED_EVENT_LEVEL" '
        f'"$ZLFEED_EVENT_TEXT$ZLFEED_TOKEN" > {tmp_path}/env; echo noise; echo noise >&2'
    )
    assert await run(command) is None
    event = json.loads((tmp_path / "in").read_text())
    assert event["type"] == "event"
    assert event["publisher"]
    assert (event["code"], event["camera"], event["time_us"]) == ("camera_lost", "front", LOST.time_us)
    assert event["text"] == LOST.text
    assert (tmp_path / "env").read_text() == f"camera_lost|error|{LOST.text}", "as it is: no shell has read it"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("echo first >&2; echo no such bell >&2; exit 3", "it ended with code 3: no such bell"),
        ("no-such-program-here", "no-such-program-here"),
        ("kill -9 $$", "it was killed by SIGKILL"),
        ("'", "it ended with code 2"),
    ],
)
async def test_a_command_that_fails_is_told_in_words(command: str, words: str) -> None:
    assert words in (await run(command) or "")


async def test_a_command_that_reads_nothing_is_no_failure() -> None:
    assert await run("exec <&-; true") is None


async def test_a_command_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    began = time.monotonic()
    words = await run(f"trap '' TERM; sleep 300 & echo $! > {tmp_path}/pid; sleep 300", timeout_s=1.0)
    assert words == "it did not end within 1 s"
    assert time.monotonic() - began < 10
    child = int((tmp_path / "pid").read_text())
    await until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


async def test_a_command_ends_with_those_who_wait_for_it(tmp_path: Path) -> None:
    task = asyncio.create_task(run(f"echo $$ > {tmp_path}/pid; sleep 300"))
    await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


# ------------------------------------------------------------ both, one after another


async def until(condition: Any) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def alerting(**options: Any) -> AsyncIterator[Alerting]:
    made = Alerting(Limits(), statuses=list, on_event=lambda *_: None, **options)
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def event(number: int) -> Event:
    """One that nothing before holds back."""
    return Event(number, "warning", f"code_{number}", "words", "front")


async def test_commands_run_one_at_a_time_and_the_newest_alerts_wait(tmp_path: Path) -> None:
    log = tmp_path / "log"
    begin, end = f"mkdir {tmp_path}/lock || echo twice >> {log}", f"rmdir {tmp_path}/lock"
    command = f'{begin}; sleep 0.1; echo "$ZLFEED_EVENT_CODE" >> {log}; {end}'
    async with alerting(command=command) as alerts:
        began = time.monotonic()
        for number in range(QUEUE_LIMIT + 20):
            alerts.take(event(number))
        alerts.take(Event(1, "info", "control_set", "no alert"))
        assert time.monotonic() - began < 1
        await until(lambda: log.exists() and len(log.read_text().split()) >= 3)
    codes = log.read_text().split()
    assert codes[:2] == ["code_20", "code_21"], "the oldest gave way"
    assert "twice" not in codes


class Hook:
    """A web server that takes alerts."""

    def __init__(self, status: int = 200, delay_s: float = 0.0) -> None:
        self.got: list[tuple[str, str, dict[str, Any]]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
                time.sleep(delay_s)
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Not ours to say."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks/a-secret"


@contextlib.contextmanager
def hook(**options: Any) -> Iterator[Hook]:
    made = Hook(**options)
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
        thread.join(5)


async def test_a_webhook_gets_the_event_as_json() -> None:
    with hook() as there:
        async with alerting(webhook=there.url) as alerts:
            alerts.take(LOST)
            await until(lambda: there.got)
    ((path, kind, body),) = there.got
    assert path == "/hooks/a-secret"
    assert kind.startswith("application/json")
    assert (body["code"], body["text"]) == (LOST.code, LOST.text)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is logged, whatever other tests have done to the log."""
    lines: list[str] = []

    class Log:
        def warning(self, event: str, **values: object) -> None:
            lines.append(f"{event} {values}")

    monkeypatch.setattr(alert_actions, "log", Log())
    return lines


async def test_a_webhook_that_fails_is_a_line_in_the_log_without_its_secret(said: list[str]) -> None:
    with hook(status=500) as there:
        async with alerting(webhook=there.url) as alerts:
            for number in (1, 2):
                alerts.take(event(number))
            await until(lambda: len(said) == 2)
    assert all(line.startswith("alert_webhook_failed ") and "HTTP Error 500" in line for line in said)
    assert "127.0.0.1" in said[0]
    assert "a-secret" not in said[0]


async def test_a_webhook_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    monkeypatch.setattr(alert_actions, "WEBHOOK_S", 0.3)
    with hook(delay_s=2.0) as there:
        async with alerting(webhook=there.url) as alerts:
            for number in range(3):
                alerts.take(event(number))
            await until(lambda: len(said) == 3)
    assert len(there.got) == 3
    assert all("timed out" in line for line in said), said


# ------------------------------------------------------------ a whole publisher


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(path: Path, code: str, within_s: float = 30.0) -> dict[str, Any]:
    """The alert of that code that the command wrote down."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        for line in lines(path):
            if line["code"] == code:
                return line
        time.sleep(0.05)
    raise AssertionError(f"no {code} among {lines(path)}")


def test_a_camera_that_is_lost_rings(tmp_path: Path) -> None:
    told = tmp_path / "told"
    with publishing("--alert-command", f"cat >> {told}; exit 1") as feed:
        feed.line("ready")
        (camera,) = [p for p in feed.processes() if "zlfeed.publisher.camera.worker" in p.cmdline()]
        camera.kill()
        alert = wait_for(told, "camera_lost")
        assert (alert["level"], alert["camera"]) == ("error", "zerolatency")
        feed.line("event", code="camera_back")
        assert "alert_command_failed" in feed.words
        assert feed.end() == 130
        assert feed.left_behind() == []
    assert len(lines(told)) == 1


def test_a_latency_past_its_limit_is_told_once_and_so_is_its_end(tmp_path: Path) -> None:
    told = tmp_path / "told"
    with publishing("--alert-latency", "200", "--alert-command", f"cat >> {told}") as feed:
        urls = feed.line("ready")["urls"]
        with StatusTap(urls["websocket"]) as tap:
            tap.until(CameraStatus, lambda _: True)
            until_s = time.monotonic() + 30
            while not any(line["code"] == "alert_latency" for line in lines(told)):
                assert time.monotonic() < until_s
                tap.send(ViewerReport(latency_p50_ms=300.0, latency_p95_ms=4321.0))
                time.sleep(0.3)
            _, alert = tap.until(Event, lambda event: event.code == "alert_latency")
            assert (alert.level, alert.camera) == ("warning", "zerolatency")
            assert "4321 ms, limit 200 ms" in alert.text
            until_s = time.monotonic() + 40
            while not any(getattr(heard.message, "code", "") == "alert_latency_over" for heard in tap.heard):
                assert time.monotonic() < until_s
                tap.send(ViewerReport(latency_p50_ms=4.0, latency_p95_ms=9.0))
                time.sleep(0.3)
            events = [heard.message.code for heard in tap.heard if isinstance(heard.message, Event)]
        assert events.count("alert_latency") == 1
        assert feed.end() == 130


@pytest.mark.parametrize(
    ("door", "words"),
    [("rtsp", "its password is wrong"), ("websocket", "its status client's token: it is not the right one")],
)
def test_who_is_turned_away_is_told_of_once(tmp_path: Path, door: str, words: str) -> None:
    token = tmp_path / "token"
    token.write_text("the-right-token")
    arguments = [argument for argument in PUBLISH if argument != "--no-auth"]
    with Running(*arguments, "--camera", "test", "--host", "127.0.0.1", "--token-file", str(token)) as feed:
        urls = feed.line("ready")["urls"]
        for _ in range(3):
            if door == "rtsp":
                assert asyncio.run(guessed(urls["rtsp"])) == 401
            else:
                assert asyncio.run(refused(urls["websocket"])) == 4401
        event = feed.line("event", code="viewer_refused")
        assert event["level"] == "warning"
        assert event["text"] == f"127.0.0.1 was turned away: {words}"
        feed.line("second")
        feed.line("second")
        assert sum("viewer_refused" in line for line in feed.out) == 1
        assert feed.end() == 130
    assert "the-right-token" not in feed.words + "".join(feed.out)


async def guessed(url: str) -> int:
    """The status of a DESCRIBE with a wrong password."""
    async with connected(url) as client:
        challenge = best(challenges((await client.ask("DESCRIBE")).headers["www-authenticate"]))
        assert challenge is not None
        answer = Login("viewer", "a-wrong-token").answer(challenge, "DESCRIBE", url)
        return (await client.ask("DESCRIBE", headers={"Authorization": answer})).status


async def refused(url: str) -> int | None:
    """The code with which the status server closes on a wrong token."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed

    from zlfeed.wire.convert import encode

    async with connect(url, compression=None, proxy=None) as connection:
        await connection.send(encode(Hello(token="a-wrong-token")))
        with contextlib.suppress(ConnectionClosed):
            async with asyncio.timeout(LIMIT_S):
                while True:
                    await connection.recv()
        return connection.close_code
