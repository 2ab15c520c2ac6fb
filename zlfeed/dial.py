"""Outgoing TCP connections."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from typing import Any

from zlfeed.net import host_port

_Addresses = asyncio.Future[list[Any]]


class Dialler:
    """Connects to one host and port, as often as asked.

    The name is looked up in a daemon thread of its own, never in two: a lookup that hangs must not keep the process
    from ending, as one in asyncio's executor would.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._lookup: _Addresses | None = None

    async def connect(self) -> socket.socket:
        """A connected socket that does not block. Raises OSError; to be used with a time-out."""
        failure = OSError("the name has no address")
        for family, kind, protocol, _, address in await self._addresses():
            sock = socket.socket(family, kind, protocol)
            try:
                sock.setblocking(False)
                await asyncio.get_running_loop().sock_connect(sock, address)
            except OSError as error:
                sock.close()
                failure = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise failure

    async def _addresses(self) -> list[Any]:
        if self._lookup is None or self._lookup.done():
            self._lookup = _look_up(self.host, self.port)
        return await asyncio.shield(self._lookup)

    def words(self, error: OSError) -> str:
        """Why it could not be reached."""
        if isinstance(error, socket.gaierror):
            return f"the name {self.host!r} is not known"
        if isinstance(error, ConnectionRefusedError):
            return f"nothing listens at {host_port(self.host, self.port)}"
        return f"{host_port(self.host, self.port)} cannot be reached ({system_words(error)})"


def system_words(error: OSError) -> str:
    """The system's words for an error, without its number."""
    return os.strerror(error.errno) if error.errno else str(error)


def _look_up(host: str, port: int) -> _Addresses:
    loop = asyncio.get_running_loop()
    found: _Addresses = loop.create_future()

    def tell(result: list[Any] | OSError) -> None:
        if isinstance(result, OSError):
            found.set_exception(result)
            found.exception()  # seen, even if nobody waits any more
        else:
            found.set_result(result)

    def work() -> None:
        result: list[Any] | OSError
        try:
            # Named, the protocol has asyncio set TCP_NODELAY.
            result = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        except OSError as error:
            result = error
        except UnicodeError:
            result = socket.gaierror(socket.EAI_NONAME, "no host name")
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, result)

    threading.Thread(target=work, name="lookup", daemon=True).start()
    return found
