"""The relay on real sockets, read by a raw client: what readers get, and the port."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time

import pytest

from tests.integration.relay_kit import FRAME, KEYFRAME, SETS, Feed, kinds, receiver_report, relaying, until
from tests.support.rtsp_client import LIMIT_S, TCP, RtspClient, connected
from zlfeed.net import LOOPBACK
from zlfeed.rtsp.auth import Credentials
from zlfeed.rtsp.codecs import CODECS
from zlfeed.rtsp.rtp import CLOCK_RATE
from zlfeed.rtsp.server import Relay

pytestmark = pytest.mark.timeout(60)


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


async def test_sender_reports_go_on_while_no_frames_come_and_count_what_was_sent() -> None:
    async with relaying() as feed, connected(feed.url) as client:
        feed.gop(1)
        await client.play()
        await client.picture()
        await until_report(client)
        feed.frame(size=10)
        await client.picture()
        while len(client.reports) < 3:
            await client.ask("GET_PARAMETER")
            await asyncio.sleep(0.05)
        first, *_, second, third = client.reports
        assert third.packets == second.packets > first.packets > 0
        assert third.octets == second.octets > first.octets > 0
        assert 1 < (third.ntp - second.ntp) / 2**32 < 10
        # Both clocks went on by the same.
        assert abs((third.timestamp - second.timestamp) / CLOCK_RATE - (third.ntp - second.ntp) / 2**32) < 0.05


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


async def test_our_own_mediamtx_needs_no_password_gets_no_burst_and_is_no_viewer() -> None:
    async with relaying(credentials_for=lambda _host: Credentials("a-secret-token")) as feed:
        asked: list[None] = []
        feed.stream.want_keyframe = lambda: asked.append(None)
        feed.gop(3)
        async with connected(feed.relay.pull_url("cam")) as pull, connected(f"{feed.url}/{'x' * 24}/cam") as other:
            assert (await other.ask("DESCRIBE")).status == 401
            await pull.play()
            assert len(asked) == 1
            feed.frame()
            feed.frame(keyframe=True)
            feed.frame()
            assert kinds(await pull.pictures(2)) == [KEYFRAME, FRAME]
            assert feed.viewers() == []
            assert [reader.session.pull for reader in feed.relay.readers.values()] == [True]


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
