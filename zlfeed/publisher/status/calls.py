"""The WebRTC calls of one status client: one a camera, and none is left when it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from zlfeed.model import WebrtcAnswer, WebrtcOffer
from zlfeed.publisher.mediamtx.whep import Call, refused

MOST_UNDER_WAY = 4


class Calls:
    """Places calls by `place`, and hangs up those that are replaced or left behind."""

    def __init__(self, place: Callable[[WebrtcOffer], Awaitable[Call]]) -> None:
        self._place = place
        self._lasting: dict[str, tuple[int, Callable[[], Awaitable[None]]]] = {}
        self._offers = 0
        self._under_way = 0

    async def make(self, offer: WebrtcOffer) -> WebrtcAnswer:
        """The answer to an offer; what that camera's last call was is over then."""
        if self._under_way >= MOST_UNDER_WAY:
            return refused(offer, f"{MOST_UNDER_WAY} offers of this client wait for their answers").answer
        self._under_way += 1
        self._offers += 1
        number = self._offers
        try:
            call = await self._place(offer)
        finally:
            self._under_way -= 1
        if call.hang_up is None:
            return call.answer
        before = self._lasting.get(offer.camera)
        if before is not None and before[0] > number:
            await call.hang_up()
            return refused(offer, "a later offer was answered before it").answer
        self._lasting[offer.camera] = number, call.hang_up
        if before is not None:
            await before[1]()
        return call.answer

    async def end(self) -> None:
        """Ends them all."""
        ending, self._lasting = [hang_up() for _, hang_up in self._lasting.values()], {}
        await asyncio.gather(*ending)
