"""What a status client can ask for: controls that take their time, snapshots, thumbnails."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.integration.status_kit import LIMIT_S, Client, Source, client, publisher, until
from zlfeed.model import CameraStatus, ControlResult, Ping, Pong, SetControl, Subscribe, Thumbnail
from zlfeed.publisher.status import session as status_session
from zlfeed.publisher.status.thumbnails import DEFAULT_WIDTH, MAX_HZ, MAX_WIDTH


async def test_a_control_that_takes_its_time_holds_up_nobody() -> None:
    source = Source()
    async with publisher(source) as server, client(server) as asker, client(server) as other:
        await other.find(CameraStatus)
        await asker.send(SetControl("front", "size", "640x480", id=1))
        for someone in (asker, other):
            await someone.send(Ping(1, 1))
            await someone.find(Pong)
        source.answer.set()
        assert await asker.find(ControlResult) == ControlResult("front", "size", True, "640x480", id=1)
        assert await other.find(ControlResult) == ControlResult("front", "size", True, "640x480")


async def test_there_is_an_end_to_the_requests_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_session, "MAX_REQUESTS", 16)
    source = Source()
    async with publisher(source) as server, client(server) as asker:
        for number in range(status_session.MAX_REQUESTS + 1):
            await asker.send(SetControl("front", "size", "640x480", id=number + 1))
        refused = await asker.find(ControlResult)
        assert (refused.id, refused.ok) == (status_session.MAX_REQUESTS + 1, False)
        assert "under way" in refused.text
        source.answer.set()
        answers = [await asker.find(ControlResult) for _ in range(status_session.MAX_REQUESTS)]
    assert all(answer.ok for answer in answers)


async def test_who_has_left_does_not_keep_the_others_from_hearing() -> None:
    source = Source()
    async with publisher(source) as server, client(server) as other:
        await other.find(CameraStatus)
        async with client(server) as asker:
            await asker.find(CameraStatus)
            await asker.send(SetControl("front", "size", "320x240", id=1))
            await asker.send(Ping(1, 1))
            await asker.find(Pong)
        source.answer.set()
        assert (await other.find(ControlResult)).value == "320x240"
        await until(lambda: len(server.hub.listeners) == 1)


async def test_a_snapshot_of_megabytes_comes_to_who_asked_before_the_answer() -> None:
    async with publisher(Source()) as server, client(server) as asker, client(server) as other:
        await other.find(CameraStatus)
        await asker.send(SetControl("front", "snapshot", "", id=1))
        messages: list[object] = []
        async with asyncio.timeout(LIMIT_S):
            while not isinstance(message := await asker.next(), ControlResult):
                messages.append(message)
        (picture,) = [message for message in messages if isinstance(message, Thumbnail)]
        assert len(picture.jpeg) == 3 * 2**20
        async with asyncio.timeout(LIMIT_S):
            while not isinstance(message := await other.next(), ControlResult):
                assert not isinstance(message, Thumbnail), "a picture that others asked for"


# ---------------------------------------------------------------- thumbnails


async def rate(someone: Client, seconds: float) -> float:
    """How many pictures come in a second."""
    await someone.find(Thumbnail)
    began, count = time.monotonic(), 0
    while (now := time.monotonic()) - began < seconds:
        await someone.find(Thumbnail)
        count += 1
    return count / (now - began)


async def test_there_are_thumbnails_only_while_someone_asks() -> None:
    source = Source([CameraStatus("front", 1), CameraStatus("rear", 1)])
    async with publisher(source) as server, client(server) as asker, client(server) as other:
        await other.find(CameraStatus)
        await asyncio.sleep(0.5)
        assert source.pictures == []
        await asker.send(Subscribe(cameras=("rear",), thumbnails=True))
        assert (await asker.find(Thumbnail)).camera == "rear"
        await asker.find(Thumbnail)
        assert {camera for camera, _ in source.pictures} == {"rear"}
        assert {width for _, width in source.pictures} == {DEFAULT_WIDTH}
        await asker.send(Subscribe())
        await asker.send(Ping(1, 1))
        await asker.find(Pong)
        made = len(source.pictures)
        await asyncio.sleep(1.2)
        assert len(source.pictures) <= made + 1, "one may have been on its way"
        await other.send(Ping(1, 1))
        async with asyncio.timeout(LIMIT_S):
            while not isinstance(message := await other.next(), Pong):
                assert not isinstance(message, Thumbnail)


async def test_a_client_that_has_left_is_asked_for_no_more() -> None:
    source = Source()
    async with publisher(source) as server:
        async with client(server) as asker:
            await asker.send(Subscribe(thumbnails=True, thumbnail_hz=5))
            await asker.find(Thumbnail)
        await until(lambda: not server.hub.listeners)
        made = len(source.pictures)
        await asyncio.sleep(0.7)
        assert len(source.pictures) <= made + 1


async def test_one_picture_serves_all_who_ask_at_the_rate_of_each() -> None:
    source = Source()
    async with publisher(source) as server, client(server) as quick, client(server) as slow:
        await slow.send(Subscribe(thumbnails=True, thumbnail_hz=1, thumbnail_width=100))
        await quick.send(Subscribe(thumbnails=True, thumbnail_hz=1000, thumbnail_width=100_000))
        async with asyncio.TaskGroup() as group:
            rates = [group.create_task(rate(someone, 3.0)) for someone in (quick, slow)]
    quick_hz, slow_hz = (task.result() for task in rates)
    assert 2 < quick_hz < MAX_HZ * 1.3
    assert 0.5 < slow_hz < 1.5
    assert max(width for _, width in source.pictures) == MAX_WIDTH


@pytest.mark.parametrize("hz", [float("nan"), 0.0, -3.0, None])
async def test_a_rate_that_is_none_is_the_usual_one(hz: float | None) -> None:
    async with publisher(Source()) as server, client(server) as someone:
        await someone.send(Subscribe(thumbnails=True, thumbnail_hz=hz))
        assert 1 < await rate(someone, 1.5) < 3.5


async def test_a_picture_that_cannot_be_made_costs_nothing_else() -> None:
    source = Source(broken={"thumbnail"})
    async with publisher(source) as server, client(server) as someone:
        await someone.send(Subscribe(thumbnails=True))
        await asyncio.sleep(0.7)
        await someone.send(Ping(1, 1))
        await someone.find(Pong)
        source.broken.clear()
        await someone.find(Thumbnail)
        await someone.find(CameraStatus)
