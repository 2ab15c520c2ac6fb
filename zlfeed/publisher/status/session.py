"""One client of the status server, from its Hello to its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from zlfeed import __version__, logs
from zlfeed.gate import Gate
from zlfeed.model import (
    CONTROL,
    PROTOCOL_VERSION,
    VIEW,
    CameraInfo,
    CameraStatus,
    ClientMessage,
    ControlResult,
    Hello,
    Ping,
    Pong,
    Role,
    ServerMessage,
    SetControl,
    Subscribe,
    Thumbnail,
    ViewerReport,
    WebrtcAnswer,
    WebrtcOffer,
    Welcome,
)
from zlfeed.net import host_port, plain_host
from zlfeed.publisher.mediamtx.whep import Call
from zlfeed.publisher.status.calls import Calls
from zlfeed.publisher.status.hub import Hub, Listener, without_values
from zlfeed.wire.close import CloseCode
from zlfeed.wire.convert import ProtocolError, UnknownMessage, VersionError, decode, encode

log = logs.get(__name__)

HELLO_TIME_S = 2.0
WRITE_TIME_S = 10.0
WRITE_BYTES_PER_S = 16 * 2**10
"""A client so slow is still a client: a long message, a snapshot, has that much more time."""
CLOSE_TIME_S = 1.0
MAX_MESSAGES_PER_S = 200
"""More from one client is no use of the protocol: it would take the loop's time from others."""
READ_ONLY = "this token may only look: to set something takes the publisher's main token"
MAX_REQUESTS = 256
"""SetControls of one client under way at a time."""


class StatusSource(Protocol):
    """What the server asks of the publisher. Called on the server's loop, so nothing here may block; may raise."""

    def welcome(self, local_host: str) -> Welcome:
        """Who and where we are, without history and events; `local_host` is our address as that client reached it."""

    def statuses(self) -> Sequence[CameraStatus]:
        """Every camera as it is now."""

    async def set_control(self, request: SetControl, tell: Callable[[ServerMessage], None]) -> ControlResult:
        """Sets a control and reads it back; may take seconds. What `tell` is given goes to the one who asked."""

    async def thumbnail(self, camera: str, width: int) -> Thumbnail | None:
        """A picture of that camera at most `width` pixels wide, None when it has none just now."""

    async def call(self, offer: WebrtcOffer, remote_host: str) -> Call:
        """Has a viewer's WebRTC call placed; may take seconds."""

    def viewer_report(self, report: ViewerReport, remote_host: str) -> None:
        """Takes what a viewer measured."""

    def role(self, hello: Hello, remote_host: str) -> Role | None:
        """What this client may do; None: it may not come in."""


def ask_statuses(source: StatusSource, hub: Hub) -> Sequence[CameraStatus]:
    """The source's statuses; none, and a line in the log, when it fails."""
    try:
        return tuple(source.statuses())
    except Exception as error:
        hub.grumble("status_failed", error=repr(error))
        return ()


def ask_cameras(source: StatusSource, hub: Hub, here: str) -> Sequence[CameraInfo]:
    """Cameras and URLs for those who reached us at `here`; none, and a line in the log, when the source fails."""
    try:
        return source.welcome(here).cameras
    except Exception as error:
        hub.grumble("status_welcome_failed", error=repr(error))
        return ()


class Refusal(NamedTuple):
    """Why a connection is closed, in words for the person who reads the client's message."""

    code: CloseCode
    reason: str


