"""RTSP over TLS for OpenCV: TLS is ours, and OpenCV gets the stream from a port on this machine.

What OpenCV's FFmpeg makes of a certificate depends on its build: up to FFmpeg 7 its RTSP takes whatever certificate
comes and has no option to change that, and the wheels carry an OpenSSL of 2021. So the certificate is looked at here,
by the system's OpenSSL, on the very connection that the token and the pictures go through.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import cast

from zlfeed import logs, tls
from zlfeed.net import LOOPBACK, bind_tcp
from zlfeed.receiver.target import Target, authority
from zlfeed.tls import Trust

log = logs.get(__name__)

_SEND_BUFFER = 64 * 2**10
"""Between us and OpenCV: what lies there is as stale as what lies in the network."""
_STOP_S = 0.6


class _End(asyncio.Protocol):
    """One end of a connection; what comes in goes out at the other end, as fast as that takes it."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _End | None = None
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=_SEND_BUFFER)

    def data_received(self, data: bytes) -> None:
        if self.other and self.other.transport:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other and self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other and self.other.transport:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


class Tunnel:
    """Listens on a port of this machine and leads each connection, by TLS, to the target. A thread of its own."""

    def __init__(self, target: Target, trust: Trust, timeout_s: float) -> None:
        self._target = target
        self._trust = trust
        self._timeout_s = timeout_s
        self._context = trust.context(target.host)
        self._sockets, self._port = bind_tcp(LOOPBACK[:1], 0, option="--transport")
        for sock in self._sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main_task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._main, name="tunnel", daemon=True)
        self._thread.start()

    @property
    def source(self) -> Target:
        """What OpenCV is to open."""
        return Target("rtsp", LOOPBACK[0], self._port, self._target.path, self._target.userinfo)

    def stop(self) -> None:
        """Ends all connections and the thread."""
        if self._loop is not None and self._main_task is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._main_task.cancel)
        self._thread.join(_STOP_S)

    # ------------------------------------------------------------ on its thread

    def _main(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._main_task = asyncio.current_task()
        (listener,) = self._sockets
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    connection, _ = await self._loop.sock_accept(listener)
                    group.create_task(self._lead(connection))
        finally:
            listener.close()

    async def _lead(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        near, far = _End(), _End()
        where = authority(self._target.host, self._target.port)
        try:
            async with asyncio.timeout(self._timeout_s):
                await loop.create_connection(
                    lambda: far, self._target.host, self._target.port, ssl=self._context,
                    server_hostname=self._target.host, happy_eyeballs_delay=0.25,
                )  # fmt: skip
            assert far.transport is not None
            self._trust.check(where, far.transport.get_extra_info("ssl_object"))
            near.other, far.other = far, near
            await loop.connect_accepted_socket(lambda: near, connection)
            await asyncio.wait((near.closed, far.closed), return_when=asyncio.FIRST_COMPLETED)
        except (OSError, TimeoutError, UnicodeError) as error:
            # OpenCV sees a closed connection; whoever asks then why is told in words (describe).
            log.debug("tunnel_failed", error=tls.words(error, where))
        finally:
            connection.close()
            for end in (near, far):
                if end.transport is not None:
                    end.transport.abort()


@contextlib.contextmanager
def opened(target: Target, trust: Trust, timeout_s: float) -> Iterator[Target]:
    """Where OpenCV finds the target: at itself, or, with TLS, at the end of a tunnel."""
    if target.scheme != "rtsps":
        yield target
        return
    tunnel = Tunnel(target, trust, timeout_s)
    try:
        yield tunnel.source
    finally:
        tunnel.stop()
