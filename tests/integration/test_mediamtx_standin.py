"""MediaMTX's supervision, with a stand-in child that fails in every way it can."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from tests.support.standin_mediamtx import StandIn
from zlfeed.errors import StartError
from zlfeed.publisher.front import _free_tcp
from zlfeed.publisher.mediamtx import progress, server
from zlfeed.publisher.mediamtx.child import MediaMtxProcess
from zlfeed.publisher.mediamtx.config import MediaMtxSettings, Ports
from zlfeed.publisher.mediamtx.locate import locate
from zlfeed.publisher.mediamtx.server import MediaMtx
from zlfeed.retry import backoff

LIMIT_S = 30.0


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience for tests: the same steps, sooner."""
    monkeypatch.setattr(server, "POLL_S", 0.1)
    monkeypatch.setattr(server, "API_TIMEOUT_S", 0.3)
    monkeypatch.setattr(server, "START_S", 1.5)
    monkeypatch.setattr(progress, "STUCK_S", 1.0)


@pytest.fixture
def standin(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path)


def settings() -> MediaMtxSettings:
    """What the front door would ask for, at a free API port."""
    api = _free_tcp(["127.0.0.1"], 0, "")
    return MediaMtxSettings(Ports(None, None, None, api), {"cam": "rtsp://127.0.0.1:1/cam"}, "password", "127.0.0.1")


class Supervised:
    """A supervised stand-in, and what was told of it."""

    def __init__(self, standin: StandIn) -> None:
        self.events: list[tuple[str, str, str]] = []
        frames = itertools.count()
        self.mediamtx = MediaMtx(
            standin.path,
            settings,
            feeding=lambda: {"cam": next(frames)},
            on_event=lambda *event: self.events.append(event),
            on_change=lambda: None,
        )
        self.mediamtx.restarts._new_delays = lambda: backoff(first=0.05, factor=1.0)
        self.mediamtx.restarts.reset()
        self.running = asyncio.ensure_future(self.mediamtx.run())

    async def until(self, condition: Callable[[], object]) -> None:
        """Waits until something has come true."""
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                assert not self.running.done(), self.events
                await asyncio.sleep(0.01)

    async def ready(self) -> int:
        """Waits until it serves; its process id."""
        await self.until(lambda: self.mediamtx.ready)
        assert self.mediamtx.pid
        return self.mediamtx.pid

    async def event(self, code: str) -> str:
        """Waits for an event; its words."""
        await self.until(lambda: any(event[1] == code for event in self.events))
        return next(text for _, found, text in self.events if found == code)


@contextlib.asynccontextmanager
async def supervised(standin: StandIn) -> AsyncIterator[Supervised]:
    """A running one, which leaves nothing behind."""
    it = Supervised(standin)
    try:
        yield it
    finally:
        it.running.cancel()
        async with asyncio.timeout(LIMIT_S):
            await asyncio.gather(it.running, return_exceptions=True)
        folders = [Path(line.split()[-1]).parent for line in standin.starts.read_text().splitlines()]
        assert not [folder for folder in folders if folder.exists()], "a configuration, with its token, was left behind"
        assert not psutil.Process().children(recursive=True)


async def test_it_is_started_watched_and_stopped(standin: StandIn) -> None:
    async with supervised(standin) as it:
        pid = await it.ready()
        await it.until(lambda: it.mediamtx.paths["cam"].bytes_received > 30_000)
        assert it.mediamtx.restarts.state == "running"
    assert not psutil.pid_exists(pid)
    assert it.mediamtx.restarts.total == 0


async def test_one_that_takes_its_time_is_waited_for(standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "START_S", LIMIT_S)
    standin.be("slow")
    async with supervised(standin) as it:
        await it.ready()
    assert standin.count() == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
async def test_one_that_is_killed_is_started_again_and_the_signal_is_named(standin: StandIn, number: int) -> None:
    async with supervised(standin) as it:
        first = await it.ready()
        psutil.Process(first).send_signal(number)
        assert signal.Signals(number).name in await it.event("mediamtx_restarted")
        assert await it.ready() != first


@pytest.mark.parametrize("mode", ["deaf", "garbage", "refuse", "lists"])
async def test_one_whose_api_fails_is_killed_and_started_again(standin: StandIn, mode: str) -> None:
    async with supervised(standin) as it:
        first = await it.ready()
        standin.be(mode)
        assert "its API" in await it.event("mediamtx_restarted")
        standin.be("serve")
        assert await it.ready() != first
        assert not psutil.pid_exists(first)


async def test_one_that_stops_is_killed_and_started_again(standin: StandIn) -> None:
    async with supervised(standin) as it:
        first = await it.ready()
        psutil.Process(first).suspend()
        assert "hangs" in await it.event("mediamtx_restarted")
        await it.until(lambda: it.mediamtx.ready)
        assert not psutil.pid_exists(first)


async def test_one_that_receives_nothing_is_stuck_although_its_api_answers(standin: StandIn) -> None:
    async with supervised(standin) as it:
        await it.ready()
        standin.be("stuck")
        assert "stuck" in await it.event("mediamtx_restarted")


async def test_one_that_receives_nothing_while_nothing_is_sent_is_let_be(standin: StandIn) -> None:
    async with supervised(standin) as it:
        it.mediamtx._feeding = lambda: {"cam": 7}
        await it.ready()
        standin.be("stuck")
        await asyncio.sleep(2 * progress.STUCK_S)
    assert standin.count() == 1


