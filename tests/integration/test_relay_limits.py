"""The relay and its slow readers, those that mean no good, and those that are too many."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import time
from pathlib import Path

import pytest

from tests.integration.relay_kit import FRAME, KEYFRAME, Feed, kinds, relaying, udp_ports, until
from tests.support.depacketize import Picture
from tests.support.rtsp_client import LIMIT_S, TCP, RtspClient, connected
from zlfeed.rtsp import server, tcp_reader

pytestmark = pytest.mark.timeout(60)


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


async def test_who_does_not_swallow_the_burst_is_moved_to_the_next_keyframe() -> None:
    async with relaying() as feed, connected(feed.url, receive_buffer=4096) as slow:
        # On loopback a segment holds 64 KB, and two of them count as swallowed.
        feed.frame(keyframe=True, size=200_000)
        for _ in range(5):
            feed.frame(size=2000)
        await slow.play()
        (reader,) = feed.relay.readers.values()
        assert isinstance(reader, tcp_reader.TcpReader)
        began = time.monotonic()
        await until(lambda: reader._join is None)
        assert time.monotonic() - began > 0.3
        assert kinds([await slow.picture()]) == [KEYFRAME]
        feed.frame()
        feed.frame(keyframe=True)
        feed.frame()
        assert kinds(await slow.pictures(2)) == [KEYFRAME, FRAME]
        assert slow.received.gaps == 1


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


async def test_who_asks_without_end_keeps_nobody_waiting_and_gets_no_more_answers_than_it_takes() -> None:
    async with relaying() as feed, connected(feed.url) as good, connected(feed.url, receive_buffer=4096) as bad:
        feed.gop(1)
        await good.play()
        await bad.play()
        greedy = next(each for each in feed.relay.connections if each.peer == feed.viewers()[1].address)
        greedy._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 << 10)
        bad.send(f"DESCRIBE {feed.url} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode() * 1500)
        assert (await good.ask("OPTIONS")).status == 200
        assert greedy.unheard
        await until(lambda: greedy.full)
        await asyncio.sleep(0.05)
        left = len(greedy.unheard)
        await asyncio.sleep(0.1)
        assert len(greedy.unheard) == left > 0
        # It reads: everything is answered.
        assert {(await bad.response()).status for _ in range(1500)} == {200}


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
            while time.monotonic() - began < 2.0:
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
    monkeypatch.setattr(server, "SETUP_TIME_S", 1.2)
    async with relaying() as feed, connected(feed.url) as client:
        feed.gop(1)
        await client.play()
        await asyncio.sleep(1.8)
        assert (await client.ask("TEARDOWN")).status == 200
        client.session = {}
        await asyncio.sleep(0.3)
        await client.play()


async def served_and_no_third(feed: Feed, first: RtspClient, second: RtspClient) -> None:
    """These two are answered; one more is turned away."""
    for client in (first, second):
        assert (await client.ask("OPTIONS")).status == 200
    async with connected(feed.url) as third:
        assert (await third.response()).status == 503
        assert await third.closed()


async def test_there_is_a_limit_to_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 2)
    monkeypatch.setattr(server, "LOCAL_RESERVE", 0)
    async with relaying() as feed, connected(feed.url) as first, connected(feed.url) as second:
        await served_and_no_third(feed, first, second)
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
        await served_and_no_third(feed, first, second)
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
