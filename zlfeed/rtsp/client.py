"""The client's side of an RTSP connection; that which publishes: ANNOUNCE, SETUP, RECORD (RFC 2326 10.3, 10.4, 10.11).

A state machine without I/O: bytes go in, actions come out. Frames go through the connection itself (section 10.12).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from zlfeed.logs import scrub
from zlfeed.rtsp import sdp
from zlfeed.rtsp.auth import Challenge, Login, best, challenges
from zlfeed.rtsp.messages import Headers, Interleaved, Parser, Request, Response, RtspError

DEFAULT_TIMEOUT_S = 60
"""A session's time-out when the server names none (RFC 2326 section 12.37)."""
_INCURABLE = frozenset({301, 302, 305, 401, 403, 404, 405, 415, 461, 501, 505, 551})
"""Answers that will be the same however often we ask."""
_STALE_LIMIT = 3
TCP = "RTP/AVP/TCP;unicast;interleaved=0-1"


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes for the server."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Recording:
    """The server takes frames now: RTP on `channel`, RTCP on the one after; it forgets us after `timeout_s`."""

    channel: int
    timeout_s: int


@dataclass(frozen=True, slots=True)
class Rtcp:
    """A compound RTCP packet from the server."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is of no more use. `curable`: another attempt may go better."""

    reason: str
    curable: bool


@dataclass(frozen=True, slots=True)
class Playing:
    """The server sends frames now; it forgets us after `timeout_s`."""

    timeout_s: int


@dataclass(frozen=True, slots=True)
class Rtp:
    """An RTP packet from the server."""

    data: bytes


Action = Send | Recording | Playing | Rtp | Rtcp | Lost