async def test_one_that_cannot_be_asked_because_we_have_no_descriptors_is_let_be(
    standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with supervised(standin) as it:
        await it.ready()
        asked = 0

        async def none_left(*_: object, **__: object) -> None:
            nonlocal asked
            asked += 1
            raise OSError(errno.EMFILE, "Too many open files")

        with monkeypatch.context() as patch:
            patch.setattr(asyncio, "open_connection", none_left)
            await it.until(lambda: asked > 3 * server.API_MISSES)
        before = it.mediamtx.paths["cam"].bytes_received
        await it.until(lambda: it.mediamtx.paths["cam"].bytes_received > before)
        assert it.mediamtx.ready
    assert standin.count() == 1


@pytest.mark.parametrize("mode", ["crash", "hang", "empty"])
async def test_one_that_never_serves_is_given_up_when_its_budget_is_spent(
    standin: StandIn, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "START_S", LIMIT_S if mode == "crash" else 0.5)
    standin.be(mode)
    with capture_logs() as logged:
        async with supervised(standin) as it:
            async with asyncio.timeout(LIMIT_S):
                await it.running
            assert it.mediamtx.restarts.state == "given_up"
    assert standin.count() == server.BUDGET
    (said,) = {line for entry in logged if entry["event"] == "mediamtx_log" for line in entry["lines"]} or {""}
    assert ("it was told to crash" in said) == (mode == "crash")
    level, code, text = it.events[-1]
    assert (level, code) == ("error", "mediamtx_given_up")
    assert {"crash": "it was told to crash", "hang": "hangs", "empty": "no picture to serve"}[mode] in text


async def test_a_flood_of_its_words_neither_blocks_it_nor_fills_our_memory(standin: StandIn) -> None:
    async with supervised(standin) as it:
        pid = await it.ready()
        standin.be("flood")
        before = it.mediamtx.paths["cam"].bytes_received
        ourselves = psutil.Process()
        memory = ourselves.memory_info().rss
        await asyncio.sleep(1.0)
        assert ourselves.memory_info().rss - memory < 20 << 20
        await it.until(lambda: it.mediamtx.paths["cam"].bytes_received > before)
        assert it.mediamtx.pid == pid
        standin.be("serve")


async def test_one_that_ignores_every_request_to_end_is_killed(standin: StandIn) -> None:
    standin.be("stubborn")
    async with supervised(standin) as it:
        pid = await it.ready()
        began = time.monotonic()
    assert time.monotonic() - began < 10
    assert not psutil.pid_exists(pid)


async def test_its_configuration_is_nobody_elses_to_read_and_goes_once_it_was_read(standin: StandIn) -> None:
    async with supervised(standin) as it:
        await it.ready()
        folder_mode, file_mode, file = standin.starts.read_text().split()
        assert (folder_mode, file_mode) == ("700", "600")
        await it.until(lambda: not os.path.exists(file))


async def test_its_last_words_are_kept_without_passwords(standin: StandIn) -> None:
    standin.path.write_text("#!/bin/sh\necho 'INF starting'; echo 'ERR rtsp://viewer:secret@host/x is bad'; exit 3\n")
    process = await MediaMtxProcess.start(standin.path, settings())
    words = await asyncio.wait_for(process.wait(), LIMIT_S)
    await process.stop()
    assert words == "MediaMTX ended with code 3: ERR rtsp://***@host/x is bad"


async def test_a_program_that_cannot_be_run_is_given_up_in_words(standin: StandIn) -> None:
    standin.path.write_text("no program\n")
    async with supervised(standin) as it, asyncio.timeout(LIMIT_S):
        standin.starts.touch()
        await it.running
    assert "cannot be run" in it.events[-1][2]


def test_the_program_asked_for_is_found_with_its_version(standin: StandIn) -> None:
    program = locate(standin.path)
    assert program
    assert (program.path, program.version) == (standin.path, "v1.20.1")


def test_an_older_program_is_refused_with_the_version_that_is_needed(tmp_path: Path) -> None:
    old = StandIn(tmp_path, version="v1.9.3")
    with pytest.raises(StartError, match=r"MediaMTX v1\.9\.3, and 1\.20 or newer is needed"):
        locate(old.path)


@pytest.mark.parametrize(
    ("script", "words"),
    [("#!/bin/sh\necho hello\n", "it is no MediaMTX"), ("#!/bin/sh\nexec sleep 60\n", "did not answer")],
)
def test_a_program_that_is_no_mediamtx_is_refused(
    tmp_path: Path, script: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zlfeed.publisher.mediamtx.locate._TIMEOUT_S", 0.5)
    program = tmp_path / "other"
    program.write_text(script)
    program.chmod(0o755)
    with pytest.raises(StartError, match=words):
        locate(program)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="--mediamtx-path"):
        locate(tmp_path / "nothing")


async def test_what_a_killed_publisher_left_is_swept_away(standin: StandIn) -> None:
    gone = next(pid for pid in range(4_000_000, 4_100_000) if not psutil.pid_exists(pid))
    left = Path(tempfile.gettempdir()) / f"zlfeed-mediamtx-{gone}-x"
    ours = left.with_name(f"zlfeed-mediamtx-{os.getpid()}-x")
    for folder in (left, ours):
        folder.mkdir()
        (folder / "mediamtx.yml").write_text("a token")
    try:
        async with supervised(standin) as it:
            await it.ready()
        assert not left.exists()
        assert (ours / "mediamtx.yml").exists()
    finally:
        for folder in (left, ours):
            shutil.rmtree(folder, ignore_errors=True)
