"""The relay over UDP, read by a raw client."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from typing import Any

import pytest

from tests.integration.relay_kit import FRAME, KEYFRAME, kinds, receiver_report, relaying, udp_ports, until
from tests.support.depacketize import Picture
from tests.support.rtsp_client import TCP, connected
from zlfeed.rtsp import udp_reader
from zlfeed.rtsp.udp_reader import UdpReader

pytestmark = pytest.mark.timeout(60)


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
        assert f";ssrc={feed.stream.rtp.ssrc:08X}" in answer.headers["transport"]
        assert ports.sources[0] == ("127.0.0.1", rtp)
        assert ports.received.gaps == 0
        assert (await ports.report()).ssrc == feed.stream.rtp.ssrc
        assert ports.sources[1] == ("127.0.0.1", rtcp)
        ports.send(1, receiver_report(feed.stream.rtp.ssrc, fraction=128, framed=False), rtcp)
        await until(lambda: feed.viewers()[0].loss_percent == 50)
        assert feed.viewers()[0].transport == "udp"
        assert (await client.ask("TEARDOWN")).status == 200
        assert feed.viewers() == []


async def test_behind_a_nat_the_port_is_the_one_that_the_first_packet_came_from() -> None:
    async with relaying() as feed, udp_ports() as named, udp_ports() as real, connected(feed.url) as client:
        feed.gop(1)
        rtp, rtcp = server_ports(await client.set_up(named.transport))
        # As FFmpeg and GStreamer do: before PLAY, to open the way.
        real.send(0, b"\x80" + bytes(11), rtp)
        real.send(1, receiver_report(feed.stream.rtp.ssrc, framed=False), rtcp)
        await asyncio.sleep(0.05)
        assert (await client.ask("PLAY")).status == 200
        assert kinds([await real.picture()]) == [KEYFRAME]
        assert (await real.report()).ssrc == feed.stream.rtp.ssrc
        # Another program behind the same address does not turn the stream away.
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as other:
            for port in (rtp, rtcp):
                other.sendto(os.urandom(1000), ("127.0.0.1", port))
        await asyncio.sleep(0.05)
        feed.frame()
        assert kinds([await real.picture()]) == [FRAME]


async def test_rubbish_at_the_udp_ports_is_ignored_and_the_port_that_was_named_stays() -> None:
    async with relaying() as feed, udp_ports() as ports, connected(feed.url) as client:
        feed.gop(1)
        both = server_ports(await client.play(ports.transport))
        await ports.picture()
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as other:
            other.bind(("127.0.0.2", 0))  # another address
            for size in (0, 1, 7, 8, 500, 2000):
                for index, port in enumerate(both):
                    other.sendto(os.urandom(size), ("127.0.0.1", port))
                    ports.send(index, os.urandom(size), port)
        await asyncio.sleep(0.05)
        feed.frame()
        assert kinds([await ports.picture()]) == [FRAME]
        ports.send(1, receiver_report(feed.stream.rtp.ssrc, fraction=64, framed=False), both[1])
        await until(lambda: feed.viewers()[0].loss_percent == 25)


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
    monkeypatch.setattr(UdpReader, "ORPHAN_S", 0.7)
    async with relaying() as feed, udp_ports() as ports:
        feed.gop(1)
        async with connected(feed.url) as client:
            answer = await client.play(ports.transport)
            await ports.picture()
        rtcp = server_ports(answer)[1]
        gone = time.monotonic()
        while time.monotonic() - gone < 1.5:
            ports.send(1, receiver_report(feed.stream.rtp.ssrc, framed=False), rtcp)
            await asyncio.sleep(0.1)
        assert len(feed.viewers()) == 1
        await until(lambda: not feed.viewers())
        assert not feed.relay.sessions


async def test_a_viewer_that_shows_no_sign_of_life_ends_although_its_connection_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(udp_reader, "TIMEOUT_S", 0.5)
    async with relaying() as feed, udp_ports() as ports, connected(feed.url) as client:
        feed.gop(1)
        await client.play(ports.transport)
        began = time.monotonic()
        while time.monotonic() - began < 1.6:
            assert (await client.ask("OPTIONS")).status == 200  # VLC's sign of life; with the session's name
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