class Client(ABC):
    """What clients share: requests one after another, logins, the session, its sign of life.

    `url` is without credentials; `waiting` says whether an answer is due; `basic` whether the password has crossed
    the net readably.
    """

    def __init__(self, url: str, login: Login | None, agent: str) -> None:
        self.basic = False
        self._url = url
        self._login = login
        self._agent = agent
        self._parser = Parser()
        self._cseq = 0
        self._asked: Request | None = None
        self._signings = 0
        self._challenge: Challenge | None = None
        self._answers_to_challenge = 0
        self._session = ""
        self._timeout_s = DEFAULT_TIMEOUT_S
        self._channel = 0
        self._keep_alive = "OPTIONS"
        self._running = False
        """Whether frames go, one way or the other."""

    @abstractmethod
    def _first(self) -> Send:
        """The first request after OPTIONS."""

    @abstractmethod
    def _succeeded(self, asked: Request, response: Response) -> Iterator[Action]:
        """The next step after the server granted `asked`. May raise RtspError."""

    @property
    def waiting(self) -> bool:
        """Whether the server owes us an answer."""
        return self._asked is not None

    # ------------------------------------------------------------ what the edge asks for

    def begin(self) -> Iterator[Action]:
        """The connection stands."""
        yield self._ask("OPTIONS", self._url)

    def keep_alive(self) -> Iterator[Action]:
        """A sign of life for the session, unless an answer is due anyway."""
        if self._running and self._asked is None:
            yield self._ask(self._keep_alive, self._url)

    def end(self) -> Iterator[Action]:
        """We leave: TEARDOWN, whose answer nobody needs."""
        if self._session:
            self._running = False
            yield self._ask("TEARDOWN", self._url)

    def receive(self, data: bytes) -> Iterator[Action]:
        """What to do after the server has sent `data`; nothing follows a Lost."""
        try:
            for message in self._parser.feed(data):
                if isinstance(message, Interleaved):
                    yield from self._interleaved(message)
                    continue
                actions = self._obey(message) if isinstance(message, Request) else self._answered(message)
                for action in actions:
                    yield action
                    if isinstance(action, Lost):
                        return
        except RtspError as error:
            yield Lost(f"it does not speak RTSP ({error})", curable=self._running)

    def _interleaved(self, frame: Interleaved) -> Iterator[Action]:
        if self._running and frame.channel == self._channel + 1:
            yield Rtcp(frame.data)

    # ------------------------------------------------------------ requests

    def _ask(self, method: str, url: str, body: bytes = b"", **headers: str) -> Send:
        self._signings = 0
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._send(Request(method, url, Headers(named), body))

    def _send(self, request: Request) -> Send:
        """The request with the fields that all have; it is now the one that an answer is due to."""
        self._cseq += 1
        self._asked = request
        fields = {"CSeq": str(self._cseq), "User-Agent": self._agent, **request.headers}
        if self._session:
            fields["Session"] = self._session
        if self._login and self._challenge:
            self._answers_to_challenge += 1
            self.basic = self.basic or self._challenge.scheme == "basic"
            fields["Authorization"] = self._login.answer(
                self._challenge, request.method, request.url, self._answers_to_challenge
            )
        return Send(Request(request.method, request.url, Headers(fields), request.body).encode())

    def _obey(self, request: Request) -> Iterator[Action]:
        """A server may ask its client too (RFC 2326 section 10)."""
        fields = Headers({"CSeq": request.headers["cseq"]} if "cseq" in request.headers else {})
        status = 200 if request.method in ("OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "TEARDOWN") else 501
        yield Send(Response(status, fields).encode())
        if request.method == "TEARDOWN":
            yield Lost("it ended the session", curable=True)

    # ------------------------------------------------------------ answers

    def _answered(self, response: Response) -> Iterator[Action]:
        asked, cseq = self._asked, response.headers.get("cseq")
        if asked is None or response.status < 200 or (cseq is not None and cseq.strip() != str(self._cseq)):
            return
        self._asked = None
        self._note_session(response.headers.get("session", ""))
        if response.status == 401:
            yield self._sign(asked, response)
        elif self._running:
            # What a keep-alive is answered does not matter, as long as the session is known.
            if response.status == 454:
                yield Lost("it has forgotten the session", curable=True)
        elif asked.method == "OPTIONS":
            if "GET_PARAMETER" in response.headers.get("public", ""):
                self._keep_alive = "GET_PARAMETER"
            yield self._first()
        elif response.status >= 300:
            yield _refusal(asked.method, response)
        else:
            yield from self._succeeded(asked, response)

    def _note_session(self, header: str) -> None:
        name, *parameters = [part.strip() for part in header.split(";")]
        if not name:
            return
        self._session = name
        for parameter in parameters:
            if (match := re.fullmatch(r"timeout\s*=\s*(\d{1,6})", parameter)) and int(match[1]):
                self._timeout_s = int(match[1])

    def _sign(self, asked: Request, response: Response) -> Action:
        """Asks again with what the server wants to know: once, a few times if only its nonce was too old."""
        offered = challenges(response.headers.get("www-authenticate", ""))
        if self._login is None:
            return Lost("it asks for a user name and a password", curable=False)
        challenge = best(offered)
        stale = challenge is not None and challenge.parameters.get("stale", "").lower() == "true"
        # MediaMTX offers nothing any more once a password was wrong.
        if self._signings and not (stale and self._signings < _STALE_LIMIT):
            return Lost("it refuses the user name or the password", curable=False)
        if challenge is None:
            schemes = ", ".join(sorted({c.scheme for c in offered})) or "nothing"
            return Lost(f"it asks for a login of a kind not known here ({schemes})", curable=False)
        self._signings += 1
        self._challenge = challenge
        self._answers_to_challenge = 0
        return self._send(asked)

    def _refused_transport(self, transport: str) -> Lost | None:
        """Takes the channel from the answer to SETUP; why not, when it is not over this connection."""
        match = re.search(r"interleaved\s*=\s*(\d{1,3})", transport)
        if not transport.upper().startswith("RTP/AVP/TCP") or (match and int(match[1]) > 254):
            return Lost(f"it does not take RTP over TCP: it answers Transport {transport[:80]!r}", curable=False)
        self._channel = int(match[1]) if match else 0
        return None


class RecordingClient(Client):
    """Publishes one stream at a server. `description` is the SDP."""

    def __init__(self, url: str, login: Login | None, description: str, agent: str) -> None:
        super().__init__(url, login, agent)
        self._description = description

    def _first(self) -> Send:
        return self._ask("ANNOUNCE", self._url, self._description.encode(), Content_Type="application/sdp")

    def _succeeded(self, asked: Request, response: Response) -> Iterator[Action]:
        if asked.method == "ANNOUNCE":
            yield self._ask("SETUP", f"{self._url}/{sdp.CONTROL}", Transport=f"{TCP};mode=record")
        elif asked.method == "SETUP":
            refused = self._refused_transport(response.headers.get("transport", ""))
            yield refused or self._ask("RECORD", self._url, Range="npt=0.000-")
        elif asked.method == "RECORD":
            self._running = True
            yield Recording(self._channel, self._timeout_s)


def _refusal(method: str, response: Response) -> Lost:
    reason = f" {response.reason}" if response.reason else ""
    text = f"it answers {method} with {response.status}{reason}"
    if place := response.headers.get("location"):
        text += f", and names {scrub(place[:200])}"
    return Lost(text, response.status not in _INCURABLE)
