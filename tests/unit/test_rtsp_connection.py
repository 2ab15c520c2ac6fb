from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zlfeed.rtsp.auth import Credentials, digest, parameters
from zlfeed.rtsp.codecs import CODECS
from zlfeed.rtsp.connection import (
    METHODS,
    Action,
    Close,
    Connection,
    End,
    Judge,
    OpenPorts,
    Pause,
    Play,
    Refused,
    Rtcp,
    Send,
    Wait,
)
from zlfeed.rtsp.messages import Headers, Parser, Request, Response
from zlfeed.rtsp.rtp import interleave
from zlfeed.rtsp.session import SessionTable
from zlfeed.rtsp.stream import LiveStream

URL = "rtsp://10.0.0.1:8554/zerolatency"
TCP = {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"}
UDP = {"Transport": "RTP/AVP;unicast;client_port=5000-5001"}


def live_stream(name: str = "zerolatency") -> LiveStream:
    """A stream with one picture in it."""
    stream = LiveStream(name)
    stream.set_parameters(CODECS["h264"], b"\0\0\1\x67\x42\xc0\x1e\0\0\1\x68\xce")
    stream.publish(b"\0\0\1\x65slice", captured_us=0, captured_ns=0, now=0)
    return stream


class Client:
    """Speaks to a Connection as a player does; keeps what it is told to do besides answering."""

    def __init__(
        self,
        *streams: LiveStream,
        credentials: Credentials | None = None,
        sessions: SessionTable | None = None,
        open_ports: OpenPorts = lambda _session: (6000, 6001),
        judge: Judge | None = None,
        secure: bool = False,
    ) -> None:
        found = {stream.name: stream for stream in streams or (live_stream(),)}
        self.connection = Connection(
            local_host="10.0.0.1",
            find=found.get,
            credentials=credentials,
            sessions=sessions,
            open_ports=open_ports,
            judge=judge,
            secure=secure,
        )
        self.actions: list[Action] = []
        self._cseq = itertools.count(1)

    def send(self, data: bytes) -> list[Response]:
        answers = []
        for action in self.connection.receive(data):
            if isinstance(action, Send):
                (answer,) = Parser().feed(action.data)
                assert isinstance(answer, Response)
                answers.append(answer)
            else:
                self.actions.append(action)
        return answers

    def ask(self, method: str, url: str = URL, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Response:
        cseq = str(next(self._cseq))
        (answer,) = self.send(Request(method, url, Headers({"CSeq": cseq, **(headers or {})}), body).encode())
        assert answer.headers["cseq"] == cseq
        return answer

    def set_up(self, transport: Mapping[str, str] = TCP) -> dict[str, str]:
        """Sets up; the header that names the session."""
        return {"Session": self.ask("SETUP", URL + "/trackID=0", transport).headers["session"].split(";")[0]}

    def play(self, transport: Mapping[str, str] = TCP) -> dict[str, str]:
        """Sets up and plays; the header that names the session."""
        session = self.set_up(transport)
        assert self.ask("PLAY", URL, session).status == 200
        return session

    def done(self) -> list[type[Any]]:
        """The kinds of actions since last asked."""
        kinds: list[type[Any]] = [type(action) for action in self.actions]
        self.actions.clear()
        return kinds


def test_options_tells_the_methods() -> None:
    assert Client().ask("OPTIONS").headers["public"] == METHODS
    assert Client().ask("OPTIONS", "*").status == 200


def test_describe_gives_the_sdp_and_where_it_belongs() -> None:
    answer = Client().ask("DESCRIBE", URL + "?x=1", {"Accept": "application/sdp"})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/sdp"
    assert answer.headers["content-base"] == URL + "/"
    assert b"m=video" in answer.body


def test_describe_of_something_else_is_404_and_of_what_is_not_ready_503() -> None:
    assert Client().ask("DESCRIBE", URL + "2").status == 404
    assert Client().ask("DESCRIBE", "rtsp://[::1/zerolatency").status == 404
    answer = Client(LiveStream("zerolatency")).ask("DESCRIBE")
    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"


def test_describe_in_a_language_we_do_not_speak_is_406() -> None:
    answer = Client().ask("DESCRIBE", URL, {"Accept": "text/html"})
    assert (answer.status, answer.reason) == (406, "Not Acceptable")


@pytest.mark.parametrize(
    "url",
    [
        URL + "/trackID=0",
        URL + "/?x=1",
        URL + "?x=1/trackID=0",  # FFmpeg
        URL + "/trackID=0?x=1",  # GStreamer
        URL + "/",
        URL,
        "rtsp://other-name/zerolatency/trackID=0",
    ],
)
def test_setup_finds_the_stream_wherever_the_client_puts_the_control(url: str) -> None:
    answer = Client().ask("SETUP", url, TCP)
    assert answer.status == 200
    assert answer.headers["session"].endswith(";timeout=60")


@pytest.mark.parametrize(
    ("asked", "channels"),
    [
        ("RTP/AVP/TCP;unicast;interleaved=0-1", "0-1"),
        ("RTP/AVP/TCP;unicast;interleaved=4-5", "4-5"),
        ("RTP/AVP/TCP", "0-1"),
        ('rtp/avp/tcp;interleaved=2-3;mode="PLAY"', "2-3"),
        ("RTP/SAVP;client_port=5000-5001,RTP/AVP/TCP;interleaved=6-7", "6-7"),
    ],
)
def test_setup_over_tcp_takes_the_channels_asked_for(asked: str, channels: str) -> None:
    stream = live_stream()
    answer = Client(stream).ask("SETUP", URL, {"Transport": asked})
    assert answer.status == 200
    transport = answer.headers["transport"].split(";")
    assert transport[:2] == ["RTP/AVP/TCP", "unicast"]
    assert f"interleaved={channels}" in transport
    assert f"ssrc={stream.rtp.ssrc:08X}" in transport


@pytest.mark.parametrize(
    ("asked", "client_ports"),
    [
        ("RTP/AVP;unicast;client_port=5000-5001", "5000-5001"),
        ("RTP/AVP/UDP;unicast;client_port=5000", "5000-5001"),
        ("RTP/AVP/TCP;multicast,RTP/AVP;client_port=7000-7003,RTP/AVP/TCP", "7000-7003"),
    ],
)
def test_setup_over_udp_tells_both_sides_ports(asked: str, client_ports: str) -> None:
    transport = Client().ask("SETUP", URL, {"Transport": asked}).headers["transport"].split(";")
    assert transport[:2] == ["RTP/AVP", "unicast"]
    assert f"client_port={client_ports}" in transport
    assert "server_port=6000-6001" in transport


def test_without_udp_ports_of_our_own_the_client_s_next_proposal_is_taken() -> None:
    sessions = SessionTable()
    client = Client(sessions=sessions, open_ports=lambda _session: None)
    assert client.ask("SETUP", URL, UDP).status == 461
    assert len(sessions) == 0
    both = {"Transport": UDP["Transport"] + "," + TCP["Transport"]}
    assert client.ask("SETUP", URL, both).headers["transport"].startswith("RTP/AVP/TCP;")
    assert len(sessions) == 1


@pytest.mark.parametrize(
    "asked",
    [
        "RTP/AVP;multicast;client_port=5000-5001",
        "RTP/AVP;unicast",
        "RTP/AVP;unicast;client_port=0-1",
        "RTP/AVP;unicast;client_port=65535",
        "RTP/SAVP;unicast;client_port=5000-5001",
        "RTP/AVP/TCP;interleaved=255-256",
        "RTP/AVP/TCP;interleaved=0-1;mode=record",
        "",
    ],
)
def test_other_transports_are_461(asked: str) -> None:
    assert Client().ask("SETUP", URL, {"Transport": asked}).status == 461


def test_when_there_are_too_many_sessions_setup_is_453() -> None:
    sessions = SessionTable(limit=1)
    Client(sessions=sessions).set_up()
    assert Client(sessions=sessions).ask("SETUP", URL, TCP).status == 453


def test_play_starts_once_and_the_answer_comes_before_the_frames() -> None:
    client = Client()
    request = Request("PLAY", URL, Headers({"CSeq": "9", **client.set_up()})).encode()
    kinds: list[type[Any]] = [type(action) for action in client.connection.receive(request)]
    assert kinds == [Send, Play]
    assert client.ask("PLAY").status == 200
    assert client.done() == []


def test_pause_play_and_teardown() -> None:
    sessions = SessionTable()
    client = Client(sessions=sessions)
    session = client.play()
    for method in ("PAUSE", "PAUSE", "PLAY", "TEARDOWN"):
        assert client.ask(method, URL, session).status == 200
    assert client.done() == [Play, Pause, Play, End]
    assert client.connection.own is None
    assert len(sessions) == 0
    assert client.ask("PLAY", URL, session).status == 454
    assert client.ask("SETUP", URL, TCP).status == 200


def test_a_session_that_plays_cannot_be_set_up_again() -> None:
    client = Client()
    session = client.play()
    assert client.ask("SETUP", URL, TCP).status == 455
    assert client.ask("SETUP", URL, {**TCP, **session}).status == 455


def test_a_client_that_got_no_datagrams_may_pause_and_set_up_over_tcp_on_the_same_connection() -> None:
    # libavformat/rtsp.c, resetup_tcp: without TEARDOWN, and without naming the old session.
    sessions = SessionTable()
    client = Client(sessions=sessions)
    udp = client.play(UDP)
    assert client.ask("PAUSE", URL, udp).status == 200
    tcp = client.play(TCP)
    assert tcp != udp
    assert client.done() == [Play, Pause, End, Play]
    assert len(sessions) == 1


def test_a_session_is_known_by_its_name_or_by_its_connection() -> None:
    client = Client()
    nobody = {"Session": "nobody"}
    assert client.ask("PLAY").status == 455
    assert client.ask("PLAY", URL, nobody).status == 454
    assert client.ask("SETUP", URL, {**TCP, **nobody}).status == 454
    session = client.set_up()
    assert client.ask("PLAY", URL, nobody).status == 454
    assert client.ask("PLAY", URL, {"Session": session["Session"] + ";timeout=60"}).status == 200
    assert client.ask("GET_PARAMETER").status == 200


def test_a_session_over_udp_answers_to_another_connection_and_one_over_tcp_does_not() -> None:
    stream, sessions = live_stream(), SessionTable()
    first, second = Client(stream, sessions=sessions), Client(stream, sessions=sessions)
    tcp = first.play(TCP)
    assert second.ask("TEARDOWN", URL, tcp).status == 454
    assert first.ask("TEARDOWN", URL, tcp).status == 200
    udp = first.play(UDP)
    assert second.ask("GET_PARAMETER", URL, udp).status == 200
    assert second.ask("TEARDOWN", URL, udp).status == 200
    assert second.done() == [End]
    assert first.ask("PLAY", URL, udp).status == 454


def test_keep_alives_are_answered_with_and_without_a_session() -> None:
    client = Client()
    assert client.ask("GET_PARAMETER").status == 200
    session = client.play()
    assert client.ask("GET_PARAMETER", URL, session).status == 200
    assert client.ask("SET_PARAMETER", URL, session).status == 200
    assert client.ask("OPTIONS", URL, session).headers["session"].startswith(session["Session"])


def test_parameters_that_we_do_not_have_are_451() -> None:
    client = Client()
    assert client.ask("SET_PARAMETER", URL, client.play(), b"volume: 11\r\n").status == 451


@pytest.mark.parametrize(("method", "status"), [("RECORD", 405), ("ANNOUNCE", 405), ("REDIRECT", 501), ("BREW", 501)])
def test_methods_that_are_not_ours_are_refused_and_the_connection_goes_on(method: str, status: int) -> None:
    client = Client()
    assert client.ask(method).status == status
    assert client.ask("OPTIONS").status == 200


def test_another_version_and_a_required_extension_are_refused() -> None:
    client = Client()
    (answer,) = client.send(b"OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n")
    assert answer.status == 505
    answer = client.ask("OPTIONS", "*", {"Require": "implicit-play"})
    assert (answer.status, answer.headers["unsupported"]) == (551, "implicit-play")


def test_a_request_without_a_number_is_a_bad_one() -> None:
    (answer,) = Client().send(b"OPTIONS * RTSP/1.0\r\n\r\n")
    assert answer.status == 400


def test_what_is_no_rtsp_is_answered_and_closed() -> None:
    client = Client()
    (answer,) = client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.status == 400
    assert client.done() == [Close]


def test_rtcp_is_taken_from_the_session_s_channel_only() -> None:
    client = Client()
    assert client.send(interleave(b"early", 1)) == []
    client.ask("SETUP", URL, {"Transport": "RTP/AVP/TCP;interleaved=4-5"})
    client.send(interleave(b"report", 5) + interleave(b"media", 4) + interleave(b"other", 1))
    (action,) = client.actions
    assert isinstance(action, Rtcp)
    assert action.data == b"report"


def test_the_player_s_name_is_kept_without_what_a_terminal_would_obey() -> None:
    client = Client()
    client.ask("OPTIONS", "*", {"User-Agent": "Lavf/1 \x1b[2J\x07" + "x" * 500})
    assert client.connection.agent.startswith("Lavf/1 [2Jxxx")
    assert len(client.connection.agent) == 120


# ------------------------------------------------------------ with a password

SECRET = Credentials("a-secret-token")


def authorized(challenge: Response, method: str, password: str) -> dict[str, str]:
    given = parameters(challenge.headers["www-authenticate"].partition(" ")[2])
    response = digest("viewer", password, given["realm"], given["nonce"], method, URL)
    value = (
        f'Digest username="viewer", realm="{given["realm"]}", nonce="{given["nonce"]}", uri="{URL}", '
        f'response="{response}"'
    )
    return {"Authorization": value}


def test_without_a_password_only_options_is_answered() -> None:
    client = Client(credentials=SECRET)
    assert client.ask("OPTIONS").status == 200
    for method in ("DESCRIBE", "SETUP", "PLAY", "GET_PARAMETER", "TEARDOWN", "BREW"):
        answer = client.ask(method, URL, TCP)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Digest ")
    # A client that does not know that it must answer a challenge is no guesser.
    assert client.done() == []


def test_the_right_password_opens_every_step() -> None:
    client = Client(credentials=SECRET)
    challenge = client.ask("DESCRIBE")
    assert client.ask("DESCRIBE", URL, authorized(challenge, "DESCRIBE", "a-secret-token")).status == 200
    assert client.ask("SETUP", URL, {**TCP, **authorized(challenge, "SETUP", "a-secret-token")}).status == 200
    assert client.ask("PLAY", URL, authorized(challenge, "PLAY", "a-secret-token")).status == 200


def test_a_wrong_password_is_told_once_and_the_third_closes() -> None:
    client = Client(credentials=SECRET)
    challenge = client.ask("DESCRIBE")
    for tries in range(3):
        assert client.actions == [Refused("its password is wrong")][:tries]
        assert client.ask("DESCRIBE", URL, authorized(challenge, "DESCRIBE", "wrong-token")).status == 401
    assert client.done() == [Refused, Close]


def test_an_answer_to_another_connections_challenge_is_no_wrong_password() -> None:
    elsewhere = Client(credentials=SECRET).ask("DESCRIBE")
    client = Client(credentials=SECRET)
    assert client.ask("DESCRIBE", URL, authorized(elsewhere, "DESCRIBE", "a-secret-token")).status == 401
    assert client.done() == []


def test_a_challenge_of_one_connection_opens_no_other() -> None:
    challenge = Client(credentials=SECRET).ask("DESCRIBE")
    other = Client(credentials=SECRET)
    assert other.ask("DESCRIBE", URL, authorized(challenge, "DESCRIBE", "a-secret-token")).status == 401


@dataclass
class Turns:
    """A Judge that gives one turn after another."""

    waits: list[float | None]
    failures: int = 0

    def admit(self) -> float | None:
        return self.waits.pop(0)

    def failed(self) -> None:
        self.failures += 1


def test_a_password_waits_for_its_turn_and_so_does_what_comes_behind_it() -> None:
    turns = Turns([2.5])
    client = Client(credentials=SECRET, judge=turns)
    challenge = client.ask("DESCRIBE")
    right = authorized(challenge, "DESCRIBE", "a-secret-token")
    client.send(Request("DESCRIBE", URL, Headers({"CSeq": "8", **right})).encode())
    client.send(Request("OPTIONS", URL, Headers({"CSeq": "9"})).encode())
    assert client.actions == [Wait(2.5)]
    answers = [action for action in client.connection.go_on() if isinstance(action, Send)]
    assert [b"200 OK" in answer.data for answer in answers] == [True, True]
    # Who is in stays in: no other password of this connection is a guess.
    assert client.ask("DESCRIBE", URL, right).status == 200
    assert turns.waits == []
    assert turns.failures == 0


def test_wrong_passwords_are_counted_and_requests_without_one_are_not() -> None:
    turns = Turns([0.0, 0.0])
    client = Client(credentials=SECRET, judge=turns)
    challenge = client.ask("DESCRIBE")
    for _ in range(2):
        client.ask("DESCRIBE", URL, authorized(challenge, "DESCRIBE", "wrong-token"))
        client.ask("DESCRIBE")
    assert turns.failures == 2


def test_where_too_many_wait_already_the_password_is_not_looked_at() -> None:
    client = Client(credentials=SECRET, judge=Turns([None]))
    challenge = client.ask("DESCRIBE")
    answer = client.ask("DESCRIBE", URL, authorized(challenge, "DESCRIBE", "a-secret-token"))
    assert (answer.status, answer.headers["retry-after"]) == (503, "10")
    assert client.done() == [Close]


def test_over_tls_basic_will_do_and_nothing_goes_beside_it() -> None:
    client = Client(credentials=SECRET, secure=True)
    assert client.ask("DESCRIBE").headers["www-authenticate"].count("realm=") == 2
    basic = {"Authorization": "Basic " + base64.b64encode(b"viewer:a-secret-token").decode()}
    assert client.ask("DESCRIBE", URL, basic).status == 200
    udp = {"Transport": "RTP/AVP;unicast;client_port=5000-5001"}
    assert client.ask("SETUP", URL, {**udp, **basic}).status == 461
    assert client.ask("SETUP", URL, {**TCP, **basic}).status == 200
    assert client.connection.own is not None
    assert client.connection.own.password == "a-secret-token"


# ------------------------------------------------------------ whatever comes

text = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=30)
rough_requests = st.builds(
    lambda method, url, headers, body: Request(method, url, Headers(headers), body).encode(),
    st.sampled_from([*METHODS.split(", "), "ANNOUNCE", "RECORD", "FLY"]),
    st.one_of(st.just(URL), st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=30)),
    st.fixed_dictionaries(
        {},
        optional={
            "CSeq": text,
            "Session": text,
            "Transport": st.one_of(text, st.just(TCP["Transport"]), text.map(lambda t: "RTP/AVP/TCP;" + t)),
            "Accept": text,
            "Require": text,
            "Authorization": st.one_of(text, text.map(lambda t: f'Digest username="viewer", response="{t}"')),
            "User-Agent": text,
        },
    ),
    st.binary(max_size=20),
)


@given(st.lists(st.one_of(rough_requests, st.binary(max_size=30)), max_size=8), st.booleans())
def test_nothing_a_client_sends_raises(pieces: list[bytes], secret: bool) -> None:
    client = Client(credentials=SECRET if secret else None)
    for piece in pieces:
        client.send(piece)
        if any(isinstance(action, Close) for action in client.actions):
            break
