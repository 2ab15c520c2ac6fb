"""Parts that must not take the feed down with them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NoReturn

from zlfeed import logs
from zlfeed.errors import ZlfeedError
from zlfeed.retry import backoff

log = logs.get(__name__)

_HEALTHY_S = 10.0


async def kept_running(
    part: str, run: Callable[[], Awaitable[None]], on_failure: Callable[[str, BaseException], None]
) -> NoReturn:
    """Runs a part again, with backoff, whenever it ends or raises; ends only when cancelled."""
    delays = backoff()
    while True:
        started = time.monotonic()
        try:
            await run()
            log.warning("part_ended", name=part)
        except Exception as error:
            log.exception("part_failed", name=part)
            on_failure(part, error)
        if time.monotonic() - started > _HEALTHY_S:
            delays = backoff()
        await asyncio.sleep(next(delays))


def own_error(group: BaseExceptionGroup[BaseException]) -> ZlfeedError | None:
    """The first of our own errors in a group, however deep."""
    for error in group.exceptions:
        if isinstance(error, ZlfeedError):
            return error
        if isinstance(error, BaseExceptionGroup) and (inner := own_error(error)):
            return inner
    return None
