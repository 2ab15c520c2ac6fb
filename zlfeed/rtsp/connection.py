"""The server's side of one RTSP connection (RFC 2326 sections 10 and 12), as a state machine without I/O.

Bytes go in, actions come out: the edge in server.py carries them out in order.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from zlfeed.rtsp import sdp
from zlfeed.rtsp.auth import Credentials
from zlfeed.rtsp.messages import Interleaved, Parser, Request, Response, RtspError
from zlfeed.rtsp.stream import LiveStream

METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER"
SESSION_TIMEOUT_S = 60
"""As advertised. A TCP session ends with its connection, so nothing depends on the client keeping to it."""


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes for the client."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Play:
    """Start sending frames; what has been sent so far of the session counts on."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop sending frames."""


@dataclass(frozen=True, slots=True)
class Rtcp:
    """A compound RTCP packet from the client."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection once everything before is sent. `reason` is for the log."""

    reason: str


Action = Send | Play | Pause | Rtcp | Close


@dataclass(slots=True)
class Session:
    """What SETUP has agreed on."""

    id: str
    stream: LiveStream
    channel: int
    playing: bool = False


class Connection:
    """One client. `find` gives the stream at a path; `credentials` None means that everyone may look."""

    def __init__(
        self, *, local_host: str, find: Callable[[str], LiveStream | None], credentials: Credentials | None
    ) -> None:
        self.session: Session | None = None
        self.agent = ""
        self._local_host = local_host
        self._find = find
        self._credentials = credentials
        self._nonce = secrets.token_hex(16)
        self._parser = Parser()
        self._failures = 0

    def receive(self, data: bytes) -> Iterator[Action]:
        """What to do after the client has sent `data`."""
        try:
            for message in self._parser.feed(data):
                if isinstance(message, Interleaved):
                    if self.session and message.channel == self.session.channel + 1:
                        yield Rtcp(message.data)
                elif isinstance(message, Request):
                    yield from self._answer(message)
                # A response answers nothing we asked: ignored, as RFC 2326 allows for either side's requests.
        except RtspError as error:
            headers = {"CSeq": error.cseq} if error.cseq else {}
            yield Send(Response(error.status, headers).encode())
            yield Close(str(error))

    def _answer(self, request: Request) -> Iterator[Action]:
        self.agent = request.headers.get("user-agent", self.agent)[:120]
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
        if self._credentials is None:
            return True
        header = request.headers.get("authorization", "")
        return self._credentials.accepts(header, request.method, self._nonce)

    def _challenge(self, request: Request, actions: list[Action]) -> Response:
        if "authorization" in request.headers:
            self._failures += 1
            if self._failures >= 3:
                actions.append(Close("three wrong passwords"))
        assert self._credentials is not None
        return Response(401, {"WWW-Authenticate": self._credentials.challenge(self._nonce)})

    def _dispatch(self, request: Request, actions: list[Action]) -> Response:
        match request.method:
            case "OPTIONS":
                return Response(200, {"Public": METHODS, **self._session_header()})
            case "DESCRIBE":
                return self._describe(request)
            case "SETUP":
                return self._setup(request)
            case "PLAY" | "PAUSE" | "TEARDOWN" | "GET_PARAMETER" | "SET_PARAMETER":
                return self._in_session(request, actions)
            case "ANNOUNCE" | "RECORD":
                return Response(405, {"Allow": METHODS})
            case _:
                return Response(501, {"Public": METHODS})

    def _session_header(self) -> dict[str, str]:
        return {"Session": f"{self.session.id};timeout={SESSION_TIMEOUT_S}"} if self.session else {}

    def _stream_at(self, request: Request) -> LiveStream | None:
        # GStreamer appends the control name to the path, FFmpeg behind the query.
        path = request.path.removesuffix(sdp.CONTROL).rstrip("/")
        return self._find(path)

    def _describe(self, request: Request) -> Response:
        accept = request.headers.get("accept", "*/*")
        if not any(kind in accept for kind in ("application/sdp", "*/*", "application/*")):
            return Response(406, reason="Not Acceptable")
        stream = self._stream_at(request)
        if stream is None:
            return Response(404)
        if not stream.ready:
            return Response(503, {"Retry-After": "1"})
        base = request.url.split("?")[0].rstrip("/") + "/"
        body = stream.describe(self._local_host).encode()
        return Response(200, {"Content-Base": base, "Content-Type": "application/sdp"}, body)

    def _setup(self, request: Request) -> Response:
        stream = self._stream_at(request)
        if stream is None:
            return Response(404)
        if self.session and self.session.playing:
            return Response(455, {"Allow": METHODS})
        channel = next(filter(lambda c: c is not None, map(_tcp_channel, _transports(request))), None)
        if channel is None:
            return Response(461)
        if (named := _session_id(request)) and (self.session is None or named != self.session.id):
            return Response(454)
        if self.session is None:
            self.session = Session(secrets.token_hex(8), stream, channel)
        else:
            self.session.stream, self.session.channel = stream, channel
        transport = f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1};ssrc={stream.rtp.ssrc:08X}"
        return Response(200, {"Transport": transport, **self._session_header()})

    def _in_session(self, request: Request, actions: list[Action]) -> Response:
        named = _session_id(request)
        if self.session is None or (named and named != self.session.id):
            # A keep-alive outside a session is harmless, and GStreamer sends one before SETUP.
            if request.method == "GET_PARAMETER" and not named:
                return Response(200)
            return Response(455 if self.session is None and not named else 454)
        session = self.session
        headers = self._session_header()
        match request.method:
            case "PLAY":
                if not session.playing:
                    session.playing = True
                    actions.append(Play())
                headers["Range"] = "npt=now-"
            case "PAUSE":
                if session.playing:
                    session.playing = False
                    actions.append(Pause())
            case "TEARDOWN":
                if session.playing:
                    actions.append(Pause())
                self.session = None
                headers = {}
            case "SET_PARAMETER" if request.body.strip():
                return Response(451, headers)
        return Response(200, headers)


def _session_id(request: Request) -> str:
    return request.headers.get("session", "").split(";")[0].strip()


def _transports(request: Request) -> list[str]:
    return [text.strip() for text in request.headers.get("transport", "").split(",")]


def _tcp_channel(transport: str) -> int | None:
    """The RTP channel that a Transport specification asks for, 0 when it leaves the choice to us; None: not for TCP."""
    protocol, *parameters = [part.strip().lower() for part in transport.split(";")]
    if protocol != "rtp/avp/tcp" or "multicast" in parameters:
        return None
    for parameter in parameters:
        if parameter.startswith("mode=") and "play" not in parameter:
            return None
        if match := re.fullmatch(r"interleaved=(\d{1,3})(?:-\d{1,3})?", parameter):
            return int(match[1]) if int(match[1]) < 255 else None
    return 0
