"""The front door: who serves viewers at which URL — the relay alone, MediaMTX beside it, or MediaMTX before it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from zlfeed import logs
from zlfeed.errors import PortError, StartError, UsageError
from zlfeed.model import Viewer, WebrtcOffer
from zlfeed.net import ANY, LOOPBACK, bind_tcp, host_port, is_loopback, is_own
from zlfeed.publisher import target, urls
from zlfeed.publisher.controls.definitions import Refused
from zlfeed.publisher.mediamtx import whep
from zlfeed.publisher.mediamtx.config import VIEWER, MediaMtxSettings, Ports, takes
from zlfeed.publisher.mediamtx.http import Place
from zlfeed.publisher.mediamtx.locate import Program, locate
from zlfeed.publisher.mediamtx.server import EventSink, MediaMtx
from zlfeed.publisher.mediamtx.whep import Call
from zlfeed.rtsp.auth import Login
from zlfeed.rtsp.server import Relay
from zlfeed.tls import Pair, unverified

log = logs.get(__name__)

Topology = Literal["embedded", "beside", "classic"]
"""`beside`: the relay keeps RTSP, MediaMTX adds the rest (--server auto). `classic`: MediaMTX has the RTSP port."""

TRIAL_S = 60.0
"""How long MediaMTX must hold on spare ports before it gets the public port back."""
RETRY_S = 60.0
PATIENCE_S = 1.2
"""Classic: how long MediaMTX has for a restart before the relay stands in."""
ASKED_S = 20.0
"""How long the answer to someone who wants MediaMTX tried again waits for it."""
_BESIDE_S = 3.0
"""How long the first "ready" waits for MediaMTX's URLs."""


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """What the front door is made of.

    MediaMTX's WebRTC and HLS know only Basic. `web_plain`: the token may go over plain HTTP; it may at `vpn_address`.
    """

    topology: Topology
    hosts: Sequence[str]
    rtsp_port: int
    webrtc_port: int
    hls_port: int
    program: Program | None = None
    tokens: Callable[[], Sequence[str]] = tuple
    """Those in force, any of which will do; none: everyone may look."""
    advertise: str | None = None
    web_plain: bool = False
    vpn_address: str | None = None
    allow: Sequence[str] = ()
    tls: Pair | None = None
    tls_context: ssl.SSLContext | None = None
    rtsps_port: int = 0


def choose(server: str, mediamtx_path: Path | None) -> tuple[Topology, Program | None]:
    """What --server asks for, with the MediaMTX that serves it. Raises UsageError or StartError.

    With `auto`, one that nobody named and that is of no use is left out, with words.
    """
    match server:
        case "embedded":
            return "embedded", None
        case "auto":
            try:
                program = locate(mediamtx_path)
            except StartError as error:
                if mediamtx_path is not None:
                    raise
                # Nobody asked for it: one that is too old or broken takes nothing from those who watch the relay.
                program = None
                log.warning("mediamtx_left_out", reason=str(error), meaning="no WebRTC and no HLS")
            return ("beside" if program else "embedded"), program
        case "mediamtx":
            program = locate(mediamtx_path)
            if program is None:
                raise StartError(
                    "--server mediamtx wants MediaMTX, and there is none on PATH nor in the data folder: fetch it by "
                    "zlfeed mediamtx install, name it with --mediamtx-path, or choose --server embedded"
                )
            return "classic", program
        case url if target.is_url(url):
            # Pushed besides (push.py): the relay serves as ever.
            return "embedded", None
        case _:
            raise UsageError(f"--server is auto, embedded, mediamtx or rtsp://HOST[:PORT]/PATH, not {server!r}")


TOKEN_SIGNS = "MediaMTX takes no token with signs other than letters, digits and !$()*+.;<=>[]^_-{}@#&"


def fitting(topology: Topology, program: Program | None, tokens: Sequence[str]) -> tuple[Topology, Program | None]:
    """The same, or the relay alone where MediaMTX would not start with these tokens. Raises UsageError in its place."""
    if program is None or all(takes(token) for token in tokens):
        return topology, program
    if topology == "classic":
        raise UsageError(f"{TOKEN_SIGNS}: choose another token, or --server embedded")
    log.warning("mediamtx_left_out", reason=TOKEN_SIGNS, meaning="no WebRTC and no HLS; the relay serves all the same")
    return "embedded", None


