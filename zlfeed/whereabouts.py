"""Where a client looks when it was told no address: PI_VPN_IP, what discovery finds, this machine (design 4.1)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from zlfeed import logs
from zlfeed.config import Settings
from zlfeed.errors import UsageError
from zlfeed.net import host_port

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """A publisher's stream, and where its status server is; no ports: those of the settings."""

    host: str
    rtsp_url: str | None = None
    status: str | None = None
    words: str = ""

    @property
    def target(self) -> str:
        """For `receive`."""
        return self.rtsp_url or self.host


def places(settings: Settings) -> list[Place]:
    """Where publishers are; never empty. Where PI_VPN_IP says nobody looks round, so nobody waits.

    A publisher on this machine that announces itself is found like any other; one that does not, because it listens
    here only or was told not to, comes last.
    """
    if settings.publisher:
        return [Place(settings.publisher)]
    return asyncio.run(_found()) or [Place("localhost")]


async def _found() -> list[Place]:
    from zlfeed import discovery

    offers = await discovery.find()
    hosts = await asyncio.gather(*(discovery.reachable(offer) for offer in offers))
    result = []
    for offer, host in zip(offers, hosts, strict=True):
        asks = ", asks for a token" if offer.asks_token else ""
        for stream in offer.streams:
            url = f"rtsp://{host_port(host, offer.rtsp_port)}/{stream}"
            status = host_port(host, offer.websocket_port)
            result.append(Place(host, url, status, f"{stream} on {offer.name} ({host}{asks})"))
    return result


def one(settings: Settings) -> Place:
    """The stream to receive; on a terminal the person chooses, elsewhere a choice is a UsageError."""
    found = places(settings)
    if len(found) == 1:
        place = found[0]
        if place.rtsp_url:
            log.info("publisher_found", text=f"found in the local net: {place.words}")
        return place
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        listed = "; ".join(f"{place.words}: {place.rtsp_url}" for place in found)
        raise UsageError(f"there are {len(found)} streams in the local net, name one: {listed}")
    return found[_chosen(found)]


def _chosen(found: Sequence[Place]) -> int:
    print("Streams in the local net:", file=sys.stderr)  # noqa: T201
    for number, place in enumerate(found, 1):
        print(f"  {number}  {place.words}", file=sys.stderr)  # noqa: T201
    while True:
        print(f"Which one, 1 to {len(found)}? ", end="", file=sys.stderr, flush=True)  # noqa: T201
        answer = sys.stdin.readline()
        if not answer:
            raise UsageError("no stream was chosen")
        if answer.strip().isascii() and answer.strip().isdigit() and 1 <= int(answer) <= len(found):
            return int(answer) - 1


def statuses(settings: Settings) -> list[str]:
    """The status servers to watch, each once."""
    found = places(settings)
    if found[0].status:
        log.info("publisher_found", text=f"found in the local net: {', '.join(place.words for place in found)}")
    return list(dict.fromkeys(place.status or place.host for place in found))
