from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from zlfeed.publisher.status.outbox import LIMIT, Outbox


async def test_messages_come_out_in_order() -> None:
    outbox = Outbox()
    assert not any(outbox.put(b"%d" % n) for n in range(3))
    assert [await outbox.get() for _ in range(3)] == [b"0", b"1", b"2"]
    assert len(outbox) == 0


async def test_a_full_outbox_drops_its_oldest_and_says_so() -> None:
    outbox = Outbox()
    drops = [outbox.put(b"%d" % n) for n in range(LIMIT + 5)]
    assert drops == [False] * LIMIT + [True] * 5
    assert len(outbox) == LIMIT
    assert await outbox.get() == b"5"


async def test_get_waits_for_a_message() -> None:
    outbox = Outbox()
    waiting = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.put(b"at last")
    assert await asyncio.wait_for(waiting, 5) == b"at last"


async def test_a_wait_that_was_cancelled_loses_nothing() -> None:
    outbox = Outbox()
    waiting = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    waiting.cancel()
    outbox.put(b"kept")
    assert await asyncio.wait_for(outbox.get(), 5) == b"kept"


@given(st.lists(st.binary(max_size=4), max_size=50), st.integers(1, 10))
def test_what_is_left_is_always_the_newest(messages: list[bytes], limit: int) -> None:
    outbox = Outbox(limit)
    drops = sum(outbox.put(message) for message in messages)

    async def drain() -> list[bytes]:
        return [await outbox.get() for _ in range(len(outbox))]

    assert asyncio.run(drain()) == messages[-limit:]
    assert drops == max(0, len(messages) - limit)
