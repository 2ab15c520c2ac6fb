"""The playing client against servers of all kinds, without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rtsp_peer import Peer
from zlfeed.rtsp.auth import Credentials, Login
from zlfeed.rtsp.client import Lost, Playing, Rtcp, Rtp
from zlfeed.rtsp.codecs import CODECS
from zlfeed.rtsp.player import PlayingClient
from zlfeed.rtsp.rtp import interleave
from zlfeed.rtsp.sdp import describe

URL = "rtsp://far.example/live"
SDP = describe("live", CODECS["h264"], [b"\x67\x42\xc0\x1e", b"\x68\xce"], session_id=1, host="10.0.0.1")
SETUP = {"Session": "S1;timeout=20", "Transport": "RTP/AVP/TCP;unicast;interleaved=2-3"}
DIGEST = 'Digest realm="zlfeed", nonce="5c674c06"'


class Server(Peer):
    """That of a PlayingClient."""

    def __init__(self, login: Login | None = None) -> None:
        self.client = PlayingClient(URL, login, "zlfeed/test")
        super().__init__(self.client)

    def play(self) -> None:
        """Goes along until frames are due."""
        self.answer(headers={"Public": "DESCRIBE, SETUP, PLAY, GET_PARAMETER"})
        self.answer(headers={"Content-Base": f"{URL}/"}, body=SDP)
        self.answer(headers=SETUP)
        self.answer()


def test_it_describes_sets_up_and_plays() -> None:
    server = Server()
    server.play()
    assert [(request.method, request.url) for request in server.asked] == [
        ("OPTIONS", URL), ("DESCRIBE", URL), ("SETUP", f"{URL}/trackID=0"), ("PLAY", f"{URL}/"),
    ]  # fmt: skip
    assert server.asked[1].headers["accept"] == "application/sdp"
    assert server.asked[2].headers["transport"] == "RTP/AVP/TCP;unicast;interleaved=0-1"
    assert server.asked[3].headers["session"] == "S1"
    assert server.actions == [Playing(20)]
    server.take(server.client.receive(interleave(b"frame", 2) + interleave(b"report", 3) + interleave(b"sound", 4)))
    assert server.actions[1:] == [Rtp(b"frame"), Rtcp(b"report")]
    server.take(server.client.keep_alive())
    assert server.asked[-1].method == "GET_PARAMETER"
    server.answer(454)
    assert server.lost.curable
    server.take(server.client.end())
    assert server.asked[-1].method == "TEARDOWN"


def test_frames_that_come_before_the_answer_to_play_are_taken() -> None:
    server = Server()
    server.answer()
    server.take(server.client.receive(interleave(b"nothing was set up", 0)))
    server.answer(body=SDP)
    server.answer(headers=SETUP)
    server.take(server.client.receive(interleave(b"early", 2)))
    assert server.actions == [Rtp(b"early")]


def test_it_logs_in_by_digest() -> None:
    server = Server(Login("viewer", "secret"))
    server.answer()
    server.answer(401, {"WWW-Authenticate": f'Basic realm="x"\n{DIGEST}'})
    again = server.asked[-1]
    assert again.method == "DESCRIBE"
    assert Credentials("secret").accepts(again.headers["authorization"], "DESCRIBE", "5c674c06")
    server.answer(401, {"WWW-Authenticate": DIGEST})
    assert server.lost == Lost("it refuses the user name or the password", curable=False)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("v=0\r\nm=video 0 RTP/AVP 26\r\n", "no video of H.264 or H.265"),
        ("v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 AV1/90000\r\n", "its video is AV1"),
        ("<html>", "no session description"),
        (SDP.replace("trackID=0", "rtsp://host/\x7f"), "that is none"),
    ],
)
def test_what_cannot_be_passed_on_is_told(body: str, words: str) -> None:
    server = Server()
    server.answer()
    server.answer(body=body)
    assert words in server.lost.reason


def test_a_stream_that_is_not_there_is_told() -> None:
    server = Server()
    server.answer()
    server.answer(404)
    assert server.lost == Lost("it answers DESCRIBE with 404 Not Found", curable=False)


@given(
    st.lists(
        st.binary(max_size=60) | st.sampled_from([b"$\x02\0\1x", b"RTSP/1.0 200 OK\r\nCSeq: 2\r\n\r\n"]), max_size=12
    )
)
def test_whatever_a_server_sends_it_does_not_break(pieces: list[bytes]) -> None:
    for begin in (Server.answer, Server.play, lambda server: None):
        server = Server()
        begin(server)
        for piece in pieces:
            server.take(server.client.receive(piece))
            if any(isinstance(action, Lost) for action in server.actions):
                break
