"""Parts that must not take the feed down with them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NoReturn

from zlfeed import logs
from zlfeed.errors import ZlfeedError
from zlfeed.restart import Restarts

log = logs.get(__name__)


async def kept_running(
    part: str,
    run: Callable[[], Awaitable[None]],
    on_failure: Callable[[str, BaseException], None],
    restarts: Restarts | None = None,
) -> NoReturn:
    """Runs a part again, with backoff, whenever it ends or raises; ends only when cancelled.

    `restarts` tells others how it is; it must have no budget.
    """
    restarts = restarts or Restarts(budget=None)
    while True:
        restarts.starting()
        restarts.running(time.monotonic())
        reason = "it ended"
        try:
            await run()
            log.warning("part_ended", name=part)
        except Exception as error:
            log.exception("part_failed", name=part)
            reason = str(error) or type(error).__name__
            on_failure(part, error)
        delay = restarts.failed(time.monotonic(), reason)
        assert delay is not None, "without a budget it is never given up"
        await asyncio.sleep(delay)


def own_error(group: BaseExceptionGroup[BaseException]) -> ZlfeedError | None:
    """The first of our own errors in a group, however deep."""
    for error in group.exceptions:
        if isinstance(error, ZlfeedError):
            return error
        if isinstance(error, BaseExceptionGroup) and (inner := own_error(error)):
            return inner
    return None
