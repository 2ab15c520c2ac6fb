from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rtsp_peer import Peer
from zlfeed.rtsp.auth import Credentials, Login
from zlfeed.rtsp.client import Lost, Recording, RecordingClient, Rtcp, Send
from zlfeed.rtsp.messages import Headers, Interleaved, Parser, Request, Response
from zlfeed.rtsp.rtp import interleave

URL = "rtsp://far.example:8554/live"
SDP = "v=0\r\nm=video 0 RTP/AVP 96\r\n"
NONCE = "5c674c06"
DIGEST = f'Digest realm="zlfeed", nonce="{NONCE}"'
SESSION = {"Session": "S1;timeout=30"}
TCP = {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"}


class Server(Peer):
    """That of a RecordingClient."""

    def __init__(self, login: Login | None = None) -> None:
        self.client = RecordingClient(URL, login, SDP, "zlfeed/test")
        super().__init__(self.client)

    def record(self, *, public: str = "ANNOUNCE, RECORD, GET_PARAMETER") -> None:
        """Goes along until frames are taken."""
        self.answer(headers={"Public": public})
        self.answer()
        self.answer(headers=SESSION | TCP)
        self.answer()


def test_it_announces_sets_up_and_records() -> None:
    server = Server()
    server.record()
    methods = [(request.method, request.url) for request in server.asked]
    assert methods == [("OPTIONS", URL), ("ANNOUNCE", URL), ("SETUP", f"{URL}/trackID=0"), ("RECORD", URL)]
    _, announce, setup, record = server.asked
    assert (announce.body.decode(), announce.headers["content-type"]) == (SDP, "application/sdp")
    assert setup.headers["transport"] == "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record"
    assert (record.headers["session"], record.headers["range"]) == ("S1", "npt=0.000-")
    assert [int(request.headers["cseq"]) for request in server.asked] == [1, 2, 3, 4]
    assert server.actions == [Recording(0, 30)]


def test_the_session_may_begin_with_announce_and_have_no_timeout() -> None:
    server = Server()
    server.answer()
    server.answer(headers={"Session": "early"})
    assert server.asked[-1].headers["session"] == "early"
    server.answer(headers=TCP)
    server.answer()
    assert server.actions == [Recording(0, 60)]


def test_the_server_may_choose_the_channels() -> None:
    server = Server()
    server.answer()
    server.answer()
    server.answer(headers=SESSION | {"Transport": "RTP/AVP/TCP;unicast;mode=record;interleaved=4-5"})
    server.answer()
    server.send(interleave(b"report", 5) + interleave(b"other", 1))
    assert server.actions == [Recording(4, 30), Rtcp(b"report")]


@pytest.mark.parametrize(
    "transport", ["", "RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001", "RTP/AVP/TCP;interleaved=255-256"]
)
def test_a_server_that_wants_another_transport_is_left(transport: str) -> None:
    server = Server()
    server.answer()
    server.answer()
    server.answer(headers=SESSION | {"Transport": transport})
    assert not server.lost.curable
    assert "TCP" in server.lost.reason


@pytest.mark.parametrize("status", [403, 404, 405, 415, 461, 501])
def test_a_refusal_for_good(status: int) -> None:
    server = Server()
    server.answer()
    server.answer(status)
    assert not server.lost.curable
    assert f"ANNOUNCE with {status}" in server.lost.reason


@pytest.mark.parametrize("status", [400, 453, 500, 503])
def test_a_refusal_that_may_pass(status: int) -> None:
    server = Server()
    server.answer()
    server.answer(status)
    assert server.lost.curable


def test_a_server_that_has_moved_is_named_without_its_password() -> None:
    server = Server()
    server.answer()
    server.answer(302, {"Location": "rtsp://user:secret@other.example/live"})
    assert "rtsp://***@other.example/live" in server.lost.reason
    assert not server.lost.curable


def test_options_refused_says_nothing_about_publishing() -> None:
    server = Server()
    server.answer(501)
    assert server.asked[-1].method == "ANNOUNCE"


# ---------------------------------------------------------------- passwords


def test_digest_is_answered_and_kept_for_the_requests_after() -> None:
    server = Server(Login("viewer", "s3cret-token"))
    server.answer()
    assert "authorization" not in server.asked[-1].headers
    server.answer(401, {"WWW-Authenticate": DIGEST})
    server.answer()
    server.answer(headers=SESSION | TCP)
    server.answer()
    judge = Credentials("s3cret-token")
    signed = server.asked[2:]
    assert [request.method for request in signed] == ["ANNOUNCE", "SETUP", "RECORD"]
    for request in signed:
        assert judge.accepts(request.headers["authorization"], request.method, NONCE)
        assert f'uri="{request.url}"' in request.headers["authorization"]
        assert "s3cret" not in request.encode().decode()
    assert server.actions == [Recording(0, 30)]
    assert not server.client.basic


@pytest.mark.parametrize("one_line", [True, False])
def test_basic_is_used_only_where_nothing_else_is_offered(one_line: bool) -> None:
    server = Server(Login("viewer", "s3cret-token"))
    server.answer()
    cseq = server.asked[-1].headers["cseq"]
    fields = [f'Basic realm="zlfeed", {DIGEST}'] if one_line else ['Basic realm="zlfeed"', DIGEST]
    lines = "".join(f"WWW-Authenticate: {value}\r\n" for value in fields)
    server.send(f"RTSP/1.0 401 Unauthorized\r\nCSeq: {cseq}\r\n{lines}\r\n".encode())
    assert server.asked[-1].headers["authorization"].startswith("Digest ")

    server = Server(Login("cam", "s3cret"))
    server.answer()
    server.answer(401, {"WWW-Authenticate": 'Basic realm="x"'})
    assert server.asked[-1].headers["authorization"] == "Basic Y2FtOnMzY3JldA=="
    assert server.client.basic


@pytest.mark.parametrize("headers", [{}, {"WWW-Authenticate": 'Digest realm="zlfeed", nonce="another"'}])
def test_a_wrong_password_is_tried_once(headers: Mapping[str, str]) -> None:
    server = Server(Login("viewer", "wrong-s3cret"))
    server.answer()
    server.answer(401, {"WWW-Authenticate": DIGEST})
    server.answer(401, headers)
    assert len(server.asked) == 3
    assert not server.lost.curable
    assert "password" in server.lost.reason
    assert "s3cret" not in server.lost.reason
    assert "viewer" not in server.lost.reason


def test_a_server_that_asks_for_a_password_and_we_have_none() -> None:
    server = Server()
    server.answer()
    server.answer(401, {"WWW-Authenticate": DIGEST})
    assert not server.lost.curable
    assert "user" in server.lost.reason


@pytest.mark.parametrize("header", ["", "Negotiate", 'Bearer realm="x"', 'Digest realm="x", nonce="y", algorithm=MD4'])
def test_a_login_of_another_kind(header: str) -> None:
    server = Server(Login("viewer", "s3cret"))
    server.answer()
    server.answer(401, {"WWW-Authenticate": header})
    assert not server.lost.curable
    assert "kind" in server.lost.reason


def test_a_nonce_that_has_grown_old_is_answered_anew() -> None:
    server = Server(Login("viewer", "s3cret-token"))
    server.answer()
    server.answer(401, {"WWW-Authenticate": DIGEST})
    server.answer()
    server.answer(401, {"WWW-Authenticate": 'Digest realm="zlfeed", nonce="second", stale=true'})
    assert server.asked[-1].method == "SETUP"
    header = server.asked[-1].headers["authorization"]
    assert Credentials("s3cret-token").accepts(header, "SETUP", "second")


def test_a_server_whose_nonces_are_always_old_is_left() -> None:
    server = Server(Login("viewer", "s3cret-token"))
    server.answer()
    for number in range(20):
        if server.actions:
            break
        server.answer(401, {"WWW-Authenticate": f'Digest realm="zlfeed", nonce="n{number}", stale=true'})
    assert not server.lost.curable


def test_answers_to_one_challenge_are_counted_where_the_server_counts() -> None:
    server = Server(Login("viewer", "s3cret"))
    server.answer()
    server.answer(401, {"WWW-Authenticate": f'{DIGEST}, qop="auth"'})
    server.answer()
    counts = [re.search(r"nc=(\w+)", request.headers["authorization"]) for request in server.asked[2:]]
    assert [count and count[1] for count in counts] == ["00000001", "00000002"]


# ---------------------------------------------------------------- while recording


@pytest.mark.parametrize(
    ("public", "method"), [("ANNOUNCE, GET_PARAMETER", "GET_PARAMETER"), ("ANNOUNCE", "OPTIONS"), ("", "OPTIONS")]
)
def test_the_keep_alive_is_what_the_server_knows(public: str, method: str) -> None:
    server = Server()
    server.record(public=public)
    server.take(server.client.keep_alive())
    assert (server.asked[-1].method, server.asked[-1].headers["session"]) == (method, "S1")
    assert server.client.waiting
    server.take(server.client.keep_alive())
    assert len(server.asked) == 5, "one at a time"
    server.answer(500)
    assert not server.client.waiting
    assert server.actions == [Recording(0, 30)]


def test_a_session_that_the_server_has_forgotten() -> None:
    server = Server()
    server.record()
    server.take(server.client.keep_alive())
    server.answer(454)
    assert server.lost.curable


def test_the_server_may_ask_too() -> None:
    server = Server()
    server.record()
    server.send(Request("OPTIONS", "*", Headers(CSeq="7")).encode() + Request("PLAY", "*", Headers(CSeq="8")).encode())
    answers = [message for a in server.actions[1:] if isinstance(a, Send) for message in Parser().feed(a.data)]
    assert [(a.status, a.headers["cseq"]) for a in answers if isinstance(a, Response)] == [(200, "7"), (501, "8")]


def test_the_server_may_end_the_session() -> None:
    server = Server()
    server.record()
    server.send(Request("TEARDOWN", URL, Headers(CSeq="7", Session="S1")).encode())
    assert server.lost.curable


def test_leaving_tears_the_session_down() -> None:
    server = Server()
    server.take(server.client.end())
    assert len(server.asked) == 1, "there is no session yet"
    server.record()
    server.take(server.client.end())
    assert (server.asked[-1].method, server.asked[-1].headers["session"]) == ("TEARDOWN", "S1")


# ---------------------------------------------------------------- what is no RTSP


def test_another_protocol_is_recognised() -> None:
    server = Server()
    server.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert not server.lost.curable
    assert "HTTP/1.1 400" in server.lost.reason


def test_answers_to_nothing_are_passed_over() -> None:
    server = Server()
    server.send(Response(200, {"CSeq": "99"}).encode())
    server.answer(100)
    assert server.client.waiting
    server.record()
    server.send(Response(404, {"CSeq": "4"}).encode())
    assert server.actions == [Recording(0, 30)]


def test_nothing_follows_a_loss() -> None:
    server = Server()
    server.answer()
    cseq = server.asked[-1].headers["cseq"]
    refused = Response(403, {"CSeq": cseq}).encode()
    server.send(refused + refused + b"garbage")
    assert isinstance(server.lost, Lost)


@given(
    st.lists(st.binary(max_size=200) | st.sampled_from([b"RTSP/1.0 ", b"200 OK\r\n", b"CSeq: 1\r\n\r\n", b"$\0\0\1"]))
)
def test_no_bytes_bring_it_down(pieces: list[bytes]) -> None:
    client = RecordingClient(URL, Login("a", "b"), SDP, "zlfeed/test")
    list(client.begin())
    for piece in pieces:
        if any(isinstance(action, Lost) for action in client.receive(piece)):
            return


def test_frames_from_the_server_are_no_business_of_ours() -> None:
    server = Server()
    server.send(interleave(b"early", 1))
    server.record()
    assert [type(message) for message in Parser().feed(interleave(b"x", 0))] == [Interleaved]
    server.send(interleave(b"rtp", 0))
    assert server.actions == [Recording(0, 30)]
