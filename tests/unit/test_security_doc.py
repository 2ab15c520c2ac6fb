"""docs/security.md: each test that it names is there, and each limit is the code's."""

from __future__ import annotations

import re
from pathlib import Path

import websockets.http11

from zlfeed import doorway, gate, tls
from zlfeed.publisher.operations import metrics_server
from zlfeed.publisher.status import outbox
from zlfeed.publisher.status import server as status
from zlfeed.publisher.status import session as status_session
from zlfeed.rtsp import connection as rtsp_connection
from zlfeed.rtsp import delivery, messages
from zlfeed.rtsp import server as rtsp
from zlfeed.rtsp import session as rtsp_session
from zlfeed.wire.close import CloseCode

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def test_every_threat_has_what_stops_it_and_a_test_that_is_there() -> None:
    threats = rows("Who could do what")
    assert len(threats) > 15
    for _, what, stopped_by, shown_by in threats:
        named = re.findall(r"`([a-z]+/test_\w+\.py)`", shown_by)
        assert stopped_by, what
        assert named, what
        for name in named:
            file = ROOT / "tests" / name
            assert file.is_file(), f"{what}: there is no {name}"
            assert "def test_" in file.read_text("utf-8")


def cut_off(limit: doorway.Limit) -> str:
    return f"{limit.total}, and {doorway.LOCAL_RESERVE} more from this machine; {limit.each} of another address"


def kib(number: int) -> str:
    return f"{number >> 10} KiB"


def test_the_limits_are_those_of_the_code() -> None:
    """Row by row: a limit that is changed, or a new row, wants its line here."""
    closes = {name: str(code.value) for name, code in CloseCode.__members__.items()}
    ping = 2 * status.KEEPALIVE_S
    expected = {
        "RTSP connections": (
            f"{rtsp.MAX_CONNECTIONS}, and {rtsp.LOCAL_RESERVE} more from this machine; "
            f"{rtsp.MAX_CONNECTIONS_EACH} of another address",
            "503, closed",
        ),
        "RTSP sessions": (f"{rtsp_session.MAX_SESSIONS}; {rtsp_session.MAX_SESSIONS_EACH} of another address", "453"),
        "RTSP header, body": (f"{kib(messages.MAX_HEADER)}, {kib(messages.MAX_BODY)}", "413, closed"),
        "RTSP without PLAY": (f"{rtsp.SETUP_TIME_S:g} s", "closed"),
        "RTSP viewer that shows no sign of life (UDP), takes nothing (TCP)": (
            f"{rtsp_session.TIMEOUT_S * 1.5:g} s, {delivery.STUCK_LIMIT_S:g} s",
            "ended",
        ),
        "wrong passwords on an RTSP connection": (f"{rtsp_connection.MAX_FAILURES}", "closed"),
        "TLS handshake": (f"{tls.HANDSHAKE_S:g} s (status {status_session.HELLO_TIME_S:g} s)", "closed"),
        "status clients": (
            f"{status.MAX_CLIENTS}; {status.MAX_CLIENTS_PER_HOST} of an address that is not this machine",
            closes["TRY_LATER"],
        ),
        "Hello": (f"{status_session.HELLO_TIME_S:g} s", closes["POLICY"]),
        "status message in": (kib(status.MAX_MESSAGE_BYTES), "1009"),
        "status messages in": (
            f"{status_session.MAX_MESSAGES_PER_S} a second; {status_session.MAX_REQUESTS} controls under way",
            f"{closes['POLICY']}; refused in words",
        ),
        "WebSocket request": (
            f"{kib(websockets.http11.MAX_LINE_LENGTH)} a line, {websockets.http11.MAX_NUM_HEADERS} lines", "closed",
        ),
        "status client that answers no ping, takes nothing": (
            f"{ping:g} s, {status_session.WRITE_TIME_S:g} s", "closed",
        ),
        "connections to /metrics": (f"{cut_off(metrics_server.DOORWAY)}; {metrics_server.REQUEST_S:g} s", "cut off"),
        "messages waiting for a client": (f"{outbox.LIMIT}", "the oldest are dropped, and counted"),
    }  # fmt: skip
    found = rows("Limits")
    doorways = [limit for what, limit, _ in found if what == "… those in a handshake counted too"]
    assert doorways == [cut_off(rtsp.DOORWAY), cut_off(status.DOORWAY)]
    assert {what: (limit, answer) for what, limit, answer in found if not what.startswith("…")} == expected


def test_how_guesses_are_slowed_down_is_what_the_gate_does() -> None:
    text = " ".join(PAGE.partition("**Guessing.**")[2].partition("\n\n")[0].split())
    assert gate.FREE == 3
    assert "Three wrong tokens of an address cost nothing." in text
    assert f"{gate.FIRST_S:g} s doubling to {gate.CEILING_S:g} s" in text
    assert gate.MAX_WAITING == 4
    assert "four may wait" in text
    assert gate.FORGET_S == 300
    assert "Five minutes of quiet forget it." in text
    assert f"of {gate.MAX_ADDRESSES} at the most" in text
