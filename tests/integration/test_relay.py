"""The relay on real sockets, read by a raw client: many readers, slow ones, and those that mean no good."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import struct
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.depacketize import Picture
from tests.support.rtsp_client import LIMIT_S, TCP, RtspClient, UdpPorts, connected
from zlfeed.model import Viewer
from zlfeed.net import LOOPBACK
from zlfeed.rtsp import server, tcp_reader
from zlfeed.rtsp.auth import Credentials
from zlfeed.rtsp.codecs import CODECS
from zlfeed.rtsp.rtp import CLOCK_RATE
from zlfeed.rtsp.server import Relay
from zlfeed.rtsp.stream import LiveStream
from zlfeed.rtsp.udp_reader import UdpReader

pytestmark = pytest.mark.timeout(60)
KEYFRAME, FRAME = [7, 8, 5, 9], [1, 9]
SETS = b"\0\0\1\x67\x42\xc0\x1e\0\0\1\x68\xce"


class Feed:
    """A relay with one stream, which gets a frame when the test says so."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.stream = LiveStream("cam")
        self.stream.set_parameters(CODECS["h264"], SETS)
        relay.streams["cam"] = self.stream
        self._count = itertools.count()

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.relay.port}/cam"

    def frame(self, *, keyframe: bool = False, size: int = 100) -> int:
        """Publishes a frame; its number, which its slice begins with."""
        number = next(self._count)
        body = struct.pack("!I", number).replace(b"\0", b"\1") + b"\xaa" * size
        now_ns = time.monotonic_ns()
        self.stream.publish(
            b"\0\0\1" + (b"\x65" if keyframe else b"\x41") + body,
            captured_us=time.time_ns() // 1000,
            captured_ns=now_ns,
            now=now_ns / 1e9,
        )
        return number

    def gop(self, frames: int) -> None:
        for index in range(frames):
            self.frame(keyframe=index == 0)

    def viewers(self) -> list[Viewer]:
        return self.relay.viewers(self.stream, time.monotonic())


@contextlib.asynccontextmanager
async def relaying(**options: Any) -> AsyncIterator[Feed]:
    relay = Relay(**options)
    relay.public.bind(LOOPBACK, 0)
    feed = Feed(relay)
    await relay.public.serve()
    upkeep = asyncio.create_task(relay.run())
    try:
        yield feed
    finally:
        upkeep.cancel()
        await asyncio.gather(upkeep, return_exceptions=True)
        await relay.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.01)


def kinds(pictures: list[Picture]) -> list[list[int]]:
    return [picture.kinds("h264") for picture in pictures]


# ------------------------------------------------------------ watching


async def test_a_reader_gets_the_gop_and_goes_on_live_without_a_gap() -> None:
    async with relaying() as feed, connected(feed.url) as client:
        feed.gop(5)
        await client.play()
        first = await client.pictures(5)
        feed.frame()
        feed.frame(keyframe=True)
        live = await client.pictures(2)
        assert kinds(first + live) == [KEYFRAME, FRAME, FRAME, FRAME, FRAME, FRAME, KEYFRAME]
        assert client.received.gaps == 0
        stamps = [picture.timestamp for picture in first + live]
        assert all(0 < (b - a) & 0xFFFFFFFF < 1 << 31 for a, b in itertools.pairwise(stamps))


