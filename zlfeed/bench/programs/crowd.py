"""Many light readers in one process: `python -m zlfeed.bench.programs.crowd URL COUNT SECONDS`.

They join a few a moment apart, and read what comes without decoding it.
"""

from __future__ import annotations

import asyncio
import sys
from urllib.parse import urlsplit

from zlfeed.bench.programs.speech import say
from zlfeed.bench.rtsp import Player, describe

_JOIN_S = 0.01
_PLAYING_WITHIN_S = 30.0
_KEEP_S = 10.0


class Reader(asyncio.Protocol):
    """One reader's connection."""

    def __init__(self, url: str) -> None:
        self.player = Player(url)
        self.error = ""
        self._url = url
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(describe(self._url))

    def data_received(self, data: bytes) -> None:
        try:
            if answer := self.player.receive(data):
                self._transport.write(answer)
        except ValueError as error:
            self.error = str(error)
            self._transport.abort()


async def _read(url: str, count: int, seconds: float) -> None:
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    readers = []
    for _ in range(count):
        _, reader = await loop.create_connection(lambda: Reader(url), parts.hostname or "127.0.0.1", parts.port or 554)
        readers.append(reader)
        await asyncio.sleep(_JOIN_S)
    async with asyncio.timeout(_PLAYING_WITHIN_S):
        while not all(reader.player.frames or reader.error for reader in readers):
            await asyncio.sleep(0.05)
    before = [reader.player.frames for reader in readers]
    say("settled")
    await asyncio.sleep(seconds)
    frames = [reader.player.frames - earlier for reader, earlier in zip(readers, before, strict=True)]
    errors = sorted({reader.error for reader in readers if reader.error})
    say("seen", frames=frames, bytes=sum(reader.player.bytes for reader in readers), errors=errors)
    await asyncio.sleep(_KEEP_S)


if __name__ == "__main__":
    asyncio.run(_read(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
