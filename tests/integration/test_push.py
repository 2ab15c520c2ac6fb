"""Pushing to servers that do as they are told: what is sent, what a refusal costs, what a hang costs."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

import pytest

from tests.support.depacketize import Depacketizer
from tests.support.rtsp_client import sender_report
from zlfeed.errors import StartError
from zlfeed.publisher.push import Push
from zlfeed.publisher.target import Target, parse
from zlfeed.rtsp import recorder
from zlfeed.rtsp.codecs import CODECS
from zlfeed.rtsp.messages import Interleaved, Parser, Request, Response
from zlfeed.rtsp.stream import LiveStream

LIMIT_S = 20.0
KEY, DELTA = b"\0\0\1\x65key", b"\0\0\1\x41delta"

Script = Callable[[Request], Response | None]


def good(request: Request) -> Response:
    """What a willing server answers."""
    session = {"Session": "S1;timeout=60"} if request.method != "OPTIONS" else {}
    transport = {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"} if request.method == "SETUP" else {}
    return Response(200, {"Public": "ANNOUNCE, RECORD", **session, **transport})


@dataclass
class Server:
    """A server that answers by a script; None: it says nothing. `deaf` has it read no more."""

    script: Script = good
    requests: list[Request] = field(default_factory=list)
    reports: int = 0
    pictures: int = 0
    connections: int = 0
    deaf: bool = False
    lossy: bool = False
    """Frames are dropped before they get here: sequence numbers are missing."""
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    port: int = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, until it goes."""
        self.connections += 1
        self.writers.add(writer)
        parser, received = Parser(), Depacketizer("h264")
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                for message in parser.feed(data):
                    if isinstance(message, Request):
                        self._request(message, writer)
                    elif isinstance(message, Interleaved):
                        self._frame(message, received)
                while self.deaf:
                    await asyncio.sleep(0.05)
        writer.close()

    def _request(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self.requests.append(request)
        answer = self.script(request)
        if answer is not None:
            writer.write(Response(answer.status, {"CSeq": request.headers["cseq"], **answer.headers}).encode())

    def _frame(self, message: Interleaved, received: Depacketizer) -> None:
        if message.channel % 2:
            sender_report(message.data)
            self.reports += 1
        elif received.feed(message.data):
            self.pictures += 1
        assert received.gaps == 0 or self.lossy

    def cut(self) -> None:
        """Ends all connections."""
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    @property
    def methods(self) -> list[str]:
        """What was asked, in order."""
        return [request.method for request in self.requests]

    @property
    def target(self) -> Target:
        """Where to push to."""
        return parse(f"rtsp://127.0.0.1:{self.port}/live")


@contextlib.asynccontextmanager
async def listening(script: Script = good) -> AsyncIterator[Server]:
    """A server on a port of its own."""
    server = Server(script)
    listener = await asyncio.start_server(server.connected, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.deaf = False
        server.cut()
        listener.close()
        await asyncio.sleep(0.1)


@dataclass
class Pushing:
    """A push of a stream that moves, and what it said."""

    push: Push
    stream: LiveStream
    task: asyncio.Task[None]
    events: list[tuple[str, str]]
    asked_for_keyframes: list[float]

    def codes(self) -> list[str]:
        """The codes of the events so far."""
        return [code for code, _ in self.events]


@contextlib.asynccontextmanager
async def pushing(target: Target, *, padding: int = 0) -> AsyncIterator[Pushing]:
    """Pushes a stream of 50 frames a second, a keyframe among ten, each with `padding` bytes more."""
    stream = LiveStream("front")
    stream.set_parameters(CODECS["h264"], b"\0\0\1\x67\x42\xc0\x1e\0\0\1\x68\xce")
    asked: list[float] = []
    stream.want_keyframe = lambda: asked.append(time.monotonic())
    events: list[tuple[str, str]] = []
    push = Push(
        target,
        stream,
        framer=lambda unit, channel: unit.interleaved(channel),
        on_event=lambda _level, code, text: events.append((code, text)),
        on_change=lambda: None,
    )

    async def feed() -> None:
        number = 0
        while True:
            now = time.monotonic_ns()
            data = (DELTA if number % 10 else KEY) + b"\x55" * padding
            stream.publish(data, captured_us=time.time_ns() // 1000, captured_ns=now, now=now / 1e9)
            number += 1
            await asyncio.sleep(0.02)

    feeding = asyncio.create_task(feed())
    running = asyncio.create_task(push.run())
    try:
        yield Pushing(push, stream, running, events, asked)
    finally:
        for task in (feeding, running):
            task.cancel()
        await asyncio.gather(feeding, running, return_exceptions=True)
        assert not stream.readers


async def until(true: Callable[[], object], within_s: float = LIMIT_S) -> None:
    """Waits until something has come true."""
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.01)


async def test_frames_and_reports_arrive_from_a_keyframe_on() -> None:
    async with listening() as server, pushing(server.target) as ours:
        await until(lambda: server.pictures > 30 and server.reports > 1)
        assert server.methods == ["OPTIONS", "ANNOUNCE", "SETUP", "RECORD"]
        assert b"m=video" in server.requests[1].body
        assert ours.asked_for_keyframes
        assert ours.push.connected
        assert ours.push.server == "embedded+push"
        assert ours.codes() == ["push_connected"]
    assert server.methods[-1] == "TEARDOWN"


async def test_a_broken_connection_is_made_again() -> None:
    async with listening() as server, pushing(server.target) as ours:
        await until(lambda: server.pictures > 5)
        server.cut()
        await until(lambda: server.connections == 2 and ours.push.connected)
        before = server.pictures
        await until(lambda: server.pictures > before + 5)
        assert ours.codes() == ["push_connected", "push_lost", "push_connected"]
        assert "again, after" in ours.events[-1][1]
        assert len(ours.asked_for_keyframes) == 2


async def test_a_server_that_comes_later_is_waited_for() -> None:
    async with listening() as server:
        target = server.target
    async with pushing(target) as ours:
        await asyncio.wait_for(ours.push.settled.wait(), LIMIT_S)
        assert ours.push.server == "embedded (no push yet)"
        await asyncio.sleep(0.7)
        assert ours.codes() == ["push_lost"], "said once, however often it is tried"
        assert f"nothing listens at 127.0.0.1:{target.port}" in ours.events[0][1]
        assert ours.push.restarts.total >= 2
        # What it says now is for the log, however final it is: others watch the relay.
        allowed = False
        late = Server(lambda request: good(request) if allowed or request.method != "ANNOUNCE" else Response(403))
        listener = await asyncio.start_server(late.connected, "127.0.0.1", target.port)
        try:
            await until(lambda: late.connections >= 2)
            assert "403" in ours.events[-1][1]
            allowed = True
            await until(lambda: late.pictures > 5)
        finally:
            late.cut()
            listener.close()


@pytest.mark.parametrize(
    ("status", "headers"),
    [(403, {}), (404, {}), (405, {}), (461, {}), (401, {"WWW-Authenticate": 'Digest realm="x", nonce="y"'})],
)
async def test_a_refusal_for_good_ends_the_start(status: int, headers: Mapping[str, str]) -> None:
    def script(request: Request) -> Response:
        return Response(status, headers) if request.method == "ANNOUNCE" else good(request)

    async with listening(script) as server, pushing(server.target) as ours:
        with pytest.raises(StartError, match=r"--server rtsp://127\.0\.0\.1:\d+/live cannot be pushed to") as caught:
            await asyncio.wait_for(asyncio.shield(ours.task), LIMIT_S)
        assert "\n" not in str(caught.value)
        assert server.connections == 1
        assert ours.events == []


async def test_a_refusal_that_may_pass_is_asked_again() -> None:
    refusals = iter([400, 503])

    def script(request: Request) -> Response:
        if request.method == "ANNOUNCE" and (status := next(refusals, None)):
            return Response(status)
        return good(request)

    async with listening(script) as server, pushing(server.target):
        await until(lambda: server.pictures > 5)
        assert server.connections == 3


async def test_a_refusal_after_it_went_well_once_is_asked_again() -> None:
    refused = False

    def script(request: Request) -> Response:
        return Response(403) if refused and request.method == "ANNOUNCE" else good(request)

    async with listening(script) as server, pushing(server.target) as ours:
        await until(lambda: server.pictures)
        refused = True
        server.cut()
        await until(lambda: server.connections >= 3)
        assert ours.push.server == "embedded (push lost)"
        refused = False
        await until(lambda: ours.push.connected)


async def test_a_server_that_says_nothing_is_left_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "ANSWER_S", 0.5)
    async with listening(lambda _request: None) as server, pushing(server.target) as ours:
        await until(lambda: server.connections >= 2)
        assert "does not answer" in ours.events[0][1]


async def test_a_server_that_hangs_while_frames_go_out_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "ANSWER_S", 0.5)
    monkeypatch.setattr(recorder, "KEEP_ALIVE_S", 0.5)
    hangs = False

    async with listening(lambda request: None if hangs else good(request)) as server, pushing(server.target) as ours:
        await until(lambda: server.methods.count("OPTIONS") > 3)
        assert server.connections == 1
        hangs = True
        await until(lambda: "push_lost" in ours.codes())
        hangs = False
        await until(lambda: server.connections > 1 and ours.push.connected)


