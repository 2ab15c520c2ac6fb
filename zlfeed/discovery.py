"""Publishers tell the local net where they are, and are found there: DNS-SD over multicast DNS (RFC 6763, RFC 6762)."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import platform
import re
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import psutil
from zeroconf import DNSQuestionType, IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from zlfeed import __version__, logs
from zlfeed.config import Settings
from zlfeed.net import ANY

log = logs.get(__name__)

ZLFEED = "_zlfeed._tcp.local."
RTSP = "_rtsp._tcp.local."
FIND_S = 1.0
"""How long a look round takes at most. The first answer comes within some 0.3 s: both sides wait up to 120 ms, so that
not all speak at once (RFC 6762, sections 5.2 and 6)."""
SETTLE_S = 0.3
"""After the first answer, so long for others."""
_DETAILS_S = 0.2
"""What is kept of a look for asking those that were heard; their first answer mostly says all."""
_ASKED = (DNSQuestionType.QU, DNSQuestionType.QM)
"""For an answer to this address, and for one by multicast. The first comes even though another has asked within this
second; the second reaches us even though other programs here (a publisher, avahi) share the port."""
_LOOK_S = 10.0
_END_S = 0.5
_TRY_S = 0.5


@dataclass(frozen=True, slots=True)
class Offer:
    """One publisher, as it is announced or was found."""

    name: str
    addresses: tuple[str, ...]
    rtsp_port: int
    websocket_port: int
    streams: tuple[str, ...]
    asks_token: bool = False
    version: str = ""


def own_addresses(hosts: Sequence[str]) -> tuple[str, ...]:
    """The addresses of this machine, other than loopback, at which what listens on `hosts` can be reached."""
    states = psutil.net_if_stats()
    found = [
        str(address.address)
        for name, addresses in psutil.net_if_addrs().items()
        if name not in states or states[name].isup
        for address in addresses
        if address.family in (socket.AF_INET, socket.AF_INET6) and _is_public(str(address.address))
    ]
    return tuple(found) if tuple(hosts) == ANY else tuple(address for address in found if address in hosts)


def _is_public(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return not (parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified)


class Announcement:
    """Keeps a publisher announced while `run` runs; addresses that come and go (a VPN) are followed."""

    def __init__(self, hosts: Sequence[str], offer: Callable[[tuple[str, ...]], Offer]) -> None:
        """`offer` gives what is to be announced, for the addresses of the moment."""
        self._hosts = hosts
        self._offer = offer

    async def run(self) -> None:
        """Until cancelled; says goodbye then."""
        while True:
            addresses = own_addresses(self._hosts)
            if not addresses:
                await asyncio.sleep(_LOOK_S)
                continue
            net = AsyncZeroconf(interfaces=list(addresses))
            try:
                for info in records(self._offer(addresses)):
                    await net.async_register_service(info, allow_name_change=True)
                log.debug("announced", addresses=list(addresses))
                while own_addresses(self._hosts) == addresses:
                    await asyncio.sleep(_LOOK_S)
            finally:
                await _close(net)


async def _close(net: AsyncZeroconf) -> None:
    """Says goodbye; a cancellation meanwhile waits for that."""
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(_END_S):
            await net.async_unregister_all_services()
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(_END_S):
            await net.async_close()


def records(offer: Offer) -> list[AsyncServiceInfo]:
    """What is registered: the publisher, and each of its streams for players that look for RTSP."""
    # Another publisher on this machine has another name from the start. Whether a name is taken is asked by probes
    # (RFC 6762, section 8.1), and their answers come to this address and to the port that both share: one of the two
    # gets them, and it need not be who asked.
    usual = Settings.model_fields["websocket_port"].default
    port = "" if offer.websocket_port == usual else f"-{offer.websocket_port}"
    host = re.sub(r"[^A-Za-z0-9-]", "-", platform.node().partition(".")[0]) or "zlfeed"
    addresses = [socket.inet_pton(socket.AF_INET6 if ":" in a else socket.AF_INET, a) for a in offer.addresses]
    about = {
        "v": "1",
        "version": offer.version,
        "rtsp": str(offer.rtsp_port),
        "streams": ",".join(offer.streams),
        "token": "yes" if offer.asks_token else "no",
    }
    # A name of our own for the host: the machine's may be somebody else's (avahi's) to answer for.
    server = f"{host}-zlfeed{port}.local."
    label = offer.name.replace(".", "-")[:40] + port

    def record(kind: str, name: str, port: int, properties: dict[str, str]) -> AsyncServiceInfo:
        return AsyncServiceInfo(
            kind, f"{name}.{kind}", port=port, properties=properties, addresses=addresses, server=server
        )

    return [
        record(ZLFEED, label, offer.websocket_port, about),
        *(
            record(RTSP, f"{stream.replace('.', '-')[:20]} on {label}", offer.rtsp_port, {"path": f"/{stream}"})
            for stream in offer.streams
        ),
    ]


def offer_here(
    addresses: tuple[str, ...], rtsp_port: int, websocket_port: int, streams: Iterable[str], *, asks_token: bool
) -> Offer:
    """This publisher's."""
    node = platform.node() or "zlfeed"
    return Offer(node, addresses, rtsp_port, websocket_port, tuple(streams), asks_token, __version__)


