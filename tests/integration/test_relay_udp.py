"""The relay over UDP, read by a raw client."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.integration.relay_kit import FRAME, KEYFRAME, kinds, receiver_report, relaying, udp_ports, until
from tests.support.depacketize import Picture
from tests.support.rtsp_client import TCP, connected
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
