from __future__ import annotations

import asyncio

import pytest

from zlfeed.errors import CameraError, UsageError
from zlfeed.supervise import kept_running, own_error

LIMIT_S = 20


async def test_a_part_that_fails_or_ends_is_started_again_and_each_failure_is_told() -> None:
    told: list[tuple[str, str]] = []
    third = asyncio.Event()
    starts = 0

    async def part() -> None:
        nonlocal starts
        starts += 1
        if starts == 1:
            raise ValueError("broken")
        if starts == 3:
            third.set()
            await asyncio.Event().wait()

    running = asyncio.create_task(kept_running("part", part, lambda name, error: told.append((name, str(error)))))
    await asyncio.wait_for(third.wait(), LIMIT_S)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert told == [("part", "broken")]


def test_our_own_error_is_found_however_deep() -> None:
    inner = CameraError("no camera")
    group = BaseExceptionGroup("", [asyncio.CancelledError(), ExceptionGroup("", [ValueError(), inner])])
    assert own_error(group) is inner
    assert own_error(BaseExceptionGroup("", [UsageError("first"), inner])) is not inner
    assert own_error(ExceptionGroup("", [ValueError()])) is None