# ------------------------------------------------------------ looking


async def find(within_s: float = FIND_S) -> list[Offer]:
    """The publishers in the local net, those on this machine among them, by name; none when there is no net to ask.

    Takes `within_s` at most.
    """
    end = time.monotonic() + within_s
    try:
        net = AsyncZeroconf(ip_version=IPVersion.V4Only)
    except OSError as error:
        log.debug("discovery_failed", error=str(error))
        return []
    names: dict[str, None] = {}
    heard = asyncio.Event()

    def on_change(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is ServiceStateChange.Added:
            names[name] = None
            heard.set()

    try:
        browsers = [
            AsyncServiceBrowser(net.zeroconf, ZLFEED, handlers=[on_change], question_type=kind) for kind in _ASKED
        ]
        try:
            async with asyncio.timeout(max(0.0, within_s - _DETAILS_S)):
                await heard.wait()
                await asyncio.sleep(SETTLE_S)
        except TimeoutError:
            pass
        found = [AsyncServiceInfo(ZLFEED, name) for name in names]
        left_ms, kind = 1000 * max(_DETAILS_S, end - time.monotonic()), DNSQuestionType.QM
        await asyncio.gather(*(info.async_request(net.zeroconf, left_ms, question_type=kind) for info in found))
        for browser in browsers:
            await browser.async_cancel()
    finally:
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(_END_S):
                await net.async_close()
    offers = [offer for info in found if (offer := read(info)) is not None]
    return sorted(offers, key=lambda offer: offer.name)


def read(info: AsyncServiceInfo) -> Offer | None:
    """What an answer says, which anybody may have sent; None when it is none of ours."""
    about = {
        key.decode(errors="replace"): (value or b"").decode(errors="replace") for key, value in info.properties.items()
    }
    try:
        rtsp_port = int(about.get("rtsp", ""))
    except ValueError:
        return None
    streams = [
        stream for stream in about.get("streams", "").split(",") if re.fullmatch(r"[A-Za-z0-9._~-]{1,64}", stream)
    ]
    addresses = [address for address in info.parsed_addresses() if _is_public(address)]
    if not (addresses and streams and info.port and 0 < rtsp_port < 65536):
        return None
    name = "".join(sign for sign in info.name.removesuffix(f".{ZLFEED}") if sign.isprintable())[:60]
    return Offer(
        name, tuple(addresses[:8]), rtsp_port, info.port, tuple(streams[:16]),
        about.get("token") == "yes", about.get("version", "")[:20],
    )  # fmt: skip


async def reachable(offer: Offer) -> str:
    """The address of an offer that answers first; the first one when none does."""

    async def attempt(address: str) -> str | None:
        try:
            async with asyncio.timeout(_TRY_S):
                _, writer = await asyncio.open_connection(address, offer.rtsp_port)
        except (OSError, TimeoutError):
            return None
        writer.close()
        return address

    answers = await asyncio.gather(*(attempt(address) for address in offer.addresses))
    return next((address for address in answers if address), offer.addresses[0])
