"""The server's side of one RTSP connection (RFC 2326 sections 10 and 12), as a state machine without I/O.

Bytes go in, actions come out: the edge in server.py carries them out in order.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from zlfeed.rtsp import sdp
from zlfeed.rtsp.auth import Credentials
from zlfeed.rtsp.messages import Interleaved, Parser, Request, Response, RtspError
from zlfeed.rtsp.session import TIMEOUT_S, Session, SessionTable
from zlfeed.rtsp.stream import LiveStream
from zlfeed.rtsp.transport import TcpTransport, Transport, UdpTransport, parse

MAX_FAILURES = 3
"""Wrong passwords on one connection."""
METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER"
OpenPorts = Callable[[Session], tuple[int, int] | None]
"""Opens the server's two UDP ports for a session; None when that is impossible."""


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes for the client."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Play:
    """Start sending frames to a session."""

    session: Session


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop sending frames to a session."""

    session: Session


@dataclass(frozen=True, slots=True)
class End:
    """A session is over; it is in the table no more."""

    session: Session


@dataclass(frozen=True, slots=True)
class Rtcp:
    """A compound RTCP packet from the client, through the connection."""

    session: Session
    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection once everything before is sent. `reason` is for the log."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Someone showed a password, and it is the wrong one: for people to know; told once a connection."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Go on with `go_on` after so many seconds, and read nothing until then: wrong passwords came from there."""

    seconds: float


Action = Send | Play | Pause | End | Rtcp | Close | Refused | Wait


class Judge(Protocol):
    """What is known of the address that a connection comes from."""

    def admit(self) -> float | None:
        """In how many seconds a password from there may be looked at; None: too many wait already."""

    def failed(self) -> None:
        """A password from there was wrong."""


class _Lenient:
    """Nobody counts."""

    def admit(self) -> float | None:
        return 0.0

    def failed(self) -> None:
        return


