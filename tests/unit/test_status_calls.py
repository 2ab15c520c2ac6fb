"""The WebRTC calls of one client: which lasts, and what is said when MediaMTX is silent."""

from __future__ import annotations

import asyncio

import pytest

from zlfeed.model import WebrtcAnswer, WebrtcOffer
from zlfeed.publisher.mediamtx import whep
from zlfeed.publisher.mediamtx.http import Place
from zlfeed.publisher.mediamtx.whep import Call
from zlfeed.publisher.status.calls import Calls


async def test_the_last_offers_call_lasts_though_an_earlier_one_is_answered_after_it() -> None:
    over, slow = [], asyncio.Event()

    async def place(offer: WebrtcOffer) -> Call:
        if offer.id == 1:
            await slow.wait()

        async def hang_up() -> None:
            over.append(offer.id)

        return Call(WebrtcAnswer(offer.camera, offer.id, "answer"), hang_up)

    calls = Calls(place)
    first = asyncio.create_task(calls.make(WebrtcOffer("front", 1)))
    await asyncio.sleep(0)
    assert (await calls.make(WebrtcOffer("front", 2))).sdp == "answer"
    slow.set()
    answer = await first
    assert (answer.id, answer.sdp) == (1, "")
    assert "later offer" in answer.text
    assert over == [1], "the one that the page goes by plays on"
    await calls.end()
    assert over == [1, 2]


async def test_a_mediamtx_that_hangs_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whep, "ANSWER_S", 0.05)
    ended = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        there = Place("127.0.0.1", server.sockets[0].getsockname()[1])
        call = await whep.place(WebrtcOffer("front", 1, "offer"), there, "10.0.0.2")
        ended.set()
    assert call.answer.text == "MediaMTX does not answer within 0.05 s"
    assert call.hang_up is None
