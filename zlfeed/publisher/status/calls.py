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
        self._hang_up: dict[str, Callable[[], Awaitable[None]]] = {}
        self._under_way = 0

    async def make(self, offer: WebrtcOffer) -> WebrtcAnswer:
        """The answer to an offer; what that camera's last call was is over then."""
        if self._under_way >= MOST_UNDER_WAY:
            return refused(offer, f"{MOST_UNDER_WAY} offers of this client wait for their answers").answer
        self._under_way += 1
        try:
            call = await self._place(offer)
        finally:
            self._under_way -= 1
        if call.hang_up is not None:
            before, self._hang_up[offer.camera] = self._hang_up.get(offer.camera), call.hang_up
            if before is not None:
                await before()
        return call.answer

    async def end(self) -> None:
        """Ends them all."""
        ending, self._hang_up = [hang_up() for hang_up in self._hang_up.values()], {}
        await asyncio.gather(*ending)