class Session:
    """Talks with one client: lets it in, empties its outbox, takes its messages."""

    def __init__(
        self,
        connection: ServerConnection,
        hub: Hub,
        source: StatusSource,
        *,
        wall_us: Callable[[], int],
        on_change: Callable[[], None],
        gate: Gate,
    ) -> None:
        self._connection = connection
        self._gate = gate
        self._hello_said: Hello | None = None
        self._role: Role = VIEW
        self._hub = hub
        self._source = source
        self._wall_us = wall_us
        self._on_change = on_change
        self.host = plain_host((connection.remote_address or ("",))[0])
        self._here = plain_host((connection.local_address or ("",))[0])
        self._peer = peer(connection)  # known while it is open only
        self._requests: set[asyncio.Task[None]] = set()
        self._calls = Calls(lambda offer: source.call(offer, self.host))

    async def run(self) -> Refusal | None:
        """Until the client leaves (None), or has to be closed. May raise ConnectionClosed."""
        hello = await self._hello()
        if isinstance(hello, Refusal):
            return hello
        self._hello_said = hello
        welcome = self._welcome()
        known = {info.camera: without_values(info) for info in welcome.cameras}
        listener = Listener(self.host, hello, here=self._here, known=known)
        self._hub.tell_statuses(ask_statuses(self._source, self._hub), [listener])
        self._hub.listeners.add(listener)
        log.info("status_client_joined", client=self._peer, kind=hello.kind[:32], name=hello.name[:64])
        try:
            # Five minutes of history take milliseconds to encode, which frames on this loop must not wait for.
            # What is told meanwhile waits in the outbox.
            await self._write(await asyncio.to_thread(self._encoded, welcome))
            async with asyncio.TaskGroup() as group:
                sender = group.create_task(self._send(listener))
                try:
                    return await self._listen(listener, group)
                finally:
                    sender.cancel()
                    # Requests under way are brought to their end: the others are to hear how they went.
        finally:
            self._hub.listeners.discard(listener)
            # Its pictures end with it: by a token that is none any more nobody is to watch on.
            await self._calls.end()
            log.info("status_client_left", client=self._peer)

    # ------------------------------------------------------------ coming in

    async def _hello(self) -> Hello | Refusal:
        try:
            async with asyncio.timeout(HELLO_TIME_S):
                hello = self._decode(await self._connection.recv())
        except TimeoutError:
            return Refusal(CloseCode.POLICY, f"no Hello within {HELLO_TIME_S:g} s")
        if isinstance(hello, Refusal):
            return hello
        if not isinstance(hello, Hello):
            return Refusal(CloseCode.POLICY, "the first message must be a Hello")
        if hello.token:
            # The right one waits as long as a wrong one: see Gate.
            wait = self._gate.admit(self.host, time.monotonic())
            if wait is None:
                return Refusal(CloseCode.TRY_LATER, "too many wrong tokens came from this address: try again later")
            await asyncio.sleep(wait)
        try:
            role = self._source.role(hello, self.host)
        except Exception as error:
            self._hub.grumble("status_token_check_failed", error=repr(error))
            return Refusal(CloseCode.FAILED, "the publisher could not check the token")
        if role is not None:
            self._role = role
            return hello
        if hello.token:
            self._gate.failed(self.host, time.monotonic())
        return Refusal(CloseCode.BAD_TOKEN, "it is not the right one" if hello.token else "one is needed")

    def is_stale(self) -> bool:
        """Whether what it said at first would not let it in any more, or not to do the same."""
        if self._hello_said is None:
            return False
        try:
            return self._source.role(self._hello_said, self.host) != self._role
        except Exception as error:
            self._hub.grumble("status_token_check_failed", error=repr(error))
            return True

    def _welcome(self) -> Welcome:
        """Who and where we are. Should the source fail there are no URLs, but clock, history, events and status."""
        try:
            welcome = self._source.welcome(self._here)
        except Exception as error:
            self._hub.grumble("status_welcome_failed", error=repr(error))
            welcome = self._bare_welcome()
        return replace(welcome, history=self._hub.history.points, events=self._hub.history.events, role=self._role)

    def _bare_welcome(self) -> Welcome:
        return Welcome(socket.gethostname(), __version__, time_us=self._wall_us())

    def _encoded(self, welcome: Welcome) -> bytes:
        try:
            return encode(welcome)
        except ProtocolError as error:
            self._hub.grumble("status_message_unfit", error=str(error))
            return encode(self._bare_welcome())

    # ------------------------------------------------------------ out

    async def _send(self, listener: Listener) -> None:
        """Empties the outbox."""
        with contextlib.suppress(ConnectionClosed):  # the listening side sees it as well, and ends
            while True:
                await self._write(await listener.outbox.get())

    async def _write(self, data: bytes) -> None:
        """Sends; a client that takes nothing for long is cut off."""
        try:
            async with asyncio.timeout(WRITE_TIME_S + len(data) / WRITE_BYTES_PER_S):
                await self._connection.send(data)
        except TimeoutError:
            self._hub.grumble("status_client_stuck", client=self._peer, seconds=WRITE_TIME_S)
            self._connection.transport.abort()

    # ------------------------------------------------------------ in

    async def _listen(self, listener: Listener, group: asyncio.TaskGroup) -> Refusal | None:
        """Takes messages until the client leaves, or for what reason it has to."""
        second_ends, count = 0.0, 0
        while True:
            try:
                data = await self._connection.recv()
            except ConnectionClosed:
                return None
            received_us = self._wall_us()
            now = time.monotonic()
            if now >= second_ends:
                second_ends, count = now + 1.0, 0
            count += 1
            if count > MAX_MESSAGES_PER_S:
                return Refusal(CloseCode.POLICY, f"more than {MAX_MESSAGES_PER_S} messages in a second")
            message = self._decode(data)
            if isinstance(message, Refusal):
                return message
            if isinstance(message, Ping):
                # Past the outbox: a Pong that waits behind others makes the client's clock less certain.
                with contextlib.suppress(ConnectionClosed):
                    await self._write(encode(Pong(message.id, message.t0_us, received_us, self._wall_us())))
            elif message is not None:
                try:
                    self._take(listener, message, group)
                except Exception as error:
                    self._hub.grumble("status_request_failed", request=type(message).__name__, error=repr(error))
            # Messages that are here already are read without a pause, and the loop has others to serve.
            await asyncio.sleep(0)

    def _take(self, listener: Listener, message: ClientMessage, group: asyncio.TaskGroup) -> None:
        match message:
            case ViewerReport():
                session = message.session or listener.hello.session
                self._source.viewer_report(replace(message, session=session), self.host)
            case SetControl() if self._role != CONTROL:
                self._hub.tell(
                    ControlResult(message.camera, message.name, False, text=READ_ONLY, id=message.id), [listener]
                )
            case SetControl() if len(self._requests) >= MAX_REQUESTS:
                text = f"{MAX_REQUESTS} requests are under way: wait for their answers"
                self._hub.tell(ControlResult(message.camera, message.name, False, text=text, id=message.id), [listener])
            case SetControl():
                request = group.create_task(self._set_control(listener, message))
                self._requests.add(request)
                request.add_done_callback(self._requests.discard)
            case WebrtcOffer():
                group.create_task(self._call(listener, message))
            case Subscribe():
                listener.subscribe = message
                self._hub.subscribed.set()
            case Hello():
                listener.hello = message  # a viewer whose RTSP session is another now

    async def _set_control(self, listener: Listener, request: SetControl) -> None:
        """Answers the one who asked, and tells all others what was set: with id 0, for they asked nothing."""
        try:
            result = await self._source.set_control(request, lambda message: self._hub.tell(message, [listener]))
        except Exception as error:
            self._hub.grumble("set_control_failed", control=request.name[:64], error=repr(error))
            result = ControlResult(request.camera, request.name, ok=False, text="it failed: see the publisher's log")
        self._hub.tell(replace(result, id=request.id), [listener])
        if result.ok:
            self._hub.tell(replace(result, id=0), self._hub.listeners - {listener})
            self._on_change()

    async def _call(self, listener: Listener, offer: WebrtcOffer) -> None:
        """Places the call, and answers the one who asked."""
        try:
            answer = await self._calls.make(offer)
        except Exception as error:
            self._hub.grumble("webrtc_offer_failed", camera=offer.camera[:64], error=repr(error))
            answer = WebrtcAnswer(offer.camera, offer.id, text="it failed: see the publisher's log")
        self._hub.tell(answer, [listener])

    def _decode(self, data: str | bytes) -> ClientMessage | Refusal | None:
        """The message; None for one that a newer client may send; a refusal for garbage."""
        try:
            if isinstance(data, str):
                raise ProtocolError("a text message: messages are binary")
            message = decode(data)
            if not isinstance(message, ClientMessage):
                raise ProtocolError(f"a {type(message).__name__}, which only publishers send")
        except UnknownMessage:
            return None
        except VersionError as error:
            return Refusal(CloseCode.OTHER_VERSION, f"this is version {PROTOCOL_VERSION}, not {error.version}")
        except ProtocolError as error:
            self._hub.garbage += 1
            return Refusal(CloseCode.GARBAGE, str(error))
        return message


async def close(connection: ServerConnection, refusal: Refusal) -> None:
    """Closes with words (at most 123 bytes of them, RFC 6455 section 5.5), or without where nobody listens."""
    reason = refusal.reason.encode()[:123].decode(errors="ignore")
    try:
        async with asyncio.timeout(CLOSE_TIME_S):
            await connection.close(refusal.code, reason)
    except TimeoutError:
        connection.transport.abort()


def peer(connection: ServerConnection) -> str:
    """The client's address and port."""
    address = connection.remote_address
    return host_port(address[0], address[1]) if address else "unknown"