async def test_a_sender_report_right_behind_the_first_packet_ties_timestamps_to_the_clock_of_capture() -> None:
    async with relaying() as feed, connected(feed.url) as client:
        feed.gop(1)
        await client.play()
        await client.picture()
        await until_report(client)
        assert client.order[:2] == [0, 1]
        before = time.time()
        feed.frame()
        live = await client.picture()
        report = client.reports[-1]
        assert report.ssrc == feed.stream.rtp.ssrc
        behind = ((live.timestamp - report.timestamp + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
        captured = report.ntp / 2**32 - 2_208_988_800 + behind / CLOCK_RATE
        assert before - 0.05 <= captured <= time.time() + 0.05


async def until_report(client: RtspClient) -> None:
    """Asks until a sender report has come."""
    async with asyncio.timeout(LIMIT_S):
        while not client.reports:
            await client.ask("GET_PARAMETER")


async def test_sender_reports_go_on_and_count_what_was_sent() -> None:
    async with relaying() as feed, connected(feed.url) as client:
        feed.gop(1)
        await client.play()
        async with asyncio.timeout(LIMIT_S):
            while len(client.reports) < 2:
                feed.frame(size=10)
                await client.picture()
                await asyncio.sleep(0.05)
        first, second = client.reports[:2]
        assert second.packets > first.packets > 0
        assert second.octets > first.octets > 0
        assert second.ntp > first.ntp


async def test_two_hundred_readers_each_get_every_frame() -> None:
    async with relaying() as feed, contextlib.AsyncExitStack() as stack:
        feed.gop(2)
        clients = [await stack.enter_async_context(connected(feed.url)) for _ in range(200)]
        await asyncio.gather(*(client.play() for client in clients))
        await asyncio.gather(*(client.pictures(2) for client in clients))
        assert len(feed.viewers()) == 200
        for number in range(60):
            feed.frame(keyframe=number % 30 == 0, size=3000)
            await asyncio.sleep(0)
        got = await asyncio.gather(*(client.pictures(60) for client in clients))
        assert all(kinds(pictures) == kinds(got[0]) for pictures in got)
        assert sum(client.received.gaps for client in clients) == 0
        assert {viewer.frames_dropped for viewer in feed.viewers()} == {0}
        assert {viewer.frames_sent for viewer in feed.viewers()} == {62}
        for client in clients:
            client.abort()
        await until(lambda: not feed.viewers())
        assert not feed.relay.sessions
        assert not feed.stream.readers


async def test_another_encoder_with_other_parameter_sets_takes_over_under_the_readers() -> None:
    async with relaying() as feed, connected(feed.url) as client:
        feed.gop(2)
        await client.play()
        await client.pictures(2)
        feed.stream.set_parameters(CODECS["h264"], SETS.replace(b"\x1e", b"\x1f"))
        feed.frame(keyframe=True)
        picture = await client.picture()
        assert picture.units[0] == b"\x67\x42\xc0\x1f"
        assert client.received.gaps == 0


async def test_after_a_pause_it_goes_on_with_a_keyframe() -> None:
    async with relaying() as feed, connected(feed.url) as client:
        feed.gop(3)
        await client.play()
        await client.pictures(3)
        assert (await client.ask("PAUSE")).status == 200
        assert feed.viewers() == []
        feed.frame()
        feed.frame()
        assert (await client.ask("PLAY")).status == 200
        assert kinds(await client.pictures(5)) == [KEYFRAME] + [FRAME] * 4
        assert (await client.ask("TEARDOWN")).status == 200
        assert not feed.relay.sessions
        assert feed.viewers() == []


async def test_requests_in_one_piece_are_answered_in_order() -> None:
    async with relaying() as feed, connected(feed.url) as client:
        feed.gop(1)
        for method in ("OPTIONS", "DESCRIBE", "SETUP", "PLAY"):
            client.request(method, headers=TCP)
        answers = [await client.response() for _ in range(4)]
        assert [answer.status for answer in answers] == [200] * 4
        assert [answer.headers["cseq"] for answer in answers] == ["1", "2", "3", "4"]
        assert kinds(await client.pictures(1)) == [KEYFRAME]


async def test_a_stream_without_a_picture_yet_is_not_ready_and_another_is_not_there() -> None:
    async with relaying() as feed, connected(feed.url) as client:
        assert (await client.ask("DESCRIBE")).status == 503
        assert (await client.ask("DESCRIBE", feed.url + "2")).status == 404
        feed.gop(1)
        assert (await client.ask("DESCRIBE")).status == 200


async def test_readers_over_ipv6_are_told_their_own_address() -> None:
    async with relaying() as feed:
        feed.gop(1)
        try:
            async with connected(f"rtsp://[::1]:{feed.relay.port}/cam") as client:
                assert b"IN IP6 ::1\r\n" in (await client.ask("DESCRIBE")).body
                await client.set_up()
                await client.ask("PLAY")
                assert kinds(await client.pictures(1)) == [KEYFRAME]
                assert feed.viewers()[0].address.startswith("[::1]:")
        except OSError:
            pytest.skip("this machine has no IPv6")


async def test_what_a_reader_reports_is_known_of_it() -> None:
    async with relaying() as feed, connected(feed.url) as client:
        feed.gop(1)
        await client.play()
        await client.picture()
        client.send(b"$\1" + receiver_report(feed.stream.rtp.ssrc, fraction=64, jitter=900))
        await client.ask("GET_PARAMETER", headers={"User-Agent": "player/1"})
        (viewer,) = feed.viewers()
        assert (viewer.loss_percent, viewer.jitter_ms) == (25.0, 10.0)
        assert viewer.agent == "player/1"
        assert viewer.transport == "tcp"
        assert viewer.bytes_sent > 0


def receiver_report(ssrc: int, *, fraction: int = 0, jitter: int = 0, framed: bool = True) -> bytes:
    packet = struct.pack("!BBHIIIIIII", 0x81, 201, 7, 99, ssrc, fraction << 24, 0, jitter, 0, 0)
    return len(packet).to_bytes(2, "big") + packet if framed else packet


async def test_a_password_is_asked_for_where_it_is_wanted() -> None:
    async with (
        relaying(credentials_for=lambda _host: Credentials("a-secret-token")) as feed,
        connected(feed.url) as client,
    ):
        feed.gop(1)
        assert (await client.ask("OPTIONS")).status == 200
        for method in ("DESCRIBE", "SETUP", "PLAY"):
            assert (await client.ask(method, headers=TCP)).status == 401
        for _ in range(3):
            assert (await client.ask("DESCRIBE", headers={"Authorization": "Digest x"})).status == 401
        assert await client.closed()


# ------------------------------------------------------------ over UDP


@contextlib.asynccontextmanager
async def udp_ports() -> AsyncIterator[UdpPorts]:
    ports = UdpPorts()
    try:
        yield ports
    finally:
        ports.close()


def server_ports(answer: Any) -> tuple[int, int]:
    (text,) = [part for part in answer.headers["transport"].split(";") if part.startswith("server_port=")]
    first, second = map(int, text.removeprefix("server_port=").split("-"))
    return first, second


async def test_datagrams_come_to_the_ports_that_setup_named() -> None:
    async with relaying() as feed, udp_ports() as ports, connected(feed.url) as client:
        feed.gop(3)
        answer = await client.play(ports.transport)
        rtp, rtcp = server_ports(answer)
        assert rtp % 2 == 0
        assert rtcp == rtp + 1
        pictures = [await ports.picture() for _ in range(3)]
        feed.frame()
        pictures.append(await ports.picture())
        assert kinds(pictures) == [KEYFRAME, FRAME, FRAME, FRAME]
        assert ports.received.gaps == 0
        assert (await ports.report()).ssrc == feed.stream.rtp.ssrc
        ports.send(1, receiver_report(feed.stream.rtp.ssrc, fraction=128, framed=False), rtcp)
        await until(lambda: feed.viewers()[0].loss_percent == 50)
        assert feed.viewers()[0].transport == "udp"
        assert (await client.ask("TEARDOWN")).status == 200
        assert feed.viewers() == []


async def test_a_large_keyframe_is_paced_so_that_nothing_is_lost() -> None:
    async with relaying() as feed, udp_ports() as ports, connected(feed.url) as client:
        feed.gop(1)
        await client.play(ports.transport)
        await ports.picture()
        feed.frame(keyframe=True, size=400_000)
        feed.frame()
        assert [len(picture.units) for picture in [await ports.picture(), await ports.picture()]] == [4, 2]
        assert ports.received.gaps == 0


async def test_when_the_queue_is_full_nothing_comes_until_the_next_keyframe() -> None:
    async with relaying() as feed, udp_ports() as ports, connected(feed.url) as client:
        feed.gop(1)
        await client.play(ports.transport)
        await ports.picture()
        size = UdpReader.QUEUE_PACKETS * 1400
        first = feed.frame(keyframe=True, size=size)
        feed.frame(size=size)
        feed.frame()
        assert numbers([await ports.picture()]) == [first]
        await until(lambda: feed.viewers()[0].frames_dropped == 2)
        feed.frame()
        last = feed.frame(keyframe=True)
        assert numbers([await ports.picture()]) == [last]


def numbers(pictures: list[Picture]) -> list[int]:
    """The frames' numbers, below 256, that their slices begin with."""
    slices = [next(unit for unit in picture.units if unit[0] & 0x1F in (1, 5)) for picture in pictures]
    return [unit[4] for unit in slices]


async def test_without_a_sign_of_life_a_session_whose_connection_is_gone_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UdpReader, "ORPHAN_S", 1.0)
    async with relaying() as feed, udp_ports() as ports:
        feed.gop(1)
        async with connected(feed.url) as client:
            answer = await client.play(ports.transport)
            await ports.picture()
        rtcp = server_ports(answer)[1]
        gone = time.monotonic()
        while time.monotonic() - gone < 2.0:
            ports.send(1, receiver_report(feed.stream.rtp.ssrc, framed=False), rtcp)
            await asyncio.sleep(0.1)
        assert len(feed.viewers()) == 1
        await until(lambda: not feed.viewers())
        assert not feed.relay.sessions


async def test_after_udp_came_to_nothing_the_same_connection_may_take_tcp() -> None:
    async with relaying() as feed, udp_ports() as ports, connected(feed.url) as client:
        feed.gop(1)
        await client.play(ports.transport)
        assert (await client.ask("PAUSE")).status == 200
        client.session = {}
        await client.set_up(TCP)
        assert (await client.ask("PLAY")).status == 200
        assert kinds(await client.pictures(1)) == [KEYFRAME]
        assert [viewer.transport for viewer in feed.viewers()] == ["tcp"]
        assert len(feed.relay.sessions) == 1


# ------------------------------------------------------------ slow readers


async def test_a_reader_that_does_not_read_loses_frames_up_to_a_keyframe_and_the_others_lose_nothing() -> None:
    async with relaying() as feed, connected(feed.url) as good, connected(feed.url, receive_buffer=4096) as slow:
        feed.gop(1)
        for client in (good, slow):
            await client.play()
            await client.picture()
        sent = 0
        async with asyncio.timeout(LIMIT_S):
            while not feed.viewers()[1].frames_dropped > 5:
                feed.frame(keyframe=sent % 10 == 0, size=40_000)
                sent += 1
                await good.picture()
                await asyncio.sleep(0.01)
        assert good.received.gaps == 0
        assert feed.viewers()[0].frames_dropped == 0
        # It reads again: what was on its way comes whole, and behind the gap a keyframe.
        reading = asyncio.create_task(read_on(slow))
        async with asyncio.timeout(LIMIT_S):
            while slow.received.gaps == 0:
                feed.frame(keyframe=sent % 10 == 0, size=40_000)
                sent += 1
                await good.picture()
                await asyncio.sleep(0.01)
        reading.cancel()
        pictures = await reading
        behind = [picture for gaps, picture in pictures if gaps][0:1]
        assert kinds(behind) in ([], [KEYFRAME])


async def read_on(client: RtspClient) -> list[tuple[int, Picture]]:
    """Reads until cancelled; the pictures, with the gaps there were before each."""
    pictures: list[tuple[int, Picture]] = []
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            picture = await client.picture()
            # Its own count: what was read in one piece with it may have had a gap behind it.
            pictures.append((picture.gaps, picture))
    return pictures


async def test_a_reader_that_takes_nothing_for_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_reader, "STUCK_LIMIT_S", 1.5)
    async with relaying() as feed, connected(feed.url, receive_buffer=4096) as slow:
        feed.gop(1)
        await slow.play()
        async with asyncio.timeout(LIMIT_S):
            while feed.viewers():
                feed.frame(keyframe=True, size=200_000)
                await asyncio.sleep(0.05)
        assert not feed.relay.sessions
        await until(lambda: not feed.relay.connections)


