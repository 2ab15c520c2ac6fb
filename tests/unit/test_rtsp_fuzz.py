"""Messages that no honest client sends, by the thousand: an answer, an error or a closed connection, never a crash.

`ZLFEED_FUZZ=1000000 pytest tests/unit/test_rtsp_fuzz.py` takes as many.
"""

from __future__ import annotations

import os
import random
import time

import pytest

from zlfeed.rtsp.auth import Credentials
from zlfeed.rtsp.codecs import CODECS
from zlfeed.rtsp.connection import Close, Connection, Send
from zlfeed.rtsp.messages import Parser, Response
from zlfeed.rtsp.session import SessionTable
from zlfeed.rtsp.stream import LiveStream

MESSAGES = int(os.environ.get("ZLFEED_FUZZ", "20000"))
METHODS = ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "PAUSE", "TEARDOWN", "GET_PARAMETER", "SET_PARAMETER"]
METHODS += ["ANNOUNCE", "RECORD", "REDIRECT", "X", "get"]
LOGINS = ["Digest", "Digest nonce=", "Basic x", 'Digest response="é"']
PATHS = ["cam", "cam/trackID=0", "", "%", "%ff%00", "nobody", "cam?x=%zz", "//cam//", "cam/" * 50, "[::1", "\u00fc"]
TRANSPORTS = [
    "RTP/AVP/TCP;unicast;interleaved=0-1", "RTP/AVP;unicast;client_port=5000-5001", "RTP/AVP;multicast", ";;;,,,=",
    "RTP/AVP/TCP;interleaved=254-255", "RTP/AVP/TCP;interleaved=255-256", "RTP/AVP;client_port=0-0", "x" * 3000,
    "RTP/AVP/TCP;unicast;interleaved=99999999999999999999", 'RTP/AVP;unicast;client_port=1-2;mode="RECORD"',
]  # fmt: skip


def stream() -> LiveStream:
    live = LiveStream("cam")
    codec = CODECS["h264"]
    live.set_parameters(codec, b"\0\0\0\1\x67\x42\xc0\x1e\0\0\0\1\x68\xcb")
    live.publish(b"\0\0\0\1\x65" + b"\x88" * 50, captured_us=1, captured_ns=1, now=0.0)
    return live


def message(rng: random.Random, sessions: list[str]) -> bytes:
    """One message, mostly almost right."""
    kind = rng.random()
    if kind < 0.03:
        return rng.randbytes(rng.randrange(1, 200))
    if kind < 0.08:
        size = rng.randrange(0, 300)
        return b"$" + bytes((rng.randrange(256),)) + size.to_bytes(2, "big") + rng.randbytes(size)
    if kind < 0.10:
        return b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"
    url = f"rtsp://{rng.choice(['host', '', '[', 'a:b@c:d'])}:8554/{rng.choice(PATHS)}"
    lines = [f"{rng.choice(METHODS)} {url} RTSP/{rng.choice(['1.0', '1.0', '1.0', '2.0', '9'])}"]
    if rng.random() < 0.95:
        lines.append(f"CSeq: {rng.choice([1, 'x', -1, 10**40])}")
    if rng.random() < 0.6:
        lines.append(f"Transport: {rng.choice(TRANSPORTS)}")
    if rng.random() < 0.5:
        lines.append(f"Session: {rng.choice([*sessions, 'none', ''])}")
    if rng.random() < 0.1:
        lines.append(f"Content-Length: {rng.choice(['0', '3', '-1', 'x', '99999999', '٣'])}")
    if rng.random() < 0.1:
        lines.append(f"Authorization: {rng.choice(LOGINS)}")
    if rng.random() < 0.05:
        lines.append("no colon here")
    data = ("\r\n".join(lines) + "\r\n\r\n").encode()
    if rng.random() < 0.05:
        at = rng.randrange(len(data))
        data = data[:at] + rng.randbytes(rng.randrange(4)) + data[at + rng.randrange(4) :]
    return data


@pytest.mark.parametrize("credentials", [None, Credentials("secret-token")], ids=["open", "token"])
def test_whatever_is_sent_is_answered_or_refused(credentials: Credentials | None) -> None:
    rng = random.Random(20261123)
    live = stream()
    sessions = SessionTable()
    slowest = 0.0
    done = 0
    while done < MESSAGES:
        connection = Connection(
            local_host="::1", find={"cam": live}.get, credentials=credentials, sessions=sessions,
            open_ports=lambda _session: (6000, 6001),
        )  # fmt: skip
        named: list[str] = []
        for _ in range(rng.randrange(1, 12)):
            done += 1
            began = time.perf_counter()
            actions = list(connection.receive(message(rng, named)))
            slowest = max(slowest, time.perf_counter() - began)
            for action in actions:
                if isinstance(action, Send):
                    (answer,) = Parser().feed(action.data)
                    assert isinstance(answer, Response)
                    assert 200 <= answer.status < 600
                    if session := answer.headers.get("session"):
                        named.append(session.split(";")[0])
            if connection.own is not None:
                assert credentials is None, "nobody gets in without the token"
            if any(isinstance(action, Close) for action in actions):
                break
        if connection.own is not None:
            sessions.remove(connection.own)
    # Generous: what one message may cost the others who share the loop.
    assert slowest < 1.0
