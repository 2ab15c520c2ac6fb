"""The relay: an RTSP server for any number of readers, on the event loop of the process that encodes."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterable, Sequence

from zlfeed import logs
from zlfeed.doorway import Doorway, Limit
from zlfeed.gate import Gate
from zlfeed.model import Viewer
from zlfeed.net import bind_tcp, host_port, is_loopback, neighbourhood
from zlfeed.rtsp.auth import Credentials
from zlfeed.rtsp.connection import Action, Close, Connection, End, Pause, Play, Refused, Rtcp, Send, Wait
from zlfeed.rtsp.messages import Response
from zlfeed.rtsp.readers import SessionReader
from zlfeed.rtsp.rtp import AccessUnit
from zlfeed.rtsp.session import Session, SessionTable
from zlfeed.rtsp.stream import LiveStream
from zlfeed.rtsp.tcp_reader import TcpReader
from zlfeed.rtsp.turns import PIECE_BYTES, Turns
from zlfeed.rtsp.udp_reader import UdpReader
from zlfeed.tls import HANDSHAKE_S

log = logs.get(__name__)

REPORT_INTERVAL_S = 2.0
SETUP_TIME_S = 20.0
"""A connection that does not come to play within this time, or again after TEARDOWN, is closed."""
MAX_CONNECTIONS = 256
LOCAL_RESERVE = 16
MAX_CONNECTIONS_EACH = 128
"""Of one address that is not this machine's: nobody alone can shut the others out."""
DOORWAY = Limit(MAX_CONNECTIONS + 64, MAX_CONNECTIONS_EACH + 16)
"""Those in a TLS handshake, or about to hear that there is no room, are among these."""
PRIVATE = Limit(48, 0)
"""On the private port, where all come from this machine."""
_DEAD_PEER_MS = 15_000
"""A peer that acknowledges nothing for this long is gone (TCP_USER_TIMEOUT)."""


