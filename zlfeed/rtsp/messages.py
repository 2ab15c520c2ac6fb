"""RTSP 1.0 requests, responses and interleaved frames (RFC 2326 sections 4–7 and 10.12); no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

MAX_HEADER = 8 << 10
MAX_BODY = 64 << 10
REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Time-out",
    413: "Request Entity Too Large",
    451: "Parameter Not Understood",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    459: "Aggregate Operation Not Allowed",
    461: "Unsupported Transport",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "RTSP Version Not Supported",
    551: "Option not supported",
}
_START_LINE = re.compile(r"([A-Z][A-Z_]*) (\S+) RTSP/(\d)\.(\d)")
_STATUS_LINE = re.compile(r"RTSP/1\.0 (\d{3})(?: (.*))?")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class RtspError(ValueError):
    """Bytes that are no RTSP message. `status` is what to answer before the connection is closed."""

    def __init__(self, status: int, text: str, cseq: str | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.cseq = cseq


class Headers(dict[str, str]):
    """Header fields, their names in lower case; of a field that comes twice the first counts.

    Not so WWW-Authenticate: a server offers several schemes by several of them (RFC 2616 section 4.2 joins them).
    """

    def number(self, name: str) -> int | None:
        """The field as a number, None when it is absent or no number of at most 18 digits."""
        value = self.get(name, "").strip()
        return int(value) if re.fullmatch("[0-9]{1,18}", value) else None


@dataclass(frozen=True, slots=True)
class Request:
    """A client's request; `url` as it stands in the start line."""

    method: str
    url: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    version: tuple[int, int] = (1, 0)

    @property
    def path(self) -> str:
        """The URL's path without its slashes at either end, decoded; empty when the URL is none."""
        try:
            return unquote(urlsplit(self.url).path).strip("/")
        except ValueError:  # such as brackets that do not close
            return ""

    def encode(self) -> bytes:
        """The request as bytes."""
        return _encode(f"{self.method} {self.url} RTSP/1.0", self.headers, self.body)


@dataclass(frozen=True, slots=True)
class Response:
    """A server's answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """A value of several lines stands for so many headers of that name."""
    body: bytes = b""
    reason: str = ""

    def encode(self) -> bytes:
        """The response as bytes."""
        reason = self.reason or REASONS.get(self.status, "Error")
        return _encode(f"RTSP/1.0 {self.status} {reason}", self.headers, self.body)


@dataclass(frozen=True, slots=True)
class Interleaved:
    """A binary frame between the messages: RTP on even channels, RTCP on odd ones."""

    channel: int
    data: bytes


def _encode(start: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [start, *(f"{name}: {line}" for name, value in headers.items() for line in value.split("\n"))]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class Parser:
    """Feed it what comes from the socket; it gives whole messages. Lines may end in CRLF or LF."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Request | Response | Interleaved]:
        """The messages that `data` completes. After an RtspError the connection is of no more use."""
        self._buffer += data
        while (message := self._next()) is not None:
            yield message

    def _next(self) -> Request | Response | Interleaved | None:
        buffer = self._buffer
        # Some clients send a blank line between requests (RFC 2326 section 4.1 has servers ignore it).
        skip = 0
        while skip < len(buffer) and buffer[skip] in b"\r\n":
            skip += 1
        if skip:
            del buffer[:skip]
        if not buffer:
            return None
        if buffer[0] == 0x24:
            return self._interleaved()
        end = self._end_of_head()
        if end is None:
            return None
        head = bytes(buffer[:end])
        start, headers = _parse_head(head)
        length = 0
        if "content-length" in headers:
            number = headers.number("content-length")
            if number is None:
                raise RtspError(400, f"Content-Length {headers['content-length']!r}", headers.get("cseq"))
            length = number
        if length > MAX_BODY:
            raise RtspError(413, f"a body of {length} bytes", headers.get("cseq"))
        if len(buffer) < end + length:
            return None
        body = bytes(buffer[end : end + length])
        del buffer[: end + length]
        return _message(start, headers, body)

    def _interleaved(self) -> Interleaved | None:
        buffer = self._buffer
        if len(buffer) < 4:
            return None
        size = buffer[2] << 8 | buffer[3]
        if len(buffer) < 4 + size:
            return None
        frame = Interleaved(buffer[1], bytes(buffer[4 : 4 + size]))
        del buffer[: 4 + size]
        return frame

    def _end_of_head(self) -> int | None:
        head = bytes(self._buffer[:MAX_HEADER])
        line, newline, _ = head.partition(b"\n")
        _check_start(line.removesuffix(b"\r"), whole=bool(newline))
        if match := re.search(rb"\r?\n\r?\n", head):
            return match.end()
        if len(head) == MAX_HEADER:
            raise RtspError(413, f"a header of more than {MAX_HEADER} bytes")
        return None


def _check_start(line: bytes, *, whole: bool) -> None:
    """Refuses what is no start line, or cannot become one: at once, not after 8 KiB of it."""
    if any(byte < 0x20 or byte > 0x7E for byte in line):
        raise RtspError(400, "binary data where a request should begin")
    text = line.decode("ascii")
    if whole and not _START_LINE.fullmatch(text) and not _STATUS_LINE.fullmatch(text):
        raise RtspError(400, f"start line {text[:80]!r}")


def _parse_head(head: bytes) -> tuple[str, Headers]:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        raise RtspError(400, "a header that is no UTF-8") from None
    start, *lines = re.split(r"\r?\n", text.rstrip("\r\n"))
    headers = Headers()
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _HEADER_NAME.fullmatch(name.strip()):
            raise RtspError(400, f"header line {line[:80]!r}", headers.get("cseq"))
        name, value = name.strip().lower(), value.strip()
        if name == "www-authenticate" and name in headers:
            headers[name] += f", {value}"
        headers.setdefault(name, value)
    return start, headers


def _message(start: str, headers: Headers, body: bytes) -> Request | Response:
    if status := _STATUS_LINE.fullmatch(start):
        return Response(int(status[1]), headers, body, status[2] or "")
    line = _START_LINE.fullmatch(start)
    assert line, "checked by _check_start"
    return Request(line[1], line[2], headers, body, (int(line[3]), int(line[4])))
