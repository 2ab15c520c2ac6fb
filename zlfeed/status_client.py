"""The status protocol's client: connects, for ever, and keeps the publisher's clock offset known (design 4.3).

Shared by `receive` and `monitor`; imports neither OpenCV nor Textual.
"""

from __future__ import annotations

import asyncio
import errno
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from socket import gaierror
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus, WebSocketException

from zlfeed import logs, tls
from zlfeed.clock import ClockFilter, monotonic_us
from zlfeed.errors import StartError
from zlfeed.model import ClientMessage, Hello, Ping, Pong, ServerMessage, Subscribe, Welcome
from zlfeed.net import host_port, is_own
from zlfeed.retry import backoff
from zlfeed.tls import Trust, Untrusted
from zlfeed.wire import deflate
from zlfeed.wire.close import CloseCode
from zlfeed.wire.convert import ProtocolError, UnknownMessage, VersionError, decode, encode

log = logs.get(__name__)

MAX_MESSAGE_BYTES = 4 * 2**20
"""A Welcome with the history of many cameras is the longest message."""
QUEUE_LIMIT = 60
PING_BURST = 8
PING_BURST_INTERVAL_S = 0.02
PING_INTERVAL_S = 2.0
STEADY_S = 2.0
"""A connection that lasted this long was a good one: the next is tried at once, not after a long delay."""
TOKEN_REFUSED = "refuses the token"
_TLS_ALERT = b"\x15\x03"
"""How TLS answers what is none; or not at all."""
_BEGAN = 60
"""So many of the first bytes are enough to tell a program by."""
RETRY_S = 1.0
"""The longest pause between attempts: a publisher that is back is seen within it."""


@dataclass(frozen=True)
class LinkState:
    """How the connection stands. While not connected, `error` says in a sentence why the last attempt ended and
    `attempt` counts those since the last good connection; `retry_in_s` is None while an attempt is under way.
    """

    url: str
    connected: bool
    attempt: int
    retry_in_s: float | None
    error: str | None


class _SpeaksTls(NamedTuple):
    """What answers may speak TLS; `sentence` in case it does not."""

    sentence: str


class _NoTls(NamedTuple):
    """What was taken to speak TLS does not, or no longer."""

    sentence: str


class _Connection(ClientConnection):
    """Remembers how the other side began, for the words where that was no WebSocket server."""

    began = b""

    def data_received(self, data: bytes) -> None:
        """What comes."""
        if self.response is None:
            self.began = (self.began + data)[:_BEGAN]
        super().data_received(data)


def _program(began: bytes) -> str:
    """What kind of server begins like that; empty where it cannot be told."""
    if began.startswith(b"SSH-"):
        return "it is an SSH server"
    if began.startswith(b"RTSP/"):
        return "it is an RTSP server; a publisher's status has another port"
    line = began.partition(b"\n")[0].strip().decode("latin-1")
    return f"it says {line!r}" if line.isascii() and line.isprintable() and line else ""


async def wants_token(url: str, *, trust: Trust, timeout_s: float) -> bool:
    """Whether the publisher there turns away who has no token; False also when it does not answer."""
    heard: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def on_message(_message: ServerMessage) -> None:
        if not heard.done():
            heard.set_result(False)

    def on_link(state: LinkState) -> None:
        if state.error is not None and not heard.done():
            heard.set_result(TOKEN_REFUSED in state.error)

    client = StatusClient(
        url, Hello("", "other"), on_message=on_message, on_link=on_link, timeout_s=timeout_s, trust=trust
    )
    running = asyncio.create_task(client.run())
    try:
        return await heard
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