class RelayConnection(asyncio.Protocol):
    """One client's socket: carries out what its Connection decides."""

    def __init__(self, relay: Relay, *, counted: bool = True) -> None:
        """`counted`: it is one of those of which there is a limit."""
        self._relay = relay
        self._counted = counted
        self._transport: asyncio.Transport
        self._core: Connection
        self._host = ""
        self._local_host = ""
        self.peer = ""
        self.owner = ""
        """Whose connection it counts as; empty for this machine."""
        self._idle_since = time.monotonic()
        self._turn: asyncio.TimerHandle | None = None
        self.unheard = bytearray()
        """What it has sent and we have not looked at yet."""
        self.full = False
        """Whether it does not take what it is sent."""
        self._asked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        _tune(transport.get_extra_info("socket"))
        peer = transport.get_extra_info("peername") or ("?", 0)
        local = transport.get_extra_info("sockname") or ("127.0.0.1", 0)
        self._host, self._local_host = peer[0], local[0]
        self.peer = host_port(peer[0], peer[1])
        self.owner = "" if is_loopback(peer[0]) else neighbourhood(peer[0])
        self._core = Connection(
            local_host=local[0],
            find=self._relay.streams.get,
            credentials=self._relay.credentials_for(peer[0]),
            sessions=self._relay.sessions,
            open_ports=self._open_ports,
            pull_prefix=self._relay.pull_prefix,
            judge=self,
            secure=transport.get_extra_info("ssl_object") is not None,
            owner=self.owner,
        )
        if not self._relay.allowed(peer[0]):
            self._relay.on_refused(self._host, "it is not among --allow")
            transport.abort()
        elif not self._counted:
            self._relay.connections.add(self)
        elif not self._relay.admit(self):
            # Said at once and not to a request: who has no place here is not to take up our time.
            transport.write(Response(503, {"Retry-After": "5"}).encode())
            transport.close()

    def data_received(self, data: bytes) -> None:
        self.unheard += data
        if not self._asked:
            self._hear()

    def _hear(self) -> None:
        """Takes a piece of what the client has sent."""
        self._asked = False
        if self._transport.is_closing():
            return
        piece = bytes(self.unheard[:PIECE_BYTES])
        del self.unheard[:PIECE_BYTES]
        self._obey(self._core.receive(piece))
        self._read_on()

    def _read_on(self) -> None:
        """Reads more when all is heard, no password waits for its turn, and the client takes what it is sent."""
        if self._transport.is_closing():
            return
        waits = self.full or self._turn is not None
        if waits or self.unheard:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
        if self.unheard and not waits and not self._asked:
            self._asked = True
            self._relay.turns.ask(self._hear)

    def pause_writing(self) -> None:
        """The client does not take what it is sent: it gets no more answers, that its memory here is bounded."""
        self.full = True
        self._read_on()

    def resume_writing(self) -> None:
        """It does again."""
        self.full = False
        self._read_on()

    def _obey(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Send(reply):
                    if not self._transport.is_closing():
                        self._transport.write(reply)
                case Play(session):
                    self._relay.play(session, self._make_tcp_reader)
                case Pause(session):
                    self._relay.pause(session)
                case End(session):
                    self._idle_since = time.monotonic()
                    self._relay.end(session, None)
                case Rtcp(session, packet):
                    self._relay.take_rtcp(session, packet)
                case Refused(reason):
                    self._relay.on_refused(self._host, reason)
                case Wait(seconds):
                    self._turn = asyncio.get_running_loop().call_later(seconds, self._go_on)
                case Close(reason):
                    log.info("rtsp_closed", peer=self.peer, reason=reason)
                    self._transport.close()
                    return

    def _go_on(self) -> None:
        self._turn = None
        if not self._transport.is_closing():
            self._obey(self._core.go_on())
            self._read_on()

    def admit(self) -> float | None:
        """When a password of this client's may be looked at (connection.Judge)."""
        return self._relay.gate.admit(self._host, time.monotonic())

    def failed(self) -> None:
        """This client's password was wrong (connection.Judge)."""
        self._relay.gate.failed(self._host, time.monotonic())

    def is_stale(self, passwords: Collection[str]) -> bool:
        """Whether what this client was let in by, or has still to show, is none of these."""
        own = self._core.own
        return self._core.asks and not (own is not None and own.pull) and self._core.password not in passwords

    def connection_lost(self, exc: Exception | None) -> None:
        if self._turn is not None:
            self._turn.cancel()
        self._relay.connections.discard(self)
        if self._core.own is not None:
            self._relay.orphan(self._core.own)

    def _agent(self) -> str:
        return self._core.agent

    def _make_tcp_reader(self, session: Session) -> TcpReader:
        return TcpReader(session, self.peer, self._agent, self._transport, self._relay.framed)

    def _open_ports(self, session: Session) -> tuple[int, int] | None:
        try:
            reader = UdpReader(session, self.peer, self._host, self._local_host, self._agent)
        except OSError as error:
            log.warning("udp_ports", peer=self.peer, error=str(error))
            return None
        self._relay.readers[session] = reader
        return reader.ports

    def idle(self, now: float) -> bool:
        """Whether this client has had its time and never came to play."""
        own = self._core.own
        return now - self._idle_since > SETUP_TIME_S and (own is None or own not in self._relay.readers)

    def abort(self) -> None:
        """Closes without waiting for what is still to be sent."""
        self._transport.abort()

    def owns(self, session: Session) -> bool:
        """Whether the session was set up here."""
        return self._core.own is session


def _tune(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            # One that paused gets nothing that it could leave unacknowledged.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _DEAD_PEER_MS // 1000)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _DEAD_PEER_MS // 3000)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_PEER_MS)


class Listener:
    """A port of the relay's. `bind` first, so that a taken port is known before anything starts; `serve` when ready.

    Between the two, clients that connect wait in the listener's queue instead of being turned away. To close it ends
    no connection: another program can have the port while sessions live on.
    """

    def __init__(self, relay: Relay, option: str = "--rtsp-port", doorway: Doorway | None = None) -> None:
        """With a `doorway` of its own it shares no limit with the others."""
        self.port = 0
        self.tls: ssl.SSLContext | None = None
        """With one, TLS is spoken here."""
        self._relay = relay
        self._option = option
        self._own_doorway = doorway
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []

    def bind(self, hosts: Sequence[str], port: int) -> None:
        """Takes the port; 0: a free one. Raises PortError."""
        sockets, self.port = bind_tcp(hosts, port, option=self._option)
        self._sockets = (self._own_doorway or self._relay.doorway).guard(sockets)

    async def serve(self) -> None:
        """Begins to accept clients."""
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            server = await loop.create_server(
                lambda: RelayConnection(self._relay, counted=self._own_doorway is None),
                sock=sock,
                ssl=self.tls,
                ssl_handshake_timeout=HANDSHAKE_S if self.tls else None,
                ssl_shutdown_timeout=1.0 if self.tls else None,
            )
            self._servers.append(server)

    def close(self) -> None:
        """Gives the port back."""
        for server in self._servers:
            server.close()
        for sock in self._sockets:
            sock.close()
        self._sockets, self._servers, self.port = [], [], 0


class Relay:
    """The RTSP server: its streams, and everyone who watches them."""

    def __init__(
        self,
        *,
        credentials_for: Callable[[str], Credentials | None] = lambda _host: None,
        allowed: Callable[[str], bool] = lambda _host: True,
        on_refused: Callable[[str, str], None] = lambda _host, _reason: None,
        on_change: Callable[[], None] = lambda: None,
        gate: Gate | None = None,
    ) -> None:
        """`on_refused` hears of each address that is turned away, and why; `gate` counts wrong passwords."""
        self.gate = gate or Gate()
        self.turns = Turns()
        self.streams: dict[str, LiveStream] = {}
        self.connections: set[RelayConnection] = set()
        self.sessions = SessionTable()
        self.readers: dict[Session, SessionReader] = {}
        self.credentials_for = credentials_for
        self.allowed = allowed
        self.on_refused = on_refused
        self.public = Listener(self)
        self.secure = Listener(self, "--rtsps-port")
        """For those who come by TLS, where that is wanted."""
        self.private = Listener(self, doorway=Doorway(PRIVATE))
        """On this machine only, for our own MediaMTX: who fills the public port does not take its pictures from it."""
        self.pull_prefix = f"pull-{secrets.token_hex(12)}/"
        """The secret path below which our own MediaMTX finds the streams."""
        self._changed = on_change
        self._grumble = logs.Grumble(log)
        self.doorway = Doorway(DOORWAY, lambda host: self._grumble("connections_cut", peer=host))
        self._framed: tuple[AccessUnit | None, int, bytes] = (None, -1, b"")

    @property
    def port(self) -> int:
        """The public port; 0 while it is not ours."""
        return self.public.port

    def pull_url(self, stream: str) -> str:
        """Where our own MediaMTX finds a stream."""
        return f"rtsp://127.0.0.1:{self.private.port}/{self.pull_prefix}{stream}"

    # ------------------------------------------------------------ upkeep

    async def run(self) -> None:
        """Sends sender reports and looks after connections and sessions, until cancelled."""
        next_report = 0.0
        while True:
            await asyncio.sleep(0.5)
            now = time.monotonic()
            for connection in tuple(self.connections):
                if connection.idle(now):
                    connection.abort()
            due = now >= next_report
            for session, reader in tuple(self.readers.items()):
                if reason := reader.end_reason(now):
                    self.end(session, reason)
                elif due and reader.playing:
                    reader.report()
                    reader.log_drops()
            if due:
                next_report = now + REPORT_INTERVAL_S - 0.1

    async def close(self) -> None:
        """Closes the ports, all connections and all sessions."""
        self.public.close()
        self.secure.close()
        self.private.close()
        self.turns.close()
        for connection in tuple(self.connections):
            connection.abort()
        for session in tuple(self.readers):
            self.end(session, None)
        await asyncio.sleep(0)

    # ------------------------------------------------------------ what connections ask for

    def admit(self, connection: RelayConnection) -> bool:
        """Whether there is room for one more; strangers leave some for this machine."""
        owner = connection.owner
        if len(self.connections) >= MAX_CONNECTIONS + (0 if owner else LOCAL_RESERVE):
            self._grumble("connection_refused", peer=connection.peer, limit=MAX_CONNECTIONS)
            return False
        if owner and sum(other.owner == owner for other in self.connections) >= MAX_CONNECTIONS_EACH:
            self._grumble("connections_of_one_address", peer=connection.peer, limit=MAX_CONNECTIONS_EACH)
            return False
        self.connections.add(connection)
        return True

    def play(self, session: Session, make: Callable[[Session], SessionReader]) -> None:
        """Begins or resumes a session's frames."""
        reader = self.readers.get(session)
        if reader is None:
            reader = self.readers[session] = make(session)
        reader.play()
        event = "mediamtx_pulls" if session.pull else "viewer_joined"
        log.info(event, peer=reader.peer, transport=reader.transport_name, camera=session.stream.name)
        self._changed()

    def pause(self, session: Session) -> None:
        """Stops a session's frames."""
        if reader := self.readers.get(session):
            reader.pause()
            self._changed()

    def take_rtcp(self, session: Session, packet: bytes) -> None:
        """Hands a viewer's reports to its reader."""
        if reader := self.readers.get(session):
            reader.take_rtcp(packet)

    def orphan(self, session: Session) -> None:
        """A session's connection is gone: over TCP that ends it, over UDP it has a while to show a sign of life."""
        reader = self.readers.get(session)
        if isinstance(reader, UdpReader):
            reader.connected = False
        else:
            self.end(session, None)

    def end(self, session: Session, reason: str | None) -> None:
        """Ends a session, and over TCP its connection when there is a reason against it."""
        self.sessions.remove(session)
        reader = self.readers.pop(session, None)
        if reader is None:
            return
        reader.close()
        event = "mediamtx_left" if session.pull else "viewer_left"
        log.info(event, peer=reader.peer, **({"reason": reason} if reason else {}))
        if reason:
            for connection in tuple(self.connections):
                if connection.owns(session):
                    connection.abort()
        self._changed()

    def end_stale(self, passwords: Collection[str]) -> None:
        """Ends the connections and sessions that were let in by a password that is none of these, the new ones."""
        for connection in tuple(self.connections):
            if connection.is_stale(passwords):
                log.info("rtsp_closed", peer=connection.peer, reason="the token has changed")
                connection.abort()
        for session in tuple(self.readers):
            # Over UDP a session outlives its connection.
            if session.password is not None and session.password not in passwords:
                self.end(session, "the token has changed")

    def framed(self, unit: AccessUnit, channel: int) -> bytes:
        """The unit framed for a channel; made once for all readers on the usual channel."""
        cached, cached_channel, data = self._framed
        if cached is unit and cached_channel == channel:
            return data
        data = unit.interleaved(channel)
        self._framed = (unit, channel, data)
        return data

    # ------------------------------------------------------------ figures

    def viewers(self, stream: LiveStream, now: float) -> list[Viewer]:
        """Those who play a stream, in the order in which they came."""
        playing = [
            reader
            for session, reader in self.readers.items()
            if session.stream is stream and not session.pull and reader.playing
        ]
        return [reader.viewer(now) for reader in sorted(playing, key=lambda r: r.connected_at)]
