"""A light RTSP reader: it plays over TCP, throws the pictures away and counts them (RFC 2326); no I/O."""

from __future__ import annotations

from urllib.parse import urljoin

from zlfeed.rtsp.messages import Headers, Interleaved, Parser, Request, Response


def describe(url: str) -> bytes:
    """The DESCRIBE request for a stream."""
    return Request("DESCRIBE", url, Headers(CSeq="1", Accept="application/sdp")).encode()


class Player:
    """Feed it what comes from the socket; it gives what to send, and counts access units by their marker bits."""

    def __init__(self, url: str) -> None:
        self.frames = 0
        self.bytes = 0
        self._url = url
        self._parser = Parser()
        self._answers = 0

    def receive(self, data: bytes) -> bytes:
        """What to send back after describe(), mostly nothing. Raises ValueError when the server refuses."""
        for message in self._parser.feed(data):
            if isinstance(message, Interleaved):
                if message.channel == 0:
                    self.frames += message.data[1] >> 7
                self.bytes += len(message.data)
            elif isinstance(message, Response):
                return self._next(message)
        return b""

    def _next(self, response: Response) -> bytes:
        if response.status != 200:
            raise ValueError(f"the server answered {response.status} {response.reason}")
        self._answers += 1
        match self._answers:
            case 1:
                transport = "RTP/AVP/TCP;unicast;interleaved=0-1"
                return Request("SETUP", self._track(response), Headers(CSeq="2", Transport=transport)).encode()
            case 2:
                session = response.headers.get("session", "").split(";")[0]
                return Request("PLAY", self._url, Headers(CSeq="3", Session=session)).encode()
            case _:
                return b""

    def _track(self, described: Response) -> str:
        """Where SETUP goes: the last control attribute, relative to the base (RFC 2326 appendix C.1.1)."""
        lines = described.body.decode("utf-8", "replace").splitlines()
        controls = [line.removeprefix("a=control:").strip() for line in lines if line.startswith("a=control:")]
        base = described.headers.get("content-base", self._url).rstrip("/") + "/"
        return urljoin(base, controls[-1]) if controls else self._url
