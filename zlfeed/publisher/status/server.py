"""The status server: tells clients how the feed is, and takes their requests (design 4.3).

Whatever fails here costs a message or a client, never a frame: errors of the source are logged, every queue is bounded,
every write has a time-out, and a client that floods or sends garbage is closed with words.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import ipaddress
import logging
import socket
import ssl
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, cast
from urllib.parse import urlsplit
from weakref import WeakSet

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from zlfeed import logs
from zlfeed.doorway import Doorway, Limit
from zlfeed.gate import Gate
from zlfeed.model import ControlResult, Event
from zlfeed.net import bind_tcp, is_loopback, plain_host
from zlfeed.publisher.status import page
from zlfeed.publisher.status.hub import Hub
from zlfeed.publisher.status.session import (
    CLOSE_TIME_S,
    HELLO_TIME_S,
    Refusal,
    Session,
    StatusSource,
    ask_cameras,
    ask_statuses,
    close,
    peer,
)
from zlfeed.publisher.status.thumbnails import Thumbnails
from zlfeed.wire import deflate
from zlfeed.wire.close import CloseCode

__all__ = ["StatusServer", "StatusSource"]

log = logs.get(__name__)

MAX_CLIENTS = 64
MAX_CLIENTS_PER_HOST = 16
DOORWAY = Limit(MAX_CLIENTS + 64, MAX_CLIENTS_PER_HOST + 16)
"""Those in a handshake, or about to hear that there is no room, are among these."""
MAX_MESSAGE_BYTES = 64 * 2**10
KEEPALIVE_S = 20.0
INTERVAL_S = 1.0
COALESCE_S = 0.05
SEND_BUFFER_BYTES = 64 * 2**10
"""The kernel's, for each client: what lies in there grows as stale as what lies in a queue."""


