"""A viewer's call for MediaMTX's WebRTC, placed for it by us: WHEP (draft-ietf-wish-whep).

The page that `status/page.py` serves makes its offer over the status connection, where it was let in already; what is
agreed on then goes between the browser and MediaMTX, as datagrams that are encrypted for that browser alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NamedTuple

from zlfeed.model import WebrtcAnswer, WebrtcOffer
from zlfeed.publisher.mediamtx.http import Place

ANSWER_S = 3.0
"""MediaMTX answers within milliseconds; one that hangs is noticed, and started again, within two seconds."""
HANG_UP_S = 1.0
AGENT = "zlfeed page"
"""By what such a viewer is known in MediaMTX's list."""


class Call(NamedTuple):
    """How an offer was answered; `hang_up` ends what came of it, and never raises. None: nothing came of it."""

    answer: WebrtcAnswer
    hang_up: Callable[[], Awaitable[None]] | None = None


def refused(offer: WebrtcOffer, text: str) -> Call:
    """No picture, and why."""
    return Call(WebrtcAnswer(offer.camera, offer.id, text=text))


async def place(offer: WebrtcOffer, there: Place, viewer_host: str) -> Call:
    """Hands the offer to MediaMTX's WHEP endpoint at `there`, on behalf of a viewer at that address."""
    # As from a proxy, which MediaMTX is told to believe: its list of viewers and --allow go by the viewer's address.
    headers = {"Content-Type": "application/sdp", "X-Forwarded-For": viewer_host, "User-Agent": AGENT}
    try:
        async with asyncio.timeout(ANSWER_S):
            found = await there.ask("POST", f"/{offer.camera}/whep", headers, offer.sdp.encode())
    except TimeoutError:
        return refused(offer, f"MediaMTX does not answer within {ANSWER_S:g} s")
    except (OSError, ValueError) as error:
        return refused(offer, f"MediaMTX does not answer ({error})")
    if found.status == HTTPStatus.NOT_FOUND:
        return refused(offer, f"MediaMTX has no picture of {offer.camera} yet")
    where = found.headers.get("location", "")
    if found.status != HTTPStatus.CREATED or not where.startswith("/"):
        return refused(offer, f"MediaMTX would not (HTTP status {found.status})")

    async def hang_up() -> None:
        with contextlib.suppress(OSError, TimeoutError, ValueError):  # it has ended it itself, or has ended
            async with asyncio.timeout(HANG_UP_S):
                await there.ask("DELETE", where)

    sdp = found.body.decode(errors="replace")
    return Call(WebrtcAnswer(offer.camera, offer.id, sdp, session=found.headers.get("id", "")), hang_up)