class Connection:
    """One client. `find` gives the stream at a path; `credentials` None means that everyone may look.

    `own` is the session whose frames go through this connection, or that was set up on it. Below `pull_prefix`, a
    secret path, our own MediaMTX pulls: it needs no password, and its session is marked. `secure` says that all of it
    goes through TLS: then Basic will do, and nothing may go beside it by UDP. `password` is the one shown; `owner`
    says whose sessions its sessions count as.
    """

    def __init__(
        self,
        *,
        local_host: str,
        find: Callable[[str], LiveStream | None],
        credentials: Credentials | None,
        sessions: SessionTable | None = None,
        open_ports: OpenPorts = lambda _session: None,
        pull_prefix: str | None = None,
        judge: Judge | None = None,
        secure: bool = False,
        owner: str = "",
    ) -> None:
        self.own: Session | None = None
        self.password: str | None = None
        self._judge = judge or _Lenient()
        self._secure = secure
        self._owner = owner
        self._control = ""
        self._inbox: deque[Request | Interleaved] = deque()
        self._broken: RtspError | None = None
        self._waits = self._waited = False
        self.agent = ""
        self._sessions = SessionTable() if sessions is None else sessions
        self._open_ports = open_ports
        self._local_host = local_host
        self._find = find
        self._pull_prefix = pull_prefix
        self._credentials = credentials
        self._nonce = secrets.token_hex(16)
        self._parser = Parser()
        self._failures = 0
        self._refused = False

    @property
    def asks(self) -> bool:
        """Whether this client has to show a password."""
        return self._credentials is not None

    def receive(self, data: bytes) -> Iterator[Action]:
        """What to do after the client has sent `data`."""
        try:
            for message in self._parser.feed(data):
                # A response answers nothing we asked: ignored, as RFC 2326 allows for either side's requests.
                if not isinstance(message, Response):
                    self._inbox.append(message)
        except RtspError as error:
            self._broken = error
        if not self._waits:
            yield from self._work()

    def go_on(self) -> Iterator[Action]:
        """What to do when a Wait is over."""
        self._waits, self._waited = False, True
        yield from self._work()

    def _work(self) -> Iterator[Action]:
        """Takes the messages that are here, up to one whose password has to wait for its turn."""
        while self._inbox:
            message = self._inbox[0]
            if isinstance(message, Request) and not self._waited and self._guesses(message):
                wait = self._judge.admit()
                if wait is None:
                    yield Send(Response(503, {"CSeq": message.headers.get("cseq", "0"), "Retry-After": "10"}).encode())
                    yield Close("too many wrong passwords from its address")
                    return
                if wait > 0:
                    self._waits = True
                    yield Wait(wait)
                    return
            self._waited = False
            self._inbox.popleft()
            if isinstance(message, Request):
                for action in self._answer(message):
                    yield action
                    if isinstance(action, Close):
                        return
                continue
            transport = self.own.transport if self.own else None
            if self.own and isinstance(transport, TcpTransport) and message.channel == transport.channel + 1:
                yield Rtcp(self.own, message.data)
        if self._broken is not None:
            error, self._broken = self._broken, None
            headers = {"CSeq": error.cseq} if error.cseq else {}
            yield Send(Response(error.status, headers).encode())
            yield Close(str(error))

    def _guesses(self, request: Request) -> bool:
        """Whether the request shows a password that is worth looking at, and none was right here before."""
        header = request.headers.get("authorization", "")
        if self._credentials is None or self.password is not None or not header or request.method == "OPTIONS":
            return False
        # One made for another connection's nonce says nothing about the password.
        return self._nonce in header or (self._secure and header[:6].lower() == "basic ")

    def _answer(self, request: Request) -> Iterator[Action]:
        if agent := request.headers.get("user-agent"):
            # It is shown on terminals: no control characters.
            self.agent = "".join(filter(str.isprintable, agent))[:120]
        cseq = request.headers.get("cseq")
        if cseq is None:
            yield Send(Response(400).encode())
            return
        actions: list[Action] = []
        if request.version[0] != 1:
            response = Response(505)
        elif request.headers.get("require"):
            response = Response(551, {"Unsupported": request.headers["require"]})
        elif request.method != "OPTIONS" and not self._authorized(request):
            response = self._challenge(request, actions)
        else:
            response = self._dispatch(request, actions)
        headers = {"CSeq": cseq, **response.headers}
        yield Send(Response(response.status, headers, response.body).encode())
        yield from actions

    def _authorized(self, request: Request) -> bool:
        if self._credentials is None or self._is_pull(request):
            return True
        header = request.headers.get("authorization", "")
        shown = self._credentials.shown(header, request.method, self._nonce, secure=self._secure)
        self.password = shown or self.password
        return shown is not None

    def _challenge(self, request: Request, actions: list[Action]) -> Response:
        assert self._credentials is not None
        if "authorization" in request.headers:
            if self._guesses(request):
                self._judge.failed()
                if not self._refused:
                    self._refused = True
                    actions.append(Refused("its password is wrong"))
            self._failures += 1
            if self._failures >= MAX_FAILURES:
                actions.append(Close(f"{MAX_FAILURES} wrong passwords"))
        offered = self._credentials.challenge(self._nonce, secure=self._secure)
        return Response(401, {"WWW-Authenticate": "\n".join(offered)})

    def _dispatch(self, request: Request, actions: list[Action]) -> Response:
        match request.method:
            case "OPTIONS":
                session = self._named(request)
                return Response(200, {"Public": METHODS, **(_session_header(session) if session else {})})
            case "DESCRIBE":
                return self._describe(request)
            case "SETUP":
                return self._setup(request, actions)
            case "PLAY" | "PAUSE" | "TEARDOWN" | "GET_PARAMETER" | "SET_PARAMETER":
                return self._in_session(request, actions)
            case "ANNOUNCE" | "RECORD":
                return Response(405, {"Allow": METHODS})
            case _:
                return Response(501, {"Public": METHODS})

    def _named(self, request: Request) -> Session | None:
        """The session that a request names, marked as alive. One over TCP answers only to its own connection."""
        name = request.headers.get("session", "").split(";")[0].strip()
        session = self._sessions.get(name) if name else None
        if session is None or (isinstance(session.transport, TcpTransport) and session is not self.own):
            return None
        session.alive = True
        return session

    def _stream_at(self, request: Request) -> LiveStream | None:
        # GStreamer appends the control name to the path, FFmpeg behind the query.
        path = request.path.removesuffix(sdp.CONTROL).rstrip("/")
        if self._pull_prefix is not None and self._is_pull(request):
            path = path.removeprefix(self._pull_prefix)
        return self._find(path)

    def _is_pull(self, request: Request) -> bool:
        return self._pull_prefix is not None and request.path.startswith(self._pull_prefix)

    def _describe(self, request: Request) -> Response:
        accept = request.headers.get("accept", "*/*")
        if not any(kind in accept for kind in ("application/sdp", "*/*", "application/*")):
            return Response(406)
        stream = self._stream_at(request)
        if stream is None:
            return Response(404)
        if not stream.ready:
            return Response(503, {"Retry-After": "1"})
        base = request.url.split("?")[0].rstrip("/") + "/"
        body = stream.describe(self._local_host).encode()
        return Response(200, {"Content-Base": base, "Content-Type": "application/sdp"}, body)

    def _setup(self, request: Request, actions: list[Action]) -> Response:
        stream = self._stream_at(request)
        if stream is None:
            return Response(404)
        if "session" in request.headers and (session := self._named(request)) is None:
            return Response(454)
        if self.own is not None:
            if self.own.playing:
                # One stream has one track, and its transport is not changed under way (RFC 2326 section 10.4).
                return Response(455, {"Allow": METHODS})
            # FFmpeg, when no datagram came: PAUSE, then SETUP over TCP without a word about the old session.
            self._sessions.remove(self.own)
            actions.append(End(self.own))
            self.own = None
        proposals = list(parse(request.headers.get("transport", "")))
        for transport in proposals:
            if self._secure and isinstance(transport, UdpTransport):
                continue  # it would go beside TLS, for everyone to see
            pull = self._is_pull(request)
            session = Session(stream, transport, pull=pull, password=self.password, owner=self._owner)
            if not self._sessions.add(session):
                return Response(453)
            ports = self._ports(session, transport)
            if isinstance(transport, UdpTransport) and ports is None:
                self._sessions.remove(session)
                continue
            self.own = session
            self._control = request.url
            reply = transport.reply(stream.rtp.ssrc, ports)
            return Response(200, {"Transport": reply, **_session_header(session)})
        return Response(461)

    def _ports(self, session: Session, transport: Transport) -> tuple[int, int] | None:
        return self._open_ports(session) if isinstance(transport, UdpTransport) else None

    def _in_session(self, request: Request, actions: list[Action]) -> Response:
        session = self._named(request)
        if session is None:
            # A keep-alive outside a session is harmless, and GStreamer sends one before SETUP.
            named = "session" in request.headers
            if request.method == "GET_PARAMETER" and not named:
                return Response(200)
            # Some clients leave the header out where there is only one session it can mean.
            if self.own is None or named:
                return Response(454 if named else 455)
            session = self.own
            session.alive = True
        headers = _session_header(session)
        match request.method:
            case "PLAY":
                if not session.playing:
                    session.playing = True
                    actions.append(Play(session))
                    headers |= self._rtp_info(session)
                headers["Range"] = "npt=now-"
            case "PAUSE":
                if session.playing:
                    session.playing = False
                    actions.append(Pause(session))
            case "TEARDOWN":
                self._sessions.remove(session)
                if session is self.own:
                    self.own = None
                actions.append(End(session))
                headers = {}
            case "SET_PARAMETER" if request.body.strip():
                return Response(451, headers)
        return Response(200, headers)

    def _rtp_info(self, session: Session) -> dict[str, str]:
        """Where the frames begin that follow this answer (RFC 2326 section 12.33), when that is known already.

        The URL is the one of SETUP, letter by letter: that is what players compare it with.
        """
        begins = None if session.pull or session is not self.own else session.stream.begins_at()
        if begins is None or any(mark in self._control for mark in ";,"):
            return {}
        return {"RTP-Info": f"url={self._control};seq={begins[0]};rtptime={begins[1]}"}


def _session_header(session: Session) -> dict[str, str]:
    return {"Session": f"{session.id};timeout={TIMEOUT_S}"}