class FrontDoor:
    """Opens the public port with the right server behind it, and keeps it open."""

    def __init__(
        self,
        settings: DoorSettings,
        relay: Relay,
        *,
        feeding: Callable[[], Mapping[str, int]],
        on_event: EventSink,
        on_change: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._relay = relay
        self._on_event = on_event
        self._on_change = on_change
        self._feeding = feeding
        self._rtsp_port = settings.rtsp_port
        self._rtsps_port = settings.rtsps_port
        self._plain_hosts = urls.plain_hosts(tuple(settings.hosts)) if settings.tls else settings.hosts
        relay.secure.tls = settings.tls_context
        self._own_tls = unverified() if settings.tls else None
        self._retry_asked = asyncio.Event()
        self._fallback = False
        self._ports = Ports(None, None, None, 0)
        self._web: Sequence[str] = LOOPBACK
        """Where MediaMTX's WebRTC and HLS listen."""
        self._api_password = secrets.token_urlsafe(16)
        # Beside the relay it may take its time; before it, viewers have nothing until the relay stands in.
        patience_s = PATIENCE_S if settings.topology == "classic" else None
        self.mediamtx = self._make(lambda: self._ports, on_event, patience_s) if settings.program else None

    # ------------------------------------------------------------ what is shown

    @property
    def server(self) -> str:
        """Who serves now: embedded, embedded+mediamtx, mediamtx, or embedded (fallback)."""
        match self._settings.topology:
            case "classic":
                return "embedded (fallback)" if self._fallback else "mediamtx"
            case "beside":
                return "embedded+mediamtx"
            case _:
                return "embedded"

    def urls(self, host: str, stream: str) -> dict[str, str]:
        """Where a stream can be watched just now; browsers' URLs only while MediaMTX serves."""
        secure = self._settings.tls is not None
        if secure and not is_loopback(host):
            found = {"rtsp": urls.rtsp_url(host, self._rtsps_port, stream, secure=True)}
        else:
            found = {"rtsp": urls.rtsp_url(host, self._rtsp_port, stream)}
        scheme = "https" if secure else "http"
        if self.mediamtx is None or not self.mediamtx.ready or self._fallback:
            return found
        web = host if self._web_is_public() else _reached_at(self._web)
        if self._ports.webrtc:
            found["webrtc"] = f"{scheme}://{host_port(web, self._ports.webrtc)}/{stream}"
        if self._ports.hls:
            found["hls"] = f"{scheme}://{host_port(web, self._ports.hls)}/{stream}"
        return found

    def viewers(self, stream: str) -> list[Viewer]:
        """Those who watch through MediaMTX."""
        path = self.mediamtx.paths.get(stream) if self.mediamtx else None
        return list(path.readers) if path else []

    async def call(self, offer: WebrtcOffer, viewer_host: str) -> Call:
        """Places a viewer's WebRTC call, whom we let in ourselves: at MediaMTX, while it serves."""
        port = self._ports.webrtc
        if offer.camera not in self._relay.streams:
            return whep.refused(offer, f"there is no camera {offer.camera[:64]!r}")
        if self.mediamtx is None or not self.mediamtx.ready or self._fallback or not port:
            return whep.refused(offer, "MediaMTX does not serve just now" if port else "there is no WebRTC here")
        login = next((Login(VIEWER, token).basic for token in self._settings.tokens()), "")
        there = Place(_reached_at(self._web), port, login, self._own_tls)
        return await whep.place(offer, there, viewer_host)

    def actions(self) -> dict[str, Callable[[str], Awaitable[None]]]:
        """What can be asked of it, as controls."""
        return {"retry_mediamtx": lambda _: self.retry_mediamtx()} if self.mediamtx else {}

    async def retry_mediamtx(self) -> None:
        """Has a MediaMTX that was given up tried again now, with its own port, instead of after minutes.

        Returns when it serves. Raises Refused when it serves already, or does not come to.
        """
        mediamtx = self.mediamtx
        if mediamtx is None or mediamtx.restarts.state != "given_up":
            raise Refused("MediaMTX was not given up: it serves, or is being started")
        self._retry_asked.set()
        try:
            async with asyncio.timeout(ASKED_S):
                while self._retry_asked.is_set() or not mediamtx.ready:
                    if not self._retry_asked.is_set() and mediamtx.restarts.state == "given_up":
                        raise Refused(f"MediaMTX was tried, and given up again: {mediamtx.restarts.last_error}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise Refused(f"MediaMTX does not serve yet, after {ASKED_S:g} s") from None

    def check(self, tokens: Sequence[str]) -> None:
        """Whether these could be the tokens from now on. Raises UsageError."""
        if self.mediamtx is not None and not all(takes(token) for token in tokens):
            raise UsageError(f"{TOKEN_SIGNS}: the old one stays")

    def renew(self) -> None:
        """Has MediaMTX started anew, with the tokens as they are now; its viewers must come again."""
        if self.mediamtx is not None:
            self.mediamtx.ask_renewal()

    # ------------------------------------------------------------ life

    def bind(self) -> None:
        """Takes or tries the ports. Raises PortError."""
        s = self._settings
        if s.topology == "classic":
            self._rtsp_port = _free_tcp(self._plain_hosts, s.rtsp_port, "--rtsp-port")
            if s.tls:
                self._rtsps_port = _free_tcp(s.hosts, s.rtsps_port, "--rtsps-port")
        else:
            self._take_public()
            self._rtsp_port = self._relay.public.port
            self._rtsps_port = self._relay.secure.port
        if self.mediamtx is not None:
            self._relay.private.bind(LOOPBACK[:1], 0)
            self._web = self._web_hosts()
            self._ports = self._choose_ports()

    def _take_public(self) -> None:
        """Has the relay take the public ports, both or none. Raises PortError."""
        self._relay.public.bind(self._plain_hosts, self._rtsp_port)
        if self._settings.tls:
            try:
                self._relay.secure.bind(self._settings.hosts, self._rtsps_port)
            except PortError:
                self._relay.public.close()
                raise

    async def _serve_public(self) -> None:
        await self._relay.public.serve()
        await self._relay.secure.serve()

    def _choose_ports(self) -> Ports:
        s = self._settings
        web = self._web
        beside = self._free_or_off(self._plain_hosts, self._rtsp_port + 1 if s.rtsp_port else 0, "--rtsp-port")
        return Ports(
            rtsp=self._rtsp_port if s.topology == "classic" else beside,
            webrtc=self._free_or_off(web, s.webrtc_port, "--webrtc-port"),
            hls=self._free_or_off(web, s.hls_port, "--hls-port"),
            api=0,
            webrtc_udp=_free_udp(s.hosts),
            rtsps=self._rtsps_port if s.tls and s.topology == "classic" else None,
        )

    def _free_or_off(self, hosts: Sequence[str], port: int, option: str) -> int | None:
        """The port, or None when it is taken: that server of MediaMTX's stays off, and the rest works."""
        try:
            return _free_tcp(hosts, port, option)
        except PortError as error:
            self._on_event("warning", "port_taken", f"{error}; what it is for stays off")
            return None

    def _web_is_public(self) -> bool:
        return not self._settings.tokens() or self._settings.web_plain or self._settings.tls is not None

    def _web_hosts(self) -> Sequence[str]:
        s = self._settings
        if self._web_is_public():
            return s.hosts
        # Where it is: for the address of a VPN that is down MediaMTX would not start.
        if s.vpn_address and (tuple(s.hosts) == ANY or s.vpn_address in s.hosts) and is_own(s.vpn_address):
            return (s.vpn_address,)
        return LOOPBACK

    def _make(self, ports: Callable[[], Ports], on_event: EventSink, patience_s: float | None = None) -> MediaMtx:
        assert self._settings.program is not None
        return MediaMtx(
            self._settings.program.path,
            lambda: self._mediamtx_settings(ports()),
            feeding=self._feeding,
            on_event=on_event,
            on_change=self._on_change,
            patience_s=patience_s,
        )

    def _mediamtx_settings(self, ports: Ports) -> MediaMtxSettings:
        s = self._settings
        self._web = self._web_hosts()
        return MediaMtxSettings(
            # The API's port is nobody's business but ours, and chosen anew each time: the last may be taken by now.
            ports=replace(ports, api=_free_tcp(LOOPBACK[:1], 0, "")),
            sources={name: self._relay.pull_url(name) for name in self._relay.streams},
            api_password=self._api_password,
            host=_bind_address(s.hosts),
            web_host_bind=_bind_address(self._web),
            proxy=_reached_at(self._web),
            web_host=s.advertise,
            tokens=s.tokens(),
            tls=s.tls,
            # One address is all that MediaMTX takes.
            rtsp_host=_bind_address(self._plain_hosts) if s.tls else None,
            allow=[*s.allow, "127.0.0.1", "::1"] if s.allow else (),
        )

    async def run(self) -> None:
        """Opens the door, once there is something to show, and keeps it open until cancelled."""
        await self._relay.private.serve()
        match self._settings.topology:
            case "classic":
                await self._classic()
            case "beside":
                await self._serve_public()
                await self._beside()
            case _:
                await self._serve_public()
                await asyncio.Event().wait()

    async def opened(self) -> None:
        """Returns when viewers can come: with MediaMTX's own doors too, unless they take too long."""
        mediamtx = self.mediamtx
        until = time.monotonic() + _BESIDE_S
        while mediamtx is not None and not mediamtx.ready and not self._fallback:
            if self._settings.topology == "beside" and time.monotonic() > until:
                return
            await asyncio.sleep(0.02)

    async def _beside(self) -> None:
        assert self.mediamtx is not None
        while True:
            await self.mediamtx.run()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._retry_asked.wait(), RETRY_S)
            self.mediamtx.restarts.reset()
            self.mediamtx.restarts.starting()
            self._retry_asked.clear()

    async def _classic(self) -> None:
        assert self.mediamtx is not None
        while True:
            await self.mediamtx.run()
            await self._stand_in()
            try:
                await self._until_mediamtx_is_well()
            finally:
                closed = time.monotonic()
                self._relay.public.close()
                self._relay.secure.close()
                self._fallback = False
            self.mediamtx.begin_anew(down_since=closed)
            self._retry_asked.clear()
            self._on_event("info", "mediamtx_back", f"MediaMTX gets port {self._rtsp_port} back")

    async def _stand_in(self) -> None:
        """The relay takes the public port, at the same URL; as often as it takes to get it."""
        assert self.mediamtx is not None
        told = False
        while True:
            try:
                self._take_public()
                break
            except PortError as error:
                if not told:
                    self._on_event("error", "fallback_failed", str(error))
                    told = True
                await asyncio.sleep(0.5)
        await self._serve_public()
        self._fallback = True
        gap = (time.monotonic() - self.mediamtx.down_since) * 1000
        self._on_event(
            "warning", "fallback", f"the relay stands in for MediaMTX at port {self._rtsp_port}, after {gap:.0f} ms"
        )
        self._on_change()

    async def _until_mediamtx_is_well(self) -> None:
        """Returns when MediaMTX has held for a minute on spare ports, or when someone asks for it."""
        asked = asyncio.create_task(self._retry_asked.wait())
        try:
            while not asked.done():
                trial = asyncio.create_task(self._trial())
                try:
                    await asyncio.wait((asked, trial), return_when=asyncio.FIRST_COMPLETED)
                    held = trial.done() and trial.result()
                finally:
                    trial.cancel()
                    await asyncio.gather(trial, return_exceptions=True)
                if held:
                    return
                if not asked.done():
                    await asyncio.wait((asked,), timeout=RETRY_S)
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    async def _trial(self) -> bool:
        """Whether MediaMTX holds on spare ports."""
        try:
            rtsp, webrtc, hls = (_free_tcp(LOOPBACK[:1], 0, "") for _ in range(3))
            spare = Ports(rtsp, webrtc, hls, api=0, webrtc_udp=_free_udp(LOOPBACK, 0))
        except (OSError, PortError):  # no ports, or no descriptors: the relay goes on meanwhile
            return False
        # How the trial goes is for the log; what viewers have does not change by it.
        mediamtx = self._make(lambda: spare, lambda _level, code, text: log.debug("trial", code=code, text=text))
        running = asyncio.create_task(mediamtx.run())
        try:
            while not running.done():
                await asyncio.wait((running,), timeout=0.5)
                if mediamtx.ready and time.monotonic() - mediamtx.ready_since >= TRIAL_S:
                    return True
            return False
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def _bind_address(hosts: Sequence[str]) -> str:
    """As MediaMTX writes it: empty for every address."""
    if tuple(hosts) == ANY:
        return ""
    return hosts[0]


def _reached_at(hosts: Sequence[str]) -> str:
    """Our own way to what listens there."""
    return LOOPBACK[0] if tuple(hosts) == ANY else hosts[0]


def _free_tcp(hosts: Sequence[str], port: int, option: str) -> int:
    """The port if it is free (0: any free one), given back at once. Raises PortError."""
    sockets, port = bind_tcp(hosts, port, option=option)
    for sock in sockets:
        sock.close()
    return port


def _free_udp(hosts: Sequence[str], wanted: int = 8189) -> int:
    """`wanted`, MediaMTX's usual port for WebRTC's datagrams, if it is free, else any other."""
    family = socket.AF_INET6 if ":" in hosts[0] else socket.AF_INET
    for port in (wanted, 0):
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                sock.bind((hosts[0], port))
            except OSError:
                continue
            return int(sock.getsockname()[1])
    raise PortError("no UDP port is free for WebRTC")