# ------------------------------------------------------------ those that mean no good


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"\r\n\r\n\xff\xfe\xfd",
        b"OPTIONS * RTSP/1.0\r\nX: " + b"a" * 9000,
        b"SET_PARAMETER * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 99999999\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nContent-Length: -5\r\n\r\n",
    ],
)
async def test_what_is_no_rtsp_is_answered_and_closed_and_the_others_see_nothing_of_it(data: bytes) -> None:
    async with relaying() as feed, connected(feed.url) as good, connected(feed.url) as bad:
        feed.gop(1)
        await good.play()
        await good.picture()
        bad.send(data)
        assert (await bad.response()).status in (400, 413)
        assert await bad.closed()
        feed.frame()
        assert kinds([await good.picture()]) == [FRAME]
        await until(lambda: len(feed.relay.connections) == 1)


async def test_a_reader_that_sends_rubbish_while_it_plays_is_closed() -> None:
    async with relaying() as feed, connected(feed.url) as client:
        feed.gop(1)
        await client.play()
        client.send(os.urandom(10).replace(b"$", b"x") + b"\0\r\n\r\n")
        assert await client.closed()
        await until(lambda: not feed.viewers())


async def test_frames_that_are_sent_to_us_are_ignored() -> None:
    async with relaying() as feed, connected(feed.url) as client:
        feed.gop(1)
        await client.play()
        for channel in (0, 1, 2, 255):
            client.send(b"$" + bytes((channel,)) + b"\x00\x64" + os.urandom(100))
        assert (await client.ask("GET_PARAMETER")).status == 200
        assert len(feed.viewers()) == 1


