"""One request to a MediaMTX on this machine, one connection each."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from zlfeed.net import host_port

MAX_ANSWER = 4 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one of its servers listens, and how it is spoken to: `authorization` is that header's value."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = None

    async def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        """The answer to a request. Raises OSError and ValueError; the time-out is the caller's."""
        # HTTP/1.0 keeps this to one read: no chunks, and the connection's end is the body's (RFC 9112 section 6.3).
        lines = [f"{method} {path} HTTP/1.0", f"Host: {host_port(self.host, self.port)}"]
        if self.authorization:
            lines.append(f"Authorization: {self.authorization}")
        if body:
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        reader, writer = await asyncio.open_connection(self.host, self.port, ssl=self.tls, limit=MAX_ANSWER)
        try:
            writer.write("\r\n".join((*lines, "", "")).encode() + body)
            await writer.drain()
            answer = b""
            while more := await reader.read(MAX_ANSWER):
                answer += more
                if len(answer) > MAX_ANSWER:
                    raise ValueError("an answer too large")
        finally:
            writer.close()
        return _parsed(answer)


def _parsed(answer: bytes) -> Answer:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    status = first.split(" ", 2)[1:2]
    if not first.startswith("HTTP/") or not status or not status[0].isdecimal():
        raise ValueError("an answer that is no HTTP")
    pairs = (line.partition(":") for line in rest)
    return Answer(int(status[0]), {name.strip().lower(): value.strip() for name, _, value in pairs}, body)