async def test_the_sessions_time_out_sets_the_pace_of_the_keep_alives() -> None:
    def script(request: Request) -> Response:
        return Response(200, {**good(request).headers, "Public": "GET_PARAMETER", "Session": "S1;timeout=2"})

    async with listening(script) as server, pushing(server.target):
        await until(lambda: server.methods.count("GET_PARAMETER") >= 2, 10)
        assert all(r.headers["session"] == "S1" for r in server.requests if r.method == "GET_PARAMETER")


async def test_a_link_that_carries_nothing_costs_frames_and_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """20 MB/s are offered to a server that stops reading."""
    monkeypatch.setattr(recorder, "KEEP_ALIVE_S", 60.0)
    async with listening() as server, pushing(server.target, padding=400_000) as ours:
        await until(lambda: server.pictures > 5)
        server.deaf = server.lossy = True
        await until(lambda: ours.push.frames_dropped > 20)
        (reader,) = ours.stream.readers
        behind = reader._transport.get_write_buffer_size()  # type: ignore[attr-defined]
        assert behind < 16 << 20
        server.deaf = False
        before = server.pictures
        await until(lambda: server.pictures > before + 10)
        assert server.connections == 1
        dropped = ours.push.frames_dropped
        server.cut()
        await until(lambda: server.connections == 2)
        assert ours.push.frames_dropped >= dropped, "the count outlives the connection"


async def test_another_program_at_that_port_is_told_from_a_server() -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    listener = await asyncio.start_server(web, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        async with pushing(parse(f"rtsp://127.0.0.1:{port}/live")) as ours:
            with pytest.raises(StartError, match="does not speak RTSP"):
                await asyncio.wait_for(asyncio.shield(ours.task), LIMIT_S)
    finally:
        listener.close()


async def test_a_name_that_nobody_knows_is_tried_again() -> None:
    async with pushing(parse("rtsp://no-such-host.invalid/live")) as ours:
        await asyncio.wait_for(ours.push.settled.wait(), LIMIT_S)
        assert ours.codes() == ["push_lost"]
        assert "no-such-host.invalid" in ours.events[0][1]
