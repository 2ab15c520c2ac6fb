from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.integration.status_kit import LIMIT_S, Source, offset_bounds, publisher, until
from zlfeed import status_client
from zlfeed.clock import Estimate, monotonic_us
from zlfeed.errors import StartError
from zlfeed.model import (
    CameraStatus,
    ControlResult,
    Event,
    Hello,
    Ping,
    ServerMessage,
    SetControl,
    Subscribe,
    Welcome,
)
from zlfeed.status_client import LinkState, StatusClient
from zlfeed.wire import zlfeed_pb2
from zlfeed.wire.convert import decode, encode

HOUR_US = 3_600_000_000


class Watch:
    """A client that runs, and everything it told."""

    def __init__(self, url: str, hello: Hello | None = None, subscribe: Subscribe | None = None) -> None:
        self.messages: list[ServerMessage] = []
        self.links: list[LinkState] = []
        self.client = StatusClient(
            url,
            hello or Hello(kind="other"),
            subscribe=subscribe,
            on_message=self.messages.append,
            on_link=self.links.append,
            timeout_s=0.5,
        )

    @property
    def connected(self) -> bool:
        return bool(self.links) and self.links[-1].connected

    def errors(self) -> set[str]:
        return {link.error for link in self.links if link.error}

    def estimate(self) -> Estimate | None:
        return self.client.clock.estimate(monotonic_us())


@contextlib.asynccontextmanager
async def watching(url: str, hello: Hello | None = None, subscribe: Subscribe | None = None) -> AsyncIterator[Watch]:
    watch = Watch(url, hello, subscribe)
    running = asyncio.create_task(watch.client.run())
    try:
        yield watch
    finally:
        running.cancel()
        async with asyncio.timeout(LIMIT_S):
            await asyncio.gather(running, return_exceptions=True)


