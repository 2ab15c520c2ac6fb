"""What every connection of ours to an RTSP server does alike: the edge of client.py."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from zlfeed.dial import system_words
from zlfeed.rtsp.client import Action, Client, Lost, Send

_LEAVE_S = 0.5


class ClientConnection(asyncio.Protocol):
    """Carries out what its core decides, until `lost` has a result; `_act` does what is not the same for all."""

    def __init__(self, core: Client) -> None:
        self.lost: asyncio.Future[Lost] = asyncio.get_running_loop().create_future()
        self._client = core
        self._transport: asyncio.Transport
        self._closed = asyncio.Event()
        self._asked_at = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._do(self._client.begin())

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection broke ({system_words(exc)})" if isinstance(exc, OSError) else "it hung up")
        self._closed.set()

    def _do(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Send(data):
                    self._asked_at = time.monotonic()
                    if not self._transport.is_closing():
                        self._transport.write(data)
                case Lost():
                    if not self.lost.done():
                        self.lost.set_result(action)
                case _:
                    self._act(action)

    def _act(self, action: Action) -> None:
        raise NotImplementedError

    def _fail(self, reason: str) -> None:
        if not self.lost.done():
            self.lost.set_result(Lost(reason, curable=True))

    async def leave(self) -> None:
        """Ends the session and the connection, in order if the server takes it."""
        if not self._closed.is_set():
            self._do(self._client.end())
        self._transport.close()
        try:
            async with asyncio.timeout(_LEAVE_S):
                await self._closed.wait()
        except TimeoutError:
            self._transport.abort()
