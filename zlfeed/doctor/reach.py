"""The net: this machine's addresses, the way to the publisher, and whether that answers."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from zlfeed import discovery
from zlfeed.config import Settings
from zlfeed.doctor.finding import Finding
from zlfeed.errors import UsageError
from zlfeed.net import host_port, is_loopback, is_own, plain_host
from zlfeed.receiver.describe import describe
from zlfeed.receiver.probe import ask_status
from zlfeed.receiver.target import Target, parse
from zlfeed.status_address import status_url
from zlfeed.tls import Trust
from zlfeed.tokens import for_client

_VPN_PREFIXES = ("wg", "tun", "tap", "tailscale", "zt", "ppp", "utun")
_THERE = "on the publisher's machine `zlfeed doctor` and `zlfeed service status` say more"
_ANY_PORT = 9
"""A UDP socket that is connected sends nothing; it only has the system choose the way."""


@dataclass(frozen=True, slots=True)
class Own:
    """One of this machine's addresses, on an interface that is up; `bits` of it are the network's, where known."""

    interface: str
    address: str
    bits: int | None = None

    @property
    def is_vpn(self) -> bool:
        """By the interface's name."""
        return self.interface.startswith(_VPN_PREFIXES)

    def is_near(self, host: str) -> bool:
        """Whether an address is in the same network."""
        if self.bits is None:
            return False
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(host) in ipaddress.ip_network((self.address, self.bits), strict=False)
        return False


def own() -> list[Own]:
    """This machine's addresses that others can reach."""
    states = psutil.net_if_stats()
    return [
        Own(name, plain_host(str(address.address)), _bits(address.netmask))
        for name, found in psutil.net_if_addrs().items()
        for address in found
        if address.family in (socket.AF_INET, socket.AF_INET6)
        and not is_loopback(str(address.address))
        and not str(address.address).startswith("fe80:")
        and (name not in states or states[name].isup)
    ]


def _bits(netmask: str | None) -> int | None:
    with contextlib.suppress(ValueError):
        return bin(int(ipaddress.ip_address(netmask or ""))).count("1")
    return None


def network(settings: Settings) -> Iterator[Finding]:
    """This machine's addresses, its VPN, and where the address that was named is."""
    here = own()
    if not here:
        yield Finding("network", "warn", "no address but this machine's own", "only this machine can watch")
    else:
        yield Finding("network", "ok", ", ".join(f"{one.address} ({one.interface})" for one in here))
    vpn = [f"{one.address} ({one.interface})" for one in here if one.is_vpn]
    if vpn:
        yield Finding("vpn", "ok", ", ".join(vpn))
    named = dict.fromkeys(name for name in (settings.advertise, settings.publisher) if name)
    for name in named:
        yield from _where(name, here, named_by_both=settings.advertise == settings.publisher, settings=settings)


def _where(name: str, here: list[Own], *, named_by_both: bool, settings: Settings) -> Iterator[Finding]:
    host = name.strip("[]")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return  # a name; whether it is known shows when the publisher is asked
    advertised = name == settings.advertise and not named_by_both
    if address.is_loopback:
        return
    if mine := next((one for one in here if one.address == str(address)), None):
        said = "is advertised" if name == settings.advertise else "is where the publisher is looked for"
        yield Finding("address", "ok", f"{host} {said}, and is this machine's ({mine.interface})")
    elif advertised:
        cure = "is the VPN up? else correct --advertise"
        yield Finding("address", "warn", f"{host} is advertised, and is no address of this machine", cure)
    else:
        yield _way(str(address), here)


def source_for(host: str) -> str:
    """The address from which the system would send to `host`, an address. Raises OSError where there is no way."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((host, _ANY_PORT))
        return plain_host(probe.getsockname()[0])


def _way(host: str, here: list[Own]) -> Finding:
    """How the system would send to an address elsewhere."""
    cure = "is the VPN up, here and there? else correct PI_VPN_IP"
    try:
        source = source_for(host)
    except OSError as error:
        return Finding("address", "warn", f"there is no way from here to {host}: {error.strerror}", cure)
    through = next((one for one in here if one.address == source), None)
    where = f"{source} ({through.interface})" if through else source
    if through is None or through.is_vpn or through.is_near(host) or not ipaddress.ip_address(host).is_private:
        return Finding("address", "ok", f"{host} is another machine; the way to it begins at {where}")
    text = f"{host} is another machine, in no network of this one: the way to it begins at {where}, which is no VPN"
    return Finding("address", "warn", text, cure)


def publisher(settings: Settings) -> Iterator[Finding]:
    """Whether the publishers that viewers here would look for answer: at both of their doors."""
    secure = bool(settings.fingerprint)
    port = settings.rtsps_port if secure else settings.rtsp_port
    if settings.publisher:
        try:
            target = parse(settings.publisher, rtsp_port=port, stream_name=settings.stream_name, secure=secure)
            status = status_url(target.host, settings.websocket_port, secure=secure)
        except UsageError as error:
            yield Finding("publisher", "fail", str(error), "correct PI_VPN_IP, or `publisher` in zlfeed.toml")
            return
        yield from _asked(settings, target, status, for_client(settings, target.host))
        return
    offers = asyncio.run(discovery.find())
    if not offers:
        yield Finding("publisher", "ok", "no PI_VPN_IP is set, and none is announced in the local net")
    for offer in offers:
        host = asyncio.run(discovery.reachable(offer))
        target = parse(f"{host_port(host, offer.rtsp_port)}/{offer.streams[0]}", rtsp_port=0, stream_name="")
        # Anybody may announce a publisher: only this machine's own is shown a token.
        token = for_client(settings, host) if is_own(host) else ""
        yield from _asked(settings, target, status_url(host_port(host, offer.websocket_port), 0), token)


def _asked(settings: Settings, target: Target, status: str, token: str) -> Iterator[Finding]:
    trust = Trust(settings.fingerprint)
    answer = describe(target.with_token(token), settings.connection_timeout, trust)
    if answer.wants_token and not settings.publisher:
        yield Finding("publisher rtsp", "ok", f"{target.url} answers, and asks for a token; none was shown to it")
        return
    took = f" ({answer.took_ms:.0f} ms)" if answer.ok and answer.took_ms is not None else ""
    yield Finding("publisher rtsp", "ok" if answer.ok else "warn", answer.sentence + took, _THERE)
    for found in asyncio.run(ask_status(status, token, settings.connection_timeout, trust)):
        check = "publisher clock" if found.subject == "clock" else "publisher status"
        yield Finding(check, "ok" if found.ok else "warn", found.text, _THERE)
