"""What waits to be sent to one status client: bounded, and the oldest goes when it is full. No I/O."""

from __future__ import annotations

import asyncio
from collections import deque

LIMIT = 60


class Outbox:
    """A queue of encoded messages that never refuses a new one; for one loop, one consumer."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._messages: deque[bytes] = deque(maxlen=limit)
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: bytes) -> bool:
        """Takes a message; True when the oldest one was dropped for it."""
        full = len(self._messages) == self._messages.maxlen
        self._messages.append(message)
        self._filled.set()
        return full

    async def get(self) -> bytes:
        """The oldest message, as soon as there is one."""
        while not self._messages:
            self._filled.clear()
            await self._filled.wait()
        return self._messages.popleft()
