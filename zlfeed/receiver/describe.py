"""Asks an RTSP server, over a plain socket, whether it would serve a stream: tells why OpenCV got nothing.

OpenCV says only that a stream did not open. This says which of the many reasons it was, and what to do.
"""

from __future__ import annotations

import base64
import errno
import os
import re
import socket
import time
from dataclasses import dataclass

from zlfeed import __version__, tls
from zlfeed.receiver.target import Target, authority
from zlfeed.rtsp import auth
from zlfeed.rtsp.messages import Headers, Parser, Request, Response, RtspError
from zlfeed.tls import Trust

_CHUNK = 8192


@dataclass(frozen=True, slots=True)
class Description:
    """The server's answer to DESCRIBE (RFC 2326 section 10.2). `sentence` is for people, with the cure when not `ok`.

    `reachable` says that a server took the connection, whatever it answered then.
    """

    ok: bool
    sentence: str
    reachable: bool = True
    took_ms: float | None = None
    wants_token: bool = False
    encoding: str = ""
    """The codec by its name in RTP (H264, H265, AV1 …), where the server told."""

    @property
    def undecodable(self) -> str:
        """Why OpenCV, which opened the stream, gave no picture of it, as far as that is its codec; empty when not."""
        if self.encoding != "AV1":
            return ""
        return (
            "the stream is AV1, which this OpenCV opens but cannot decode (opencv-python has no decoder of it): "
            "publish with --codec h264 or h265"
        )


def describe(target: Target, timeout_s: float, trust: Trust = Trust()) -> Description:  # noqa: B008 - frozen
    """Connects and, to rtsp:// and rtsps:// targets, sends DESCRIBE, answering its challenge. Blocks for `timeout_s` at
    most per step; of http:// targets it tells only whether a server takes connections. Never raises OSError.
    """
    where = authority(target.host, target.port)
    began = time.monotonic()
    try:
        connection = socket.create_connection((target.host, target.port), timeout_s)
    except (OSError, UnicodeError) as error:
        return Description(False, _unreachable(target, error, timeout_s), reachable=False)
    if target.scheme == "rtsps":
        try:
            connection = trust.context(target.host).wrap_socket(connection, server_hostname=target.host)
            trust.check(where, connection)
        except OSError as error:
            connection.close()
            if isinstance(error, TimeoutError):
                return Description(False, f"{where} takes connections but does not speak TLS within {timeout_s:g} s")
            return Description(False, tls.words(error, where))
    with connection:
        if target.scheme not in ("rtsp", "rtsps"):
            took_ms = (time.monotonic() - began) * 1000
            return Description(True, f"{where} takes connections", took_ms=took_ms)
        try:
            answer = _Dialogue(connection, target, time.monotonic() + timeout_s).describe()
        except TimeoutError:
            return Description(
                False, f"{where} takes connections but does not answer within {timeout_s:g} s: is it an RTSP server?"
            )
        except RtspError as error:
            return Description(False, _no_rtsp(where, target.port, error))
        except OSError:
            return Description(False, f"{where} closed the connection without an answer: is it an RTSP server?")
    took_ms = (time.monotonic() - began) * 1000
    ok = answer.status == 200 and b"m=video" in answer.body
    wants_token = answer.status == 401 and target.credentials is None
    return Description(
        ok,
        _words(answer, target),
        took_ms=took_ms,
        wants_token=wants_token,
        encoding=_encoding(answer.body) if ok else "",
    )


class _Dialogue:
    """Requests and responses on one connection, until a deadline (seconds of time.monotonic())."""

    def __init__(self, connection: socket.socket, target: Target, deadline: float) -> None:
        self._connection = connection
        self._target = target
        self._deadline = deadline
        self._parser = Parser()
        self._cseq = 0

    def describe(self) -> Response:
        answer = self._ask("")
        if answer.status != 401 or self._target.credentials is None:
            return answer
        authorization = _authorization(
            answer.headers.get("www-authenticate", ""), *self._target.credentials, self._target.url
        )
        return self._ask(authorization) if authorization else answer

    def _ask(self, authorization: str) -> Response:
        self._cseq += 1
        headers = Headers(
            {"CSeq": str(self._cseq), "Accept": "application/sdp", "User-Agent": f"zlfeed/{__version__}"}
            | ({"Authorization": authorization} if authorization else {})
        )
        self._connection.sendall(Request("DESCRIBE", self._target.url, headers).encode())
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            data = self._connection.recv(_CHUNK)
            if not data:
                raise ConnectionResetError(errno.ECONNRESET, "closed")
            for message in self._parser.feed(data):
                if isinstance(message, Response):
                    return message


def _encoding(sdp: bytes) -> str:
    """The encoding name of the first a=rtpmap line after m=video (RFC 8866 section 6.6); empty when there is none."""
    found = re.search(rb"^a=rtpmap:\d+ +([\w.-]+)/", sdp.partition(b"m=video")[2], re.MULTILINE)
    return found[1].decode().upper() if found else ""


def _authorization(challenge: str, user: str, password: str, url: str) -> str:
    """The Authorization header that answers a challenge (RFC 2617); empty for a scheme that is neither of its two."""
    scheme = challenge.partition(" ")[0].lower()
    if scheme == "basic":
        return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
    if scheme != "digest":
        return ""
    given = auth.parameters(challenge)
    realm, nonce = given.get("realm", ""), given.get("nonce", "")
    response = auth.digest(user, password, realm, nonce, "DESCRIBE", url)
    return f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{url}", response="{response}"'


def _unreachable(target: Target, error: Exception, timeout_s: float) -> str:
    where = authority(target.host, target.port)
    if isinstance(error, TimeoutError):
        return f"{where} does not answer within {timeout_s:g} s: check the address, the VPN and the firewall"
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens at {where}: is `zlfeed publish` running there, and is {target.port} its port for {target.scheme}://?"
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"the name {target.host!r} is not known: check its spelling, or use the address"
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    return f"{where} cannot be reached ({reason}): check the address, the network and the VPN"


def _no_rtsp(where: str, port: int, error: RtspError) -> str:
    """A proxy on the way takes every connection, whether there is anything at that address or not, and speaks HTTP."""
    if "'HTTP/" in str(error):
        return f"{where} answers as a web server, not RTSP: is {port} the right port, and is there no proxy in between?"
    return f"{where} answers, but not as an RTSP server: is {port} the right port?"


def _words(answer: Response, target: Target) -> str:
    where = authority(target.host, target.port)
    stream = repr(target.path.strip("/"))
    match answer.status:
        case 200 if b"m=video" in answer.body:
            return f"{where} serves {stream}"
        case 200:
            return f"{where} serves {stream}, but there is no video in it"
        case 401 if target.credentials is None:
            return f"{where} asks for a token: give the publisher's with --token-file or --token"
        case 401:
            return f"{where} refuses the token: give the publisher's with --token-file or --token"
        case 403:
            return f"{where} does not let this machine in: allow its address at the publisher with --allow"
        case 404:
            return f"{where} has no stream {stream}: check the path against the URL that the publisher shows"
        case 503:
            return f"{where} has no picture to serve as {stream} yet: look at the publisher's camera"
        case status:
            reason = f" {answer.reason}" if answer.reason else ""
            return f"{where} answers {status}{reason} for {stream}: look at the publisher's log"
