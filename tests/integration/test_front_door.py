"""Who has the public port: MediaMTX (a stand-in here), or the relay in its place, at the same URL."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from tests.support.rtsp_client import RtspClient, connected
from tests.support.standin_mediamtx import StandIn
from zlfeed.errors import PortError, StartError
from zlfeed.publisher import front
from zlfeed.publisher.controls.definitions import Refused
from zlfeed.publisher.front import DoorSettings, FrontDoor, Topology, choose
from zlfeed.publisher.mediamtx import server
from zlfeed.publisher.mediamtx.locate import Program
from zlfeed.rtsp.codecs import CODECS
from zlfeed.rtsp.server import Relay
from zlfeed.rtsp.stream import LiveStream

LIMIT_S = 30.0
HOST = "127.0.0.1"
SETS = b"\0\0\1\x67\x42\xc0\x1e\0\0\1\x68\xce"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience for tests: the same steps, sooner."""
    monkeypatch.setattr(server, "POLL_S", 0.1)
    monkeypatch.setattr(server, "API_TIMEOUT_S", 0.3)
    monkeypatch.setattr(front, "TRIAL_S", 0.5)
    monkeypatch.setattr(front, "RETRY_S", 0.5)
    monkeypatch.setattr(front, "PATIENCE_S", 1.0)


@pytest.fixture
def standin(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path)


class Door:
    """An open front door with one stream behind it, and what was told of it."""

    def __init__(self, topology: Topology, standin: StandIn, rtsp_port: int = 0) -> None:
        self.events: list[tuple[str, str, str]] = []
        self.relay = Relay()
        self.stream = LiveStream("cam")
        self.stream.set_parameters(CODECS["h264"], SETS)
        self.relay.streams["cam"] = self.stream
        frames = itertools.count()
        settings = DoorSettings(topology, [HOST], rtsp_port, 0, 0, Program(standin.path, "v1.20.1"))
        self.front = FrontDoor(
            settings,
            self.relay,
            feeding=lambda: {"cam": next(frames)},
            on_event=lambda *event: self.events.append(event),
            on_change=lambda: None,
        )

    @property
    def url(self) -> str:
        return self.front.urls(HOST, "cam")["rtsp"]

    async def feed(self) -> None:
        """A keyframe fifty times a second."""
        while True:
            now_ns = time.monotonic_ns()
            self.stream.publish(
                b"\0\0\1\x65\x88\x84picture", captured_us=time.time_ns() // 1000, captured_ns=now_ns, now=now_ns / 1e9
            )
            await asyncio.sleep(0.02)

    def codes(self) -> list[str]:
        return [code for _, code, _ in self.events]

    async def until(self, condition: Callable[[], object]) -> None:
        """Waits until something has come true."""
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                await asyncio.sleep(0.01)

    async def watch(self) -> RtspClient:
        """A viewer that has opened the URL anew and seen a picture."""
        client = await self._stack.enter_async_context(connected(self.url))
        await client.play()
        await client.picture()
        return client

    async def __aenter__(self) -> Door:
        self._stack = contextlib.AsyncExitStack()
        self.front.bind()
        self._tasks = [asyncio.ensure_future(task) for task in (self.feed(), self.front.run(), self.relay.run())]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        for task in self._tasks:
            task.cancel()
        async with asyncio.timeout(LIMIT_S):
            results = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.relay.close()
        assert all(isinstance(result, asyncio.CancelledError) for result in results), results
        assert not psutil.Process().children(recursive=True)


@contextlib.asynccontextmanager
async def classic(standin: StandIn) -> AsyncIterator[Door]:
    """The classic topology, MediaMTX serving."""
    async with Door("classic", standin) as door:
        await door.front.opened()
        yield door


async def test_beside_the_relay_mediamtx_may_come_and_go(standin: StandIn) -> None:
    async with Door("beside", standin) as door:
        await door.front.opened()
        assert set(door.front.urls(HOST, "cam")) == {"rtsp", "webrtc", "hls"}
        viewer = await door.watch()
        standin.be("crash")
        assert door.front.mediamtx
        assert door.front.mediamtx.pid
        psutil.Process(door.front.mediamtx.pid).kill()
        await door.until(lambda: "mediamtx_given_up" in door.codes())
        assert set(door.front.urls(HOST, "cam")) == {"rtsp"}
        assert door.front.server == "embedded+mediamtx"
        standin.be("serve")
        await door.until(lambda: "webrtc" in door.front.urls(HOST, "cam"))
        await viewer.pictures(3)
        assert viewer.received.gaps == 0


async def test_in_the_classic_topology_mediamtx_has_the_public_port(standin: StandIn) -> None:
    async with classic(standin) as door:
        assert door.front.server == "mediamtx"
        assert door.relay.port == 0
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(door.watch(), 0.5)  # the stand-in takes clients and says nothing


@pytest.mark.parametrize("mode", ["crash", "hang"])
async def test_the_relay_stands_in_at_the_same_url_when_mediamtx_does_not_come_back(
    standin: StandIn, mode: str
) -> None:
    async with classic(standin) as door:
        url = door.url
        standin.be(mode)
        assert door.front.mediamtx
        assert door.front.mediamtx.pid
        psutil.Process(door.front.mediamtx.pid).kill()
        await door.until(lambda: "fallback" in door.codes())
        assert door.front.server == "embedded (fallback)"
        assert door.front.urls(HOST, "cam") == {"rtsp": url}
        await door.watch()


async def test_the_relay_stands_in_for_one_that_never_comes_to_serve(
    standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "START_S", 1.0)
    standin.be("hang")
    async with Door("classic", standin) as door:
        await asyncio.wait_for(door.front.opened(), LIMIT_S)
        assert door.codes()[-2:] == ["mediamtx_given_up", "fallback"]
        await door.watch()


