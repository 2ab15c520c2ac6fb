from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import threading
from dataclasses import replace

import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from tests.integration.status_kit import LIMIT_S, Source, client, http, publisher, until
from zlfeed import gate
from zlfeed.errors import PortError
from zlfeed.model import (
    CameraStatus,
    ControlResult,
    Event,
    Hello,
    Ping,
    Pong,
    SetControl,
    Subscribe,
    Viewer,
    ViewerReport,
    Welcome,
)
from zlfeed.publisher.status import server as status_server
from zlfeed.publisher.status import session as status_session
from zlfeed.publisher.status.outbox import LIMIT
from zlfeed.publisher.status.server import StatusServer
from zlfeed.wire import zlfeed_pb2
from zlfeed.wire.close import CloseCode

EVENT = Event(1, "warning", "camera_lost", "the camera is gone", "front")
OTHER_VERSION = zlfeed_pb2.Envelope(version=9, hello=zlfeed_pb2.Hello()).SerializeToString()
UNKNOWN_BODY = zlfeed_pb2.Envelope(version=1).SerializeToString() + b"\x9a\x06\x02hi"


@pytest.fixture
def _only_on_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing by the clock: what comes, comes because something changed."""
    monkeypatch.setattr(status_server, "INTERVAL_S", 3600.0)


# ---------------------------------------------------------------- coming in


async def test_a_client_is_welcomed_and_told_at_once() -> None:
    source = Source([CameraStatus("front", 1), CameraStatus("rear", 1)])
    async with publisher(source) as server, client(server) as someone:
        welcome = await someone.next()
        assert isinstance(welcome, Welcome)
        assert [camera.camera for camera in welcome.cameras] == ["front", "rear"]
        assert welcome.cameras[0].urls == {"rtsp": "rtsp://127.0.0.1:8554/zerolatency"}
        assert [type(await someone.next()) for _ in range(2)] == [CameraStatus, CameraStatus]


async def test_who_comes_late_gets_history_and_events() -> None:
    source = Source([CameraStatus("front", 7, fps=30.0)])
    async with publisher(source) as server:
        server.event(EVENT)
        await until(lambda: server.hub.history.points and server.hub.history.events)
        async with client(server) as someone:
            welcome = await someone.next()
    assert isinstance(welcome, Welcome)
    assert (welcome.history[0].camera, welcome.history[0].fps) == ("front", 30.0)
    assert welcome.events == (EVENT,)


async def test_events_from_before_the_start_are_kept() -> None:
    server = StatusServer(Source(), ["127.0.0.1"], 0)
    server.event(EVENT)
    server.touch()
    await server.start()
    async with client(server) as someone:
        welcome = await someone.next()
    await server.stop()
    assert isinstance(welcome, Welcome)
    assert welcome.events == (EVENT,)


async def test_without_a_hello_the_door_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_session, "HELLO_TIME_S", 0.2)
    async with publisher(Source()) as server, client(server, hello=None) as someone:
        code, words = await someone.closed()
    assert code == CloseCode.POLICY
    assert "no Hello" in words


@pytest.mark.parametrize(("token", "words"), [("wrong", "not the right one"), ("", "one is needed")])
async def test_a_wrong_token_is_told(token: str, words: str) -> None:
    async with publisher(Source(token="secret")) as server, client(server, Hello(token=token)) as someone:
        code, reason = await someone.closed()
        assert not server.hub.listeners
    assert code == CloseCode.BAD_TOKEN
    assert words in reason


async def test_nobody_comes_in_when_the_token_cannot_be_checked() -> None:
    async with publisher(Source(broken={"role"})) as server, client(server) as someone:
        assert (await someone.closed())[0] == CloseCode.FAILED


async def test_who_may_only_look_is_told_so_and_sets_nothing() -> None:
    async with publisher(Source(token="main-token", readonly_token="look-token")) as server:
        async with client(server, Hello(token="main-token")) as someone:
            assert (await someone.find(Welcome)).role == "control"
            await someone.send(SetControl("front", "bitrate", "500000", 3))
            assert (await someone.find(ControlResult)).ok
        async with client(server, Hello(token="look-token")) as someone:
            assert (await someone.find(Welcome)).role == "view"
            # A second Hello changes no role.
            await someone.send(Hello(token="main-token"))
            await someone.send(SetControl("front", "bitrate", "500000", 4))
            result = await someone.find(ControlResult)
            assert (result.ok, result.id) == (False, 4)
            assert "may only look" in result.text


async def test_a_token_that_is_changed_sends_away_who_came_by_it_and_nobody_else() -> None:
    source = Source(token="main-token", readonly_token="look-token")
    async with (
        publisher(source) as server,
        client(server, Hello(token="main-token")) as someone,
        client(server, Hello(token="look-token")) as looker,
    ):
        await someone.find(Welcome)
        await looker.find(Welcome)
        source.token = "other-token"
        await server.end_stale()
        assert await someone.closed() == (CloseCode.BAD_TOKEN, "it has been changed")
        await looker.find(CameraStatus)


async def test_who_guesses_waits_for_a_turn_and_where_many_wait_the_next_is_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "FIRST_S", 0.05)

    async def outcome(server: StatusServer) -> int:
        """0 for a welcome, else why not."""
        async with client(server, Hello(token="main-token")) as someone:
            try:
                assert isinstance(await someone.next(), Welcome)
            except ConnectionClosed:
                return (await someone.closed())[0]
            return 0

    async with publisher(Source(token="main-token")) as server:
        for _ in range(gate.FREE + 1):
            async with client(server, Hello(token="guess-token")) as someone:
                assert (await someone.closed())[0] == CloseCode.BAD_TOKEN
        outcomes = await asyncio.gather(*(outcome(server) for _ in range(12)))
        assert 0 < outcomes.count(0) < 12
        assert outcomes.count(CloseCode.TRY_LATER) == 12 - outcomes.count(0)


@pytest.mark.parametrize(
    ("first", "code"),
    [
        (OTHER_VERSION, CloseCode.OTHER_VERSION),
        (UNKNOWN_BODY, CloseCode.POLICY),
        (Ping(1, 1), CloseCode.POLICY),
        (b"", CloseCode.GARBAGE),
        (b"\xff" * 100, CloseCode.GARBAGE),
        ("hello", CloseCode.GARBAGE),
        (Welcome("no", "client"), CloseCode.GARBAGE),
    ],
    ids=["version", "unknown", "ping", "empty", "garbage", "text", "welcome"],
)
async def test_a_first_message_that_is_no_hello(first: bytes | str | Ping | Welcome, code: CloseCode) -> None:
    async with publisher(Source()) as server, client(server, hello=None) as someone:
        await someone.send(first)
        got, words = await someone.closed()
        assert got == code
        assert words
        assert server.hub.garbage == (code == CloseCode.GARBAGE)


async def test_there_is_an_end_to_how_many_clients_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_server, "MAX_CLIENTS", 3)
    async with publisher(Source()) as server, contextlib.AsyncExitStack() as stack:
        inside = [await stack.enter_async_context(client(server)) for _ in range(3)]
        for someone in inside:
            await someone.next()
        async with client(server) as late:
            code, words = await late.closed()
        assert code == CloseCode.TRY_LATER
        assert "try again later" in words
        await inside[0].connection.close()
        await until(lambda: len(server.hub.listeners) == 2)
        async with client(server) as later:
            assert isinstance(await later.next(), Welcome)


# ---------------------------------------------------------------- being told


async def test_status_comes_once_a_second() -> None:
    async with publisher(Source()) as server, client(server) as someone:
        await someone.find(CameraStatus)
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(3):
            await someone.find(CameraStatus)
        assert 1.5 < loop.time() - began < LIMIT_S


@pytest.mark.usefixtures("_only_on_change")
async def test_a_change_that_is_not_a_counter_comes_at_once() -> None:
    source = Source()
    async with publisher(source) as server, client(server) as someone:
        await someone.find(CameraStatus)
        watched = replace(source.cameras[0], viewers=(Viewer("a", "127.0.0.1:5"),))
        for changed in (watched, replace(watched, state="no_signal", error_message="gone")):
            source.cameras = [changed]
            server.touch()
            assert await someone.find(CameraStatus) == changed


@pytest.mark.usefixtures("_only_on_change")
async def test_a_counter_alone_sends_nothing() -> None:
    source = Source()
    async with publisher(source) as server, client(server) as someone:
        await someone.find(CameraStatus)
        for frames in range(5):
            source.cameras = [replace(source.cameras[0], frames_captured=frames)]
            asked = source.asked
            server.touch()
            await until(functools.partial(lambda before: source.asked > before, asked))
        source.cameras = [replace(source.cameras[0], state="stopped")]
        server.touch()
        assert (await someone.find(CameraStatus)).state == "stopped"


@pytest.mark.usefixtures("_only_on_change")
async def test_a_storm_of_touches_is_drawn_together() -> None:
    source = Source()
    async with publisher(source) as server:
        await until(lambda: source.asked)
        for _ in range(1000):
            server.touch()
            await asyncio.sleep(0)
        asked = source.asked
        await asyncio.sleep(0.5)
        assert source.asked - asked <= 12


async def test_events_and_touches_come_from_any_thread() -> None:
    async with publisher(Source()) as server, client(server) as someone:
        await someone.find(Welcome)
        for call in (lambda: server.event(EVENT), server.touch):
            thread = threading.Thread(target=call)
            thread.start()
            await asyncio.to_thread(thread.join)
        assert await someone.find(Event) == EVENT


async def test_after_the_end_events_and_touches_are_nobodys_and_harmless() -> None:
    def whole_life() -> StatusServer:
        async def live() -> StatusServer:
            async with publisher(Source()) as server:
                return server

        return asyncio.run(live())

    server = await asyncio.to_thread(whole_life)
    server.event(EVENT)
    server.touch()


async def test_a_client_hears_only_of_the_cameras_it_subscribed_to() -> None:
    source = Source([CameraStatus("front", 1), CameraStatus("rear", 1)])
    async with publisher(source) as server, client(server) as someone:
        await someone.send(Subscribe(cameras=("rear",)))
        await until(lambda: all(listener.subscribe.cameras for listener in server.hub.listeners) and source.asked)
        await someone.send(Ping(1, 1))
        await someone.find(Pong)
        assert [(await someone.find(CameraStatus)).camera for _ in range(2)] == ["rear", "rear"]


# ---------------------------------------------------------------- asking


async def test_a_ping_is_answered_with_the_publishers_clock() -> None:
    times = iter(range(1000, 9000, 10))
    async with publisher(Source(), wall_us=lambda: next(times)) as server, client(server) as someone:
        await someone.send(Ping(5, -77))
        pong = await someone.find(Pong)
    assert (pong.id, pong.t0_us) == (5, -77)
    assert pong.t2_us - pong.t1_us == 10


async def test_who_sets_a_control_gets_the_answer_and_others_the_news() -> None:
    async with publisher(Source()) as server, client(server) as asker, client(server) as other:
        await other.find(CameraStatus)
        await asker.send(SetControl("front", "bitrate", "bad", id=3))
        assert await asker.find(ControlResult) == ControlResult("front", "bitrate", False, "bad", id=3)
        await asker.send(SetControl("front", "bitrate", "500k", id=4))
        assert await asker.find(ControlResult) == ControlResult("front", "bitrate", True, "500k", id=4)
        assert await other.find(ControlResult) == ControlResult("front", "bitrate", True, "500k", id=0)
        await asker.send(Ping(9, 0))
        async with asyncio.timeout(LIMIT_S):
            while not isinstance(message := await asker.next(), Pong):
                assert not isinstance(message, ControlResult), "its own message came back"


async def test_a_report_carries_the_session_that_hello_named() -> None:
    source = Source()
    async with publisher(source) as server, client(server, Hello(session="abc")) as someone:
        await someone.send(ViewerReport("front", fps=29.5))
        await someone.send(ViewerReport("front", session="own"))
        await someone.send(Hello(session="next"))
        await someone.send(ViewerReport("front"))
        await until(lambda: len(source.reports) == 3)
    assert [report.session for report, _ in source.reports] == ["abc", "own", "next"]
    assert source.reports[0] == (ViewerReport("front", fps=29.5, session="abc"), "127.0.0.1")


async def test_a_message_of_a_newer_client_is_passed_over() -> None:
    async with publisher(Source()) as server, client(server) as someone:
        await someone.send(UNKNOWN_BODY)
        await someone.send(Ping(1, 2))
        assert (await someone.find(Pong)).t0_us == 2


# ---------------------------------------------------------------- trouble


@pytest.mark.parametrize("garbage", [b"\xfe\xfe", "text", OTHER_VERSION, b"\0" * (status_server.MAX_MESSAGE_BYTES + 1)])
async def test_garbage_closes_its_sender_and_nobody_else(garbage: bytes | str) -> None:
    async with publisher(Source()) as server, client(server) as good, client(server) as bad:
        await bad.find(Welcome)
        await bad.send(garbage)
        code, words = await bad.closed()
        assert code in (CloseCode.GARBAGE, CloseCode.OTHER_VERSION, 1009)
        assert words
        await until(lambda: len(server.hub.listeners) == 1)
        await good.send(Ping(1, 1))
        await good.find(Pong)


async def test_a_flood_closes_its_sender() -> None:
    async with publisher(Source()) as server, client(server) as someone:
        for number in range(status_session.MAX_MESSAGES_PER_S + 50):
            await someone.send(Ping(number, 0))
        code, words = await someone.closed()
    assert code == CloseCode.POLICY
    assert "messages in a second" in words


async def test_each_error_of_the_source_costs_that_message_only() -> None:
    source = Source(broken={"welcome", "statuses", "set_control", "viewer_report"})
    async with publisher(source) as server, client(server) as someone:
        welcome = await someone.next()
        assert isinstance(welcome, Welcome)
        assert welcome.publisher
        assert not welcome.cameras
        await someone.send(ViewerReport("front"))
        await someone.send(SetControl("front", "bitrate", "1", id=8))
        result = await someone.find(ControlResult)
        assert (result.id, result.ok, result.value) == (8, False, None)
        assert "log" in result.text
        await someone.send(Ping(1, 1))
        await someone.find(Pong)
        source.broken.clear()
        await someone.find(CameraStatus)


async def test_a_status_that_does_not_fit_costs_that_camera_only() -> None:
    source = Source([CameraStatus("broken", -5), CameraStatus("front", 1)])
    async with publisher(source) as server, client(server) as someone:
        assert isinstance(await someone.next(), Welcome)
        assert [(await someone.find(CameraStatus)).camera for _ in range(2)] == ["front", "front"]


async def test_the_telling_can_be_restarted_while_port_and_clients_stay() -> None:
    server = StatusServer(Source(), ["127.0.0.1"], 0)
    await server.start()
    async with client(server) as someone:
        for _ in range(2):
            running = asyncio.create_task(server.run())
            await someone.find(CameraStatus)
            await someone.find(CameraStatus)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        await someone.send(Ping(1, 1))
        await someone.find(Pong)
    await server.stop()


async def open_without_reading(port: int) -> socket.socket:
    """A WebSocket client that says Hello and then never reads."""
    hello = b"\x08\x01\xf2\x01\x00"
    request = (
        f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", port))
    await loop.sock_sendall(sock, request.encode() + bytes([0x82, 0x80 | len(hello), 0, 0, 0, 0]) + hello)
    return sock


async def test_a_client_that_never_reads_holds_sixty_messages_and_disturbs_nobody() -> None:
    async with publisher(Source()) as server, client(server) as good:
        await good.find(Welcome)
        stuck = await open_without_reading(server.port)
        await until(lambda: len(server.hub.listeners) == 2)
        process = psutil.Process()
        before = process.memory_info().rss
        text = "x" * 10_000
        for number in range(3000):
            server.event(Event(number, "info", "flood", f"{number} {text}"))
            assert (await good.find(Event)).time_us == number
        assert max(len(listener.outbox) for listener in server.hub.listeners) == LIMIT
        assert server.hub.messages_dropped > 2500
        assert process.memory_info().rss - before < 25e6, "30 MB were told"
        stuck.close()


async def test_a_client_that_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_session, "WRITE_TIME_S", 0.3)
    async with publisher(Source()) as server:
        stuck = await open_without_reading(server.port)
        await until(lambda: server.hub.listeners)
        for number in range(100):
            server.event(Event(number, "info", "flood", "x" * 50_000))
        await until(lambda: not server.hub.listeners)
        stuck.close()


async def test_stop_is_quick_whatever_the_clients_do() -> None:
    loop = asyncio.get_running_loop()
    server = StatusServer(Source(), ["127.0.0.1"], 0)
    await server.start()
    stuck = await open_without_reading(server.port)
    mute = socket.create_connection(("127.0.0.1", server.port))
    async with client(server) as good:
        await until(lambda: len(server.hub.listeners) == 2)
        for number in range(100):
            server.event(Event(number, "info", "flood", "x" * 50_000))
        reading = asyncio.create_task(good.closed())
        await asyncio.sleep(0.1)
        began = loop.time()
        await server.stop()
        assert loop.time() - began < 3.0
        assert await reading == (CloseCode.GOING_AWAY, "the publisher has ended")
    stuck.close()
    mute.close()
    again = StatusServer(Source(), ["127.0.0.1"], server.port)
    await again.start()
    await again.stop()


# ---------------------------------------------------------------- the port


@pytest.mark.parametrize(
    "request_",
    [
        b"OPTIONS rtsp://127.0.0.1:9000/zerolatency RTSP/1.0\r\nCSeq: 1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"\xff" * 100_000,
    ],
    ids=["rtsp", "tls", "half a handshake", "noise"],
)
async def test_noise_on_the_port_is_turned_away_without_a_traceback(
    request_: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    async with publisher(Source()) as server:
        with contextlib.suppress(ConnectionError):
            await http(server.port, request_)
        async with client(server) as good:
            await good.find(CameraStatus)
    assert "Traceback" not in capfd.readouterr().err


async def test_scripts_of_other_sites_stay_outside() -> None:
    async with publisher(Source()) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        for origin in ("https://evil.example", "null", "http://[broken"):
            with pytest.raises(InvalidStatus, match="403"):
                await connect(url, proxy=None, origin=origin)  # type: ignore[arg-type]
        # A name that its owner has point here is not ours, although page and request name the same.
        rebound = Origin(f"http://evil.example:{server.port}")
        with pytest.raises(InvalidStatus, match="403"):
            await connect(
                f"ws://evil.example:{server.port}/", proxy=None, host="127.0.0.1", port=server.port, origin=rebound
            )
        async with connect(url, proxy=None, origin="http://127.0.0.1:8080"):  # type: ignore[arg-type]
            pass


async def test_a_taken_port_names_the_option_that_moves_it() -> None:
    async with publisher(Source()) as server:
        with pytest.raises(PortError, match="--websocket-port"):
            await StatusServer(Source(), ["127.0.0.1"], server.port).start()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


async def test_one_port_serves_ipv4_and_ipv6() -> None:
    async with publisher(Source(), ["0.0.0.0", "::"]) as server:
        async with client(server) as someone:
            await someone.find(CameraStatus)
        if has_ipv6():
            async with client(server, host="::1") as someone:
                welcome = await someone.find(Welcome)
            assert "::1" in welcome.cameras[0].urls["rtsp"]


async def test_small_answers_do_not_wait_for_acknowledgements() -> None:
    async with publisher(Source()) as server, client(server) as someone:
        await someone.find(Welcome)
        (connection,) = server._connections
        sock = connection.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