async def test_those_who_never_come_to_play_are_closed_and_those_who_paused_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "SETUP_TIME_S", 1.0)
    async with relaying() as feed, contextlib.AsyncExitStack() as stack:
        feed.gop(1)
        silent, half, dribbling, idle, paused, playing = [
            await stack.enter_async_context(connected(feed.url)) for _ in range(6)
        ]
        half.send(b"OPTIONS * RTSP/1.0\r\nCSe")
        await idle.set_up()
        for client in (paused, playing):
            await client.play()
        await paused.ask("PAUSE")
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 3.0:
                dribbling.send(b"O")
                await asyncio.sleep(0.1)
        for client in (silent, half, dribbling, idle):
            assert await client.closed()
        assert (await playing.ask("GET_PARAMETER")).status == 200
        assert (await paused.ask("PLAY")).status == 200
        await until(lambda: len(feed.relay.connections) == 2)
        assert len(feed.relay.sessions) == 2


async def test_a_reader_may_end_its_session_and_begin_another_long_after_it_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "SETUP_TIME_S", 2.0)
    async with relaying() as feed, connected(feed.url) as client:
        feed.gop(1)
        await client.play()
        await asyncio.sleep(2.5)
        assert (await client.ask("TEARDOWN")).status == 200
        client.session = {}
        await asyncio.sleep(1.0)
        await client.play()