async def test_the_relay_stands_in_when_a_stopped_mediamtx_does_not_come_back(standin: StandIn) -> None:
    async with classic(standin) as door:
        standin.be("hang")
        assert door.front.mediamtx
        assert door.front.mediamtx.pid
        psutil.Process(door.front.mediamtx.pid).suspend()
        await door.until(lambda: "fallback" in door.codes())
        await door.watch()


async def test_mediamtx_gets_the_port_back_when_it_has_held_and_sessions_live_on(standin: StandIn) -> None:
    async with classic(standin) as door:
        url = door.url
        standin.be("die")
        await door.until(lambda: "fallback" in door.codes())
        viewer = await door.watch()
        await asyncio.sleep(1.0)  # some attempts on spare ports, which fail
        assert "mediamtx_back" not in door.codes()
        standin.be("serve")
        await door.until(lambda: door.front.server == "mediamtx" and "webrtc" in door.front.urls(HOST, "cam"))
        assert door.url == url
        assert door.codes()[-2:] == ["mediamtx_back", "mediamtx_ready"]
        await viewer.pictures(3)
        assert viewer.received.gaps == 0


async def test_the_relay_goes_on_when_there_are_no_ports_for_a_trial(
    standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with classic(standin) as door:
        standin.be("crash")
        assert door.front.mediamtx
        assert door.front.mediamtx.pid
        psutil.Process(door.front.mediamtx.pid).kill()
        await door.until(lambda: "fallback" in door.codes())
        tried = 0

        def none_left(*_: object) -> int:
            nonlocal tried
            tried += 1
            raise PortError("cannot listen: Too many open files")

        monkeypatch.setattr(front, "_free_tcp", none_left)
        await door.until(lambda: tried >= 2)
        await door.watch()
        assert door.codes()[-1] == "fallback"


async def test_someone_who_asks_has_it_back_at_once(standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "TRIAL_S", 3600.0)
    async with classic(standin) as door:
        standin.be("die")
        await door.until(lambda: "fallback" in door.codes())
        standin.be("serve")
        await door.front.retry_mediamtx()
        assert door.codes()[-1] == "mediamtx_ready"
        assert door.front.server == "mediamtx"
        with pytest.raises(Refused, match="not given up"):
            await door.front.retry_mediamtx()


async def test_who_asks_for_one_that_does_not_come_hears_so_and_the_relay_stands_in(
    standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "TRIAL_S", 3600.0)
    async with classic(standin) as door:
        standin.be("die")
        await door.until(lambda: "fallback" in door.codes())
        standin.be("crash")
        with pytest.raises(Refused, match="given up again"):
            await door.front.retry_mediamtx()
        await door.until(lambda: door.codes().count("fallback") == 2)
        await door.watch()


async def test_beside_the_relay_one_that_was_given_up_is_tried_when_someone_asks(
    standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "RETRY_S", 3600.0)
    standin.be("crash")
    async with Door("beside", standin) as door:
        await door.until(lambda: "mediamtx_given_up" in door.codes())
        standin.be("serve")
        await door.front.retry_mediamtx()
        assert "webrtc" in door.front.urls(HOST, "cam")


async def test_a_port_that_another_program_took_meanwhile_is_waited_for(standin: StandIn) -> None:
    async with classic(standin) as door:
        port = int(door.url.split(":")[2].split("/")[0])
        standin.be("crash")
        assert door.front.mediamtx
        assert door.front.mediamtx.pid
        psutil.Process(door.front.mediamtx.pid).kill()
        await door.until(lambda: not door.front.mediamtx or not door.front.mediamtx.ready)
        async with asyncio.timeout(LIMIT_S):
            while True:
                with contextlib.suppress(OSError):
                    thief = socket.create_server((HOST, port))
                    break
                await asyncio.sleep(0.01)
        with thief:
            await door.until(lambda: "fallback_failed" in door.codes())
            told = next(text for _, code, text in door.events if code == "fallback_failed")
            assert f"port {port} is taken" in told
        await door.until(lambda: "fallback" in door.codes())
        await door.watch()


async def test_a_taken_port_ends_the_start_of_the_classic_topology(standin: StandIn) -> None:
    with socket.create_server((HOST, 0)) as taken:
        door = Door("classic", standin, taken.getsockname()[1])
        with pytest.raises(PortError, match="--rtsp-port"):
            door.front.bind()
        await door.relay.close()


def test_the_server_option_chooses_the_topology(standin: StandIn) -> None:
    assert choose("embedded", standin.path) == ("embedded", None)
    assert choose("auto", standin.path)[0] == "beside"
    assert choose("mediamtx", standin.path)[0] == "classic"


def test_one_that_is_too_old_is_left_out_by_auto_and_passed_over_for_the_one_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "path").mkdir()
    (tmp_path / "data").mkdir()
    old = StandIn(tmp_path / "path", version="v1.9.3")
    monkeypatch.setenv("PATH", str(old.path.parent))
    monkeypatch.setattr("zlfeed.publisher.mediamtx.locate.data_folder", lambda: tmp_path / "data")
    assert choose("auto", None) == ("embedded", None)
    for asked in (("mediamtx", None), ("auto", old.path)):
        with pytest.raises(StartError, match=r"1\.20 or newer is needed"):
            choose(*asked)
    new = StandIn(tmp_path / "data")
    assert choose("auto", None) == ("beside", Program(new.path, "v1.20.1"))


def test_without_mediamtx_auto_is_the_relay_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("zlfeed.publisher.mediamtx.locate.data_folder", lambda: tmp_path)
    assert choose("auto", None) == ("embedded", None)