class StatusServer:
    """The status port. `start` binds; `run` tells, and may be restarted while the port stays; `stop` ends all."""

    def __init__(
        self,
        source: StatusSource,
        hosts: Sequence[str],
        port: int,
        *,
        allowed: Callable[[str], bool] = lambda _host: True,
        on_refused: Callable[[str, str], None] = lambda _host, _reason: None,
        gate: Gate | None = None,
        tls: ssl.SSLContext | None = None,
        names: Collection[str] = (),
        wall_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self.port = port
        self.hub = Hub()
        self._source = source
        self._thumbnails = Thumbnails(self.hub, source.thumbnail)
        self._hosts = hosts
        self._allowed = allowed
        self._on_refused = on_refused
        self._wall_us = wall_us
        self._gate = gate or Gate()
        self._tls = tls
        self._names = {name.lower().strip("[]") for name in (*names, *_own_names())}
        self._sessions: dict[Session, ServerConnection] = {}
        self._touched = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._servers: list[Server] = []
        self._connections: WeakSet[ServerConnection] = WeakSet()

    async def start(self) -> None:
        """Binds and accepts. Raises PortError that names --websocket-port."""
        self._loop = asyncio.get_running_loop()
        sockets, self.port = bind_tcp(self._hosts, self.port, option="--websocket-port")
        doorway = Doorway(DOORWAY, lambda host: self.hub.grumble("connections_cut", peer=host))
        for listener in doorway.guard(sockets):
            with contextlib.suppress(OSError):  # connections inherit it; without it they are only less fresh
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            server = serve(
                self._handle,
                sock=listener,
                ssl=self._tls,
                ssl_handshake_timeout=HELLO_TIME_S if self._tls else None,
                compression=None,
                extensions=[deflate.server()],
                process_request=self._check_request,
                server_header="zlfeed",
                open_timeout=HELLO_TIME_S,
                close_timeout=CLOSE_TIME_S,
                ping_interval=KEEPALIVE_S,
                ping_timeout=KEEPALIVE_S,
                max_size=MAX_MESSAGE_BYTES,
                logger=_library_logger(),
                create_connection=cast(type[ServerConnection], self._connection),  # documented as a factory
            )
            self._servers.append(await server)

    def _check_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Turns away who is not allowed to come at all, then browsers that ask for a page."""
        host = plain_host((connection.remote_address or ("",))[0])
        if not self._allowed(host):
            self._on_refused(host, "it is not among --allow")
            self.hub.grumble("status_client_refused", client=peer(connection), reason="not among --allow")
            return connection.respond(http.HTTPStatus.FORBIDDEN, "This address is not among those that may come.\n")
        return self._check_browser(connection, request)

    def _check_browser(self, connection: ServerConnection, request: Request) -> Response | None:
        """Gives a browser its page, and refuses scripts of other sites: on this machine they would act as its user.

        Nor may a page come by a name that is not ours: its owner can have that name point here (DNS rebinding).
        """
        host = _host("//" + request.headers.get("Host", ""))
        is_ours = host in self._names or _is_address(host)
        if "websocket" not in request.headers.get("Upgrade", "").lower():
            return _page(connection, request.path) if is_ours or host is None else _stranger(connection)
        if (origin := request.headers.get("Origin")) is None:
            return None
        if _host(origin) != host or not is_ours:
            return connection.respond(http.HTTPStatus.FORBIDDEN, "Pages of other sites may not connect.\n")
        return None

    async def run(self) -> None:
        """Sends every status once a second, at once those changed in more than counters, and thumbnails to those who
        asked for them; until cancelled.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tell_statuses())
            tasks.create_task(self._thumbnails.run())

    async def _tell_statuses(self) -> None:
        loop = asyncio.get_running_loop()
        hub, due = self.hub, loop.time()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._touched.wait()
            self._touched.clear()
            statuses = ask_statuses(self._source, hub)
            hub.cameras = tuple(status.camera for status in statuses)
            if loop.time() >= due:
                due = max(due + INTERVAL_S, loop.time())
                hub.history.record(statuses)
                hub.history.told(statuses)
                hub.tell_statuses(statuses, hub.listeners)
            else:
                hub.tell_statuses(hub.history.news(statuses), hub.listeners)
            hub.tell_infos(lambda here: ask_cameras(self._source, hub, here))
            await asyncio.sleep(COALESCE_S)

    async def stop(self) -> None:
        """Closes the port and says goodbye to the clients; those that do not answer are cut off."""
        for server in self._servers:
            server.close(code=CloseCode.GOING_AWAY, reason="the publisher has ended")
        try:
            async with asyncio.timeout(CLOSE_TIME_S):
                for server in self._servers:
                    await server.wait_closed()
        except TimeoutError:
            for connection in tuple(self._connections):
                connection.transport.abort()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_TIME_S):
                    for server in self._servers:
                        await server.wait_closed()

    def event(self, event: Event) -> None:
        """Tells everybody, and those who come later. From any thread; never raises, never blocks."""
        if self._loop is None:
            self.hub.history.add_event(event)
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is left to tell
            self._loop.call_soon_threadsafe(self.hub.tell_event, event)

    def control_changed(self, result: ControlResult) -> None:
        """Tells everybody what a control came to that nobody has just asked for. On the loop's thread."""
        self.hub.tell(replace(result, id=0), self.hub.listeners)

    def touch(self) -> None:
        """Something that is not a counter may have changed: look soon. From any thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # as above
                self._loop.call_soon_threadsafe(self._touched.set)

    def _connection(self, *args: Any, **options: Any) -> ServerConnection:
        connection = ServerConnection(*args, **options)
        self._connections.add(connection)
        return connection

    def _no_room(self, host: str) -> Refusal | None:
        """Why there is no place for a client from there; this machine has all the places there are."""
        if len(self._sessions) >= MAX_CLIENTS:
            return Refusal(CloseCode.TRY_LATER, f"{MAX_CLIENTS} clients are here: try again later")
        own = sum(1 for other in self._sessions if other.host == host)
        if own >= MAX_CLIENTS_PER_HOST and not is_loopback(host):
            return Refusal(CloseCode.TRY_LATER, f"{own} clients of this address are here: try again later")
        return None

    async def end_stale(self) -> None:
        """Closes those whose token would not let them in any more, or not to do the same."""
        stale = [connection for session, connection in self._sessions.items() if session.is_stale()]
        refusal = Refusal(CloseCode.BAD_TOKEN, "it has been changed")
        await asyncio.gather(*(close(connection, refusal) for connection in stale))

    async def _handle(self, connection: ServerConnection) -> None:
        """One client, from the opened connection to its end."""
        host = plain_host((connection.remote_address or ("",))[0])
        refusal = self._no_room(host)
        if refusal is None:
            session = Session(
                connection, self.hub, self._source, wall_us=self._wall_us, on_change=self.touch, gate=self._gate
            )
            self._sessions[session] = connection
            try:
                refusal = await session.run()
            except ConnectionClosed:
                return
            except Exception as error:
                self.hub.grumble("status_session_failed", client=peer(connection), error=repr(error))
                refusal = Refusal(CloseCode.FAILED, "the publisher failed: its log says why")
            finally:
                del self._sessions[session]
        if refusal is not None:
            if refusal.code == CloseCode.BAD_TOKEN:
                self._on_refused(host, f"its status client's token: {refusal.reason}")
            self.hub.grumble("status_client_refused", client=peer(connection), reason=refusal.reason)
            await close(connection, refusal)


def _page(connection: ServerConnection, path: str) -> Response:
    found = page.find(path)
    if found is None:
        return connection.respond(http.HTTPStatus.NOT_FOUND, "There is no such page. The feed is at /\n")
    fixed = {"Content-Type": found.kind, "Content-Length": str(len(found.body)), "Connection": "close"}
    return Response(http.HTTPStatus.OK, "OK", Headers({**fixed, **page.HEADERS}), found.body)


def _stranger(connection: ServerConnection) -> Response:
    """In words at once: the page would come, and not be let in."""
    text = "The publisher does not know itself by this name: come by its address, or start it with --advertise NAME.\n"
    return connection.respond(http.HTTPStatus.MISDIRECTED_REQUEST, text)


def _own_names() -> set[str]:
    name = socket.gethostname()
    short = name.partition(".")[0]
    return {"localhost", name, short, f"{short}.local"}


def _is_address(host: str | None) -> bool:
    try:
        ipaddress.ip_address(host or "")
    except ValueError:
        return False
    return True


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


class _LibraryLog(logging.Handler):
    """What the WebSocket library has to say, with a traceback for every port scan, is for debugging only."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        log.debug("websockets", text=record.getMessage(), error=repr(error) if error else None)


def _library_logger() -> logging.Logger:
    logger = logging.getLogger("zlfeed.websockets.server")
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    logger.handlers = [_LibraryLog()]
    return logger