async def test_there_is_a_limit_to_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 2)
    monkeypatch.setattr(server, "LOCAL_RESERVE", 0)
    async with relaying() as feed, connected(feed.url) as first, connected(feed.url) as second:
        for client in (first, second):
            assert (await client.ask("OPTIONS")).status == 200
        async with connected(feed.url) as third:
            assert (await third.response()).status == 503
            assert await third.closed()
        second.abort()
        await until(lambda: len(feed.relay.connections) == 1)
        async with connected(feed.url) as third:
            assert (await third.ask("OPTIONS")).status == 200


async def test_one_address_cannot_shut_the_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS_EACH", 2)
    # All clients of a test come from this machine: here their port tells them apart, as addresses would.
    monkeypatch.setattr(server, "is_loopback", lambda _host: False)
    owners = itertools.chain(["10.0.0.9"] * 3, ["10.0.0.8"])
    monkeypatch.setattr(server, "neighbourhood", lambda _host: next(owners))
    async with relaying() as feed, connected(feed.url) as first, connected(feed.url) as second:
        for client in (first, second):
            assert (await client.ask("OPTIONS")).status == 200
        async with connected(feed.url) as third:
            assert (await third.response()).status == 503
            assert await third.closed()
        async with connected(feed.url) as other:
            assert (await other.ask("OPTIONS")).status == 200


async def test_the_answer_to_play_says_where_the_frames_begin() -> None:
    async with relaying() as feed, connected(feed.url) as client:
        feed.gop(3)
        await client.set_up()
        for _ in range(2):
            said = (await client.ask("PLAY")).headers["rtp-info"]
            assert "rtp-info" not in (await client.ask("PLAY")).headers  # of a session that plays already
            first = (await client.pictures(3))[0]
            assert said.startswith(f"url={feed.url}")
            assert said.endswith(f";seq={first.sequence};rtptime={first.timestamp}")
            assert (await client.ask("PAUSE")).status == 200


async def test_readers_that_vanish_leave_nothing_behind() -> None:
    async with relaying() as feed:
        feed.gop(1)
        before = open_fds()
        for number in range(30):
            async with connected(feed.url) as client, udp_ports() as ports:
                await client.play(ports.transport if number % 3 == 0 else TCP)
                if number % 2:
                    await client.ask("TEARDOWN")
                elif number % 3 == 0:
                    # A datagram session outlives its connection, unless somebody ends it.
                    async with connected(feed.url) as other:
                        other.session = client.session
                        assert (await other.ask("TEARDOWN")).status == 200
                client.abort()
        await until(lambda: not feed.relay.connections)
        assert not feed.relay.sessions
        assert not feed.relay.readers
        assert not feed.stream.readers
        assert open_fds() == before


def open_fds() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0


# ------------------------------------------------------------ the port


async def test_clients_that_come_before_the_stream_wait_in_the_queue_instead_of_being_turned_away() -> None:
    relay = Relay()
    relay.public.bind(LOOPBACK, 0)
    feed = Feed(relay)
    async with connected(feed.url) as client:
        client.request("OPTIONS")
        await asyncio.sleep(0.1)
        await relay.public.serve()
        assert (await client.response()).status == 200
    await relay.close()


async def test_a_closed_listener_gives_its_port_back_and_ends_nobody() -> None:
    async with relaying() as feed, connected(feed.url) as client:
        feed.gop(1)
        port = feed.relay.port
        await client.play()
        await client.picture()
        feed.relay.public.close()
        other = Relay()
        other.public.bind(LOOPBACK, port)
        await other.close()
        feed.frame()
        assert kinds([await client.picture()]) == [FRAME]