@contextlib.asynccontextmanager
async def impostor(behave: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    """A WebSocket server that behaves as told; its URL."""
    async with serve(behave, "127.0.0.1", 0, compression=None, close_timeout=0.5) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def url_of(port: int) -> str:
    return f"ws://127.0.0.1:{port}/"


def right(estimate: Estimate | None, ahead_us: int = 0) -> bool:
    """Whether the estimate, with its error, covers the offset that this machine's two clocks really have."""
    least, most = offset_bounds()
    if estimate is None:
        return False
    offset = estimate.offset_us - ahead_us
    return least - estimate.error_us <= offset <= most + estimate.error_us


# ---------------------------------------------------------------- the link


async def test_messages_arrive_and_the_welcome_is_first() -> None:
    async with publisher(Source()) as server, watching(url_of(server.port)) as watch:
        await until(lambda: any(isinstance(message, CameraStatus) for message in watch.messages))
        assert isinstance(watch.messages[0], Welcome)
        assert watch.links[0] == LinkState(url_of(server.port), False, 1, None, None)
        assert watch.links[1] == LinkState(url_of(server.port), True, 0, None, None)
        server.event(Event(1, "info", "test", "something"))
        await until(lambda: Event(1, "info", "test", "something") in watch.messages)


async def test_a_subscription_is_sent_with_the_hello() -> None:
    source = Source([CameraStatus("front", 1), CameraStatus("rear", 1)])
    async with publisher(source) as server, watching(url_of(server.port), subscribe=Subscribe(cameras=("rear",))):
        await until(lambda: [listener.subscribe.cameras for listener in server.hub.listeners] == [("rear",)])


async def test_requests_are_sent_while_there_is_a_connection() -> None:
    async with publisher(Source()) as server, watching(url_of(server.port)) as watch:
        assert not watch.client.send(SetControl("front", "bitrate", "1"))
        await until(lambda: watch.connected)
        assert watch.client.send(SetControl("front", "bitrate", "1", id=6))
        await until(lambda: ControlResult("front", "bitrate", True, "1", id=6) in watch.messages)


async def test_requests_that_cannot_leave_are_refused_after_sixty() -> None:
    async with publisher(Source()) as server, watching(url_of(server.port)) as watch:
        await until(lambda: watch.connected)
        taken = [watch.client.send(Ping(number, 0)) for number in range(100)]
    assert taken.count(True) == status_client.QUEUE_LIMIT
    assert not watch.client.send(Ping(1, 0))


async def test_a_publisher_that_ends_and_comes_back_is_found_again() -> None:
    async with publisher(Source()) as server, watching(url_of(server.port)) as watch:
        await until(lambda: watch.connected and watch.estimate())
        port = server.port
        await server.stop()
        await until(lambda: any("nothing listens" in error for error in watch.errors()))
        waiting = [link for link in watch.links if link.retry_in_s is not None]
        assert "the publisher has ended" in (waiting[0].error or "")
        assert all(0 < (link.retry_in_s or 0) <= 5 for link in waiting)
        assert watch.estimate() is not None, "what was known stays known, with a growing error"
        async with publisher(Source(), port=port):
            await until(lambda: watch.connected)
            assert watch.links[-1].attempt == 0
            await until(lambda: right(watch.estimate()))


async def test_a_first_connection_may_come_late() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    async with watching(url_of(port)) as watch:
        await until(lambda: len([link for link in watch.links if link.retry_in_s is not None]) >= 3)
        assert [link.attempt for link in watch.links[:4]] == [1, 1, 2, 2]
        async with publisher(Source(), port=port):
            await until(lambda: watch.connected)


async def test_an_error_in_a_callback_costs_that_message_only() -> None:
    seen: list[ServerMessage] = []

    def fail_first(message: ServerMessage) -> None:
        seen.append(message)
        if len(seen) == 1:
            raise RuntimeError("not this one")

    def fail(_state: LinkState) -> None:
        raise RuntimeError("never")

    async with publisher(Source()) as server:
        client = StatusClient(url_of(server.port), Hello(), on_message=fail_first, on_link=fail)
        running = asyncio.create_task(client.run())
        await until(lambda: len(seen) > 3)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


# ---------------------------------------------------------------- the clock


async def test_the_publishers_clock_is_known_within_its_error() -> None:
    async with publisher(Source()) as server, watching(url_of(server.port)) as watch:
        await until(watch.estimate)
        assert right(watch.estimate())


async def test_an_hour_between_the_clocks_is_found() -> None:
    ahead = publisher(Source(), wall_us=lambda: time.time_ns() // 1000 + HOUR_US)
    async with ahead as server, watching(url_of(server.port)) as watch:
        await until(watch.estimate)
        assert right(watch.estimate(), HOUR_US)


async def test_a_step_of_the_publishers_clock_is_unknown_and_then_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_client, "PING_INTERVAL_S", 0.2)
    ahead = [0]
    stepping = publisher(Source(), wall_us=lambda: time.time_ns() // 1000 + ahead[0])
    async with stepping as server, watching(url_of(server.port)) as watch:
        await until(watch.estimate)
        ahead[0] = HOUR_US
        estimates: list[Estimate | None] = []

        def found_again() -> bool:
            estimates.append(watch.estimate())
            return right(estimates[-1], HOUR_US)

        await until(found_again)
        assert None in estimates
        assert all(right(known) for known in estimates[: estimates.index(None)])


# ---------------------------------------------------------------- refused


async def ended(url: str, hello: Hello | None = None) -> str:
    """The sentence with which a client gives up."""
    watch = Watch(url, hello)
    with pytest.raises(StartError) as caught:
        async with asyncio.timeout(LIMIT_S):
            await watch.client.run()
    assert watch.links[-1].error == str(caught.value)
    return str(caught.value)


async def test_a_wrong_token_ends_it_and_names_the_options() -> None:
    async with publisher(Source(token="secret")) as server:
        assert "--token-file" in await ended(url_of(server.port), Hello(token="guess"))


async def test_another_version_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with publisher(Source()) as server:
        monkeypatch.setattr("zlfeed.wire.convert.PROTOCOL_VERSION", 2)
        hello = encode(Hello())
        monkeypatch.undo()
        monkeypatch.setattr(status_client, "encode", lambda _message: hello)
        assert "version" in await ended(url_of(server.port))


async def test_a_publisher_of_another_version_ends_it() -> None:
    async def newer(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(zlfeed_pb2.Envelope(version=3).SerializeToString())
        await connection.wait_closed()

    async with impostor(newer) as url:
        assert "version 3" in await ended(url)


# ---------------------------------------------------------------- trouble


async def mute(connection: ServerConnection) -> None:
    await connection.wait_closed()


async def garbage(connection: ServerConnection) -> None:
    await connection.send(b"\xff\xff\xff")
    await connection.wait_closed()


async def text(connection: ServerConnection) -> None:
    await connection.send("hello")
    await connection.wait_closed()


async def event_first(connection: ServerConnection) -> None:
    await connection.send(encode(Event(1, "info", "x", "y")))
    await connection.wait_closed()


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def garbage_later(connection: ServerConnection) -> None:
    await connection.send(encode(Welcome("pi", "0")))
    await connection.send(b"")
    await connection.wait_closed()


async def silent_later(connection: ServerConnection) -> None:
    await connection.send(encode(Welcome("pi", "0")))
    await connection.wait_closed()


async def hangs_up(connection: ServerConnection) -> None:
    connection.transport.abort()


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (mute, "did not welcome us within 0.5 s"),
        (garbage, "no status message"),
        (text, "no status message"),
        (event_first, "did not begin with a Welcome"),
        (echo, "which only clients send"),
        (garbage_later, "no status message"),
        (silent_later, "has said nothing for"),
        (hangs_up, "was lost"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_server_that_is_no_publisher_is_tried_again(
    behave: Callable[[ServerConnection], Awaitable[None]], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_client, "PING_INTERVAL_S", 0.2)
    async with impostor(behave) as url, watching(url) as watch:
        await until(lambda: len([link for link in watch.links if link.retry_in_s is not None]) >= 2)
        assert any(words in error for error in watch.errors()), watch.errors()


async def test_a_body_of_a_newer_publisher_is_passed_over() -> None:
    async def newer(connection: ServerConnection) -> None:
        await connection.send(encode(Welcome("pi", "0")))
        await connection.send(zlfeed_pb2.Envelope(version=1).SerializeToString())
        await connection.send(encode(Event(1, "info", "x", "y")))
        await connection.wait_closed()

    async with impostor(newer) as url, watching(url) as watch:
        await until(lambda: len(watch.messages) == 2)
        assert watch.connected


async def test_a_pong_that_nobody_asked_for_does_not_move_the_clock() -> None:
    async def forger(connection: ServerConnection) -> None:
        await connection.send(encode(Welcome("pi", "0")))
        async for data in connection:
            assert isinstance(data, bytes)
            message = decode(data)
            if isinstance(message, Ping):
                pong = zlfeed_pb2.Pong(id=message.id + 1000, t0_us=message.t0_us, t1_us=5, t2_us=6)
                await connection.send(zlfeed_pb2.Envelope(version=1, pong=pong).SerializeToString())

    async with impostor(forger) as url, watching(url) as watch:
        await until(lambda: len(watch.messages) > 5)
        assert watch.estimate() is None


@contextlib.asynccontextmanager
async def tcp_server(answer: bytes | None) -> AsyncIterator[str]:
    """Something that listens and is no WebSocket server: answers with these bytes, or never."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if answer is not None:
            writer.write(answer)
        else:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield url_of(server.sockets[0].getsockname()[1])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"RTSP/1.0 400 Bad Request\r\n\r\n", "not as a WebSocket server"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP 404"),
        (b"", "not as a WebSocket server"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "is a web server"),
        (b"220 mail.example ESMTP\r\n", "not as a WebSocket server: it says '220 mail.example ESMTP'"),
        (None, "takes connections but says nothing within 0.5 s"),
    ],
)
async def test_other_programs_on_the_port_are_told_apart(answer: bytes | None, words: str) -> None:
    async with tcp_server(answer) as url, watching(url) as watch:
        await until(watch.errors)
        assert words in watch.errors().pop()


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", ": it is an SSH server"),
        (b"SSH-2.0-OpenSSH_9.6", ": it is an SSH server"),  # no whole line, and nothing after it
        (b"\x00\x01\xff\x80", "not as a WebSocket server"),
        (b"\x1b[2J\n", "not as a WebSocket server"),
    ],
)
async def test_a_server_that_speaks_first_and_waits_has_answered(greeting: bytes, words: str) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        with contextlib.suppress(ConnectionError):
            while await reader.read(1024):
                pass
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server, watching(url_of(server.sockets[0].getsockname()[1])) as watch:
        await until(watch.errors)
        (error,) = watch.errors()
    assert error.endswith(words)


async def test_nobody_there_is_said_in_words() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    for host in ("127.0.0.1", "localhost"):
        async with watching(f"ws://{host}:{port}/") as watch:
            await until(lambda watch=watch: watch.errors())  # type: ignore[misc]
            assert watch.errors() == {f"nothing listens at {host}:{port}: is `zlfeed publish` running there?"}


async def test_a_name_that_cannot_be_is_said_in_words() -> None:
    async with watching(f"ws://{'a' * 70}:9000/") as watch:
        await until(watch.errors)
        assert "is not known" in watch.errors().pop()
