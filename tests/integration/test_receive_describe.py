"""Why a stream does not open, told by a plain DESCRIBE against servers that answer, refuse, or are none."""

from __future__ import annotations

import contextlib
import functools
import queue
import re
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from zlfeed.config import Settings
from zlfeed.errors import ExitCode
from zlfeed.model import Event
from zlfeed.receiver import backends, probe, reader
from zlfeed.receiver.describe import describe
from zlfeed.receiver.target import Target, parse
from zlfeed.rtsp.auth import Credentials

SDP = b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
Answer = Callable[[str], bytes]
"""What to answer to a request; nothing closes the connection."""


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[int]:
    """A port where every request gets an answer."""

    def converse(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while request := connection.recv(8192):
                reply = answer(request.decode())
                if not reply:
                    return
                connection.sendall(reply)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=converse, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def target(port: int, token: str = "") -> Target:
    return parse(f"127.0.0.1:{port}", rtsp_port=8554, stream_name="zerolatency").with_token(token)


def response(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"RTSP/1.0 {status}", "CSeq: 1", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def test_a_codec_that_opencv_opens_and_does_not_decode_is_named() -> None:
    for name, undecodable in (("AV1", True), ("H264", False)):
        sdp = SDP + f"a=rtpmap:96 {name}/90000\r\n".encode()
        answer = response("200 OK", sdp)
        with serving(functools.partial(lambda answer, _request: answer, answer)) as port:
            found = describe(target(port), 5)
        assert found.encoding == name
        assert ("--codec h264" in found.undecodable) is undecodable


class Blind:
    """A capture of a stream that OpenCV opens and decodes nothing of."""

    def isOpened(self) -> bool:
        return True

    def getBackendName(self) -> str:
        return "FFMPEG"

    def read(self) -> tuple[bool, None]:
        return False, None

    def release(self) -> None:
        return


def test_a_stream_that_gave_no_picture_is_asked_for_its_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "open_capture", lambda *_arguments: Blind())
    said: queue.SimpleQueue[Event] = queue.SimpleQueue()
    sdp = SDP + b"a=rtpmap:96 AV1/90000\r\n"
    with serving(lambda _request: response("200 OK", sdp)) as port:
        plan = backends.plan("ffmpeg", target(port), lambda _name: True)
        looking = reader.Reader(
            target(port), plan, transport="tcp", timeout_s=5, clock=reader.NoClock(), on_event=said.put
        )
        looking.start()
        assert "the stream is AV1, which this OpenCV opens but cannot decode" in said.get(timeout=10).text
        assert looking.stop(10)


def test_a_tested_connection_says_so_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(probe, "open_capture", lambda *_arguments: Blind())
    sdp = SDP + b"a=rtpmap:96 AV1/90000\r\n"
    with serving(lambda _request: response("200 OK", sdp)) as port:
        plan = backends.plan("ffmpeg", target(port), lambda _name: True)
        there = target(port)
        assert probe.run(Settings(), there, plan, None, "", as_json=False, source=there) == ExitCode.NOT_STARTED
    assert "FAIL  first picture the stream is AV1, which this OpenCV opens but cannot decode" in capsys.readouterr().out


def test_a_stream_that_is_served_is_ok() -> None:
    with serving(lambda _request: response("200 OK", SDP)) as port:
        found = describe(target(port), 5)
    assert (found.ok, found.reachable) == (True, True)
    assert found.sentence == f"127.0.0.1:{port} serves 'zerolatency'"
    assert found.took_ms is not None


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (response("200 OK", b"v=0\r\nm=audio 0 RTP/AVP 0\r\n"), "no video in it"),
        (response("401 Unauthorized"), "asks for a token"),
        (response("403 Forbidden"), "--allow"),
        (response("404 Not Found"), "has no stream 'zerolatency'"),
        (response("503 Service Unavailable"), "no picture to serve"),
        (response("500 Oops"), "answers 500 Oops"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "answers as a web server"),
        (b"\x00\x01\x02\x03 garbage", "not as an RTSP server"),
        (b"", "closed the connection"),
    ],
)
def test_each_answer_gets_a_sentence_with_a_cure(reply: bytes, words: str) -> None:
    with serving(lambda _request: reply) as port:
        found = describe(target(port), 5)
    assert not found.ok
    assert words in found.sentence
    assert "\n" not in found.sentence


@pytest.mark.parametrize("scheme", ["Digest", "Basic"])
def test_a_challenge_is_answered_with_the_token(scheme: str) -> None:
    credentials = Credentials("token-1234")

    def answer(request: str) -> bytes:
        given = re.search(r"^Authorization: (.*)\r$", request, re.MULTILINE)
        if given and scheme == "Digest" and credentials.accepts(given[1], "DESCRIBE", "n1"):
            return response("200 OK", SDP)
        if given and given[1] == "Basic dmlld2VyOnRva2VuLTEyMzQ=":
            return response("200 OK", SDP)
        challenge = credentials.challenge("n1")[0] if scheme == "Digest" else 'Basic realm="x"'
        return response("401 Unauthorized", b"", f"WWW-Authenticate: {challenge}")

    with serving(answer) as port:
        assert describe(target(port, "token-1234"), 5).ok
        refused = describe(target(port, "token-9999"), 5)
    assert "refuses the token" in refused.sentence
    assert "9999" not in refused.sentence


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    found = describe(target(port), 5)
    assert (found.ok, found.reachable) == (False, False)
    assert "nothing listens at" in found.sentence


def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = describe(target(listener.getsockname()[1]), 0.2)
    assert "does not answer within 0.2 s" in found.sentence


def test_an_unknown_name_is_said() -> None:
    found = describe(parse("no-such-host.invalid", rtsp_port=8554, stream_name="x"), 5)
    assert not found.ok
    assert "no-such-host.invalid" in found.sentence