class StatusClient:
    """One publisher's status, for ever: connects, says Hello, hands over every message, reconnects with backoff.

    `clock` is fed by its own pings: eight quick ones after connecting (and whenever the offset is not known), then one
    every two seconds. It counts in `zlfeed.clock.monotonic_us`, is forgotten when a connection is made, and keeps its
    estimate, with a growing error, while there is none. Callbacks run on the loop's thread.
    """

    def __init__(
        self,
        url: str,
        hello: Hello,
        *,
        subscribe: Subscribe | None = None,
        on_message: Callable[[ServerMessage], None],
        on_link: Callable[[LinkState], None] = lambda _state: None,
        timeout_s: float = 2.0,
        compress: bool = False,
        trust: Trust = Trust(),  # noqa: B008 - frozen
    ) -> None:
        """`compress`: where bytes matter more than the last microseconds; `trust`: which certificate is accepted at a
        wss:// URL.
        """
        self._compress = compress
        self.clock = ClockFilter()
        self.url = url
        self._trust = trust
        self._found_tls = False
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._where = host_port(parts.hostname or "", parts.port or 0)
        self._greeting: list[ClientMessage] = [hello] if subscribe is None else [hello, subscribe]
        self._on_message = on_message
        self._on_link = on_link
        self._timeout_s = timeout_s
        self._outbox: asyncio.Queue[bytes] | None = None
        self._sent_pings: dict[int, int] = {}
        self._connected_at: float | None = None

    async def run(self) -> None:
        """Connects again and again, until cancelled. Raises StartError when the publisher refuses the token or speaks
        another version: trying again cannot cure that.
        """
        loop = asyncio.get_running_loop()
        delays, attempt, error = backoff(ceiling=RETRY_S), 0, None
        while True:
            attempt += 1
            self._link(LinkState(self.url, False, attempt, None, error))
            self._connected_at = None
            ended = await self._session()
            if isinstance(ended, StartError):
                self._link(LinkState(self.url, False, attempt, None, str(ended)))
                raise ended
            if self._connected_at is not None and loop.time() - self._connected_at >= STEADY_S:
                delays, attempt = backoff(ceiling=RETRY_S), 0
            error, delay = ended, next(delays)
            self._link(LinkState(self.url, False, attempt, delay, error))
            await asyncio.sleep(delay)

    def send(self, message: ClientMessage) -> bool:
        """Sends a message, from the loop's thread. False when there is no connection, or 60 wait already."""
        if self._outbox is None:
            return False
        try:
            self._outbox.put_nowait(encode(message))
        except asyncio.QueueFull:
            return False
        return True

    def subscribe(self, wanted: Subscribe) -> None:
        """Says what is wanted from now on, to this connection and to all that follow; from the loop's thread."""
        self._greeting[1:] = [wanted]
        self.send(wanted)

    # ------------------------------------------------------------ one connection

    async def _session(self) -> str | StartError:
        """One connection from start to end; how it ended."""
        ended = sentence = await self._attempt()
        if isinstance(sentence, _SpeaksTls):
            # On this machine it is found out: where the feed does not leave it, there is nothing to be proven.
            self._found_tls = True
            ended = await self._attempt(trying=True)
        if isinstance(ended, _NoTls):
            self._found_tls = False
            ended = sentence
        return ended.sentence if isinstance(ended, _SpeaksTls | _NoTls) else ended

    async def _attempt(self, *, trying: bool = False) -> str | StartError | _SpeaksTls | _NoTls:
        """`trying`: TLS with what may not speak it."""
        made: list[_Connection] = []

        def create(*args: Any, **kwargs: Any) -> _Connection:
            made.append(_Connection(*args, **kwargs))
            return made[-1]

        secure = self._found_tls or self.url.startswith("wss:")
        url = self.url.replace("ws://", "wss://", 1) if self._found_tls else self.url
        try:
            async with connect(
                url,
                ssl=self._trust.context(self._host) if secure else None,
                open_timeout=self._timeout_s,
                close_timeout=min(1.0, self._timeout_s),
                max_size=MAX_MESSAGE_BYTES,
                compression=None,
                extensions=[deflate.client()] if self._compress else None,
                proxy=None,
                happy_eyeballs_delay=0.25,
                create_connection=cast(type[ClientConnection], create),
            ) as connection:
                if secure:
                    # Before the token is said.
                    self._trust.check(self._where, connection.transport.get_extra_info("ssl_object"))
                return await self._greet(connection) or await self._converse(connection)
        except (OSError, UnicodeError, WebSocketException) as error:
            if trying and isinstance(error, TimeoutError):
                return _NoTls("")
            return self._why_not(error, made[-1].began if made else None)

    async def _greet(self, connection: ClientConnection) -> str | StartError | None:
        """Hello and Welcome; None when all went well."""
        try:
            async with asyncio.timeout(self._timeout_s):
                for message in self._greeting:
                    await connection.send(encode(message))
                first = await connection.recv()
        except TimeoutError:
            return f"{self._where} takes connections but did not welcome us within {self._timeout_s:g} s"
        except ConnectionClosed as closed:
            return self._farewell(closed)
        welcome = self._decode(first)
        if isinstance(welcome, str | StartError):
            return welcome
        if not isinstance(welcome, Welcome):
            return f"{self._where} did not begin with a Welcome: it is no zlfeed publisher"
        self.clock.reset()
        self._sent_pings.clear()
        self._outbox = asyncio.Queue(QUEUE_LIMIT)
        self._connected_at = asyncio.get_running_loop().time()
        self._link(LinkState(self.url, True, 0, None, None))
        self._deliver(welcome)
        return None

    async def _converse(self, connection: ClientConnection) -> str | StartError:
        """Everything after the Welcome."""
        assert self._outbox is not None
        try:
            async with asyncio.TaskGroup() as group:
                helpers = (
                    group.create_task(self._ping(connection)),
                    group.create_task(self._pump(connection, self._outbox)),
                )
                try:
                    return await self._read(connection)
                finally:
                    for helper in helpers:
                        helper.cancel()
        finally:
            self._outbox = None

    async def _read(self, connection: ClientConnection) -> str | StartError:
        silence_s = PING_INTERVAL_S + 2 * self._timeout_s
        while True:
            try:
                async with asyncio.timeout(silence_s):
                    data = await connection.recv()
            except TimeoutError:
                connection.transport.abort()
                return f"{self._where} has said nothing for {silence_s:g} s"
            except ConnectionClosed as closed:
                return self._farewell(closed)
            received_us = monotonic_us()
            message = self._decode(data)
            if isinstance(message, str | StartError):
                return message
            if message is None:
                continue
            if isinstance(message, Pong):
                # t0 from our own record: a publisher's error must not become ours.
                sent_us = self._sent_pings.pop(message.id, None)
                if sent_us is not None:
                    self.clock.add(sent_us, message.t1_us, message.t2_us, received_us)
            self._deliver(message)

    async def _ping(self, connection: ClientConnection) -> None:
        number = 0
        while True:
            burst = PING_BURST if self.clock.estimate(monotonic_us()) is None else 1
            for _ in range(burst):
                number += 1
                sent_us = monotonic_us()
                self._sent_pings[number] = sent_us
                self._sent_pings.pop(number - QUEUE_LIMIT, None)
                await self._write(connection, encode(Ping(number, sent_us)))
                await asyncio.sleep(PING_BURST_INTERVAL_S)
            await asyncio.sleep(PING_INTERVAL_S)

    async def _pump(self, connection: ClientConnection, outbox: asyncio.Queue[bytes]) -> None:
        while True:
            await self._write(connection, await outbox.get())

    async def _write(self, connection: ClientConnection, data: bytes) -> None:
        """Sends, or ends a connection that takes nothing; the reader then learns that it has ended."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await connection.send(data)
        except TimeoutError:
            connection.transport.abort()
        except ConnectionClosed:
            pass  # the reader says why

    # ------------------------------------------------------------ words and callbacks

    def _decode(self, data: str | bytes) -> ServerMessage | str | StartError | None:
        """The message; None for one that a newer publisher may send; a sentence, or StartError, for what is none."""
        try:
            if isinstance(data, str):
                raise ProtocolError("a text message")
            message = decode(data)
        except UnknownMessage:
            return None
        except VersionError as error:
            return StartError(f"{self._where} speaks another version of the status protocol ({error}): update zlfeed")
        except ProtocolError as error:
            return f"{self._where} sent what is no status message ({error}): it is no zlfeed publisher"
        if not isinstance(message, ServerMessage):
            return f"{self._where} sent a {type(message).__name__}, which only clients send: it is no zlfeed publisher"
        return message

    def _farewell(self, closed: ConnectionClosed) -> str | StartError:
        """Why the publisher closed."""
        frame = closed.rcvd
        if frame is None:
            return f"the connection to {self._where} was lost"
        reason = f": {frame.reason}" if frame.reason else ""
        if frame.code == CloseCode.BAD_TOKEN:
            return StartError(
                f"{self._where} {TOKEN_REFUSED}{reason}; give the publisher's with --token-file or --token"
            )
        if frame.code == CloseCode.OTHER_VERSION:
            return StartError(f"{self._where} speaks another version of the status protocol{reason}; update zlfeed")
        return f"{self._where} closed the connection ({frame.code}{reason})"

    def _why_not(self, error: Exception, began: bytes | None) -> str | StartError | _SpeaksTls | _NoTls:
        """Why there is no connection. What takes connections began like that; None: nothing took ours."""
        sentence = f"{self._where} answers, but not as a WebSocket server"
        if isinstance(error, Untrusted | ssl.SSLCertVerificationError):
            return StartError(tls.words(error, self._where))
        if self._found_tls and isinstance(error, ssl.SSLError | ConnectionResetError | InvalidMessage):
            return _NoTls(sentence)
        if isinstance(error, ssl.SSLError):
            return tls.words(error, self._where)
        if isinstance(error, TimeoutError | InvalidMessage) and (program := _program(began or b"")):
            return f"{sentence}: {program}"
        if isinstance(error, TimeoutError):
            if began:
                return sentence
            says = "does not answer" if began is None else "takes connections but says nothing"
            return f"{self._where} {says} within {self._timeout_s:g} s"
        if isinstance(error, InvalidStatus):
            return (
                f"{self._where} is a web server, no zlfeed publisher's status port (HTTP {error.response.status_code})"
            )
        if isinstance(error, InvalidMessage):
            if self.url.startswith("wss:") or (began and not began.startswith(_TLS_ALERT)):
                return sentence
            if is_own(self._host):
                return _SpeaksTls(sentence)
            return f"{sentence}: with TLS write wss://{self._where}/, with the publisher's --fingerprint"
        if isinstance(error, gaierror | UnicodeError):
            return f"the name {urlsplit(self.url).hostname!r} is not known: check its spelling, or use the address"
        if isinstance(error, OSError):
            # asyncio joins the errors of several addresses into one text, without an errno.
            numbers = {error.errno} if error.errno else {int(n) for n in re.findall(r"\[Errno (\d+)\]", str(error))}
            if numbers == {errno.ECONNREFUSED}:
                return f"nothing listens at {self._where}: is `zlfeed publish` running there?"
            return f"{self._where} cannot be reached: {error.strerror or error}"
        return f"no WebSocket connection to {self._where}: {error}"

    def _link(self, state: LinkState) -> None:
        try:
            self._on_link(state)
        except Exception as error:
            log.error("status_callback_failed", callback="on_link", error=repr(error))

    def _deliver(self, message: ServerMessage) -> None:
        """A callback's error costs that message and no other."""
        try:
            self._on_message(message)
        except Exception as error:
            log.error("status_callback_failed", callback="on_message", error=repr(error))
