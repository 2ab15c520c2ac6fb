"""What publish offers to paste elsewhere."""

from __future__ import annotations

from pathlib import Path

from zlfeed.publisher.hints import access, commands
from zlfeed.tokens import Token

USUAL = {"rtsp": "rtsp://192.0.2.7:8554/zerolatency", "websocket": "ws://192.0.2.7:9000/"}
OTHER = {"rtsp": "rtsp://192.0.2.7:9554/front", "websocket": "ws://192.0.2.7:9900/"}
LOCAL = {"rtsp": "rtsp://127.0.0.1:8554/zerolatency", "websocket": "ws://127.0.0.1:9000/"}
MADE = Token("abcdefgh", explicit=False, path=Path("/state/token"), created=True)


def test_with_the_usual_ports_the_host_is_enough() -> None:
    assert commands(USUAL, None) == [("watch", "zlfeed receive 192.0.2.7"), ("monitor", "zlfeed monitor 192.0.2.7")]


def test_other_ports_are_named() -> None:
    assert commands(OTHER, None) == [
        ("watch", "zlfeed receive rtsp://192.0.2.7:9554/front --websocket-port 9900"),
        ("monitor", "zlfeed monitor 192.0.2.7:9900"),
    ]


def test_an_ipv6_address_keeps_its_brackets() -> None:
    urls = {"rtsp": "rtsp://[2001:db8::7]:8554/zerolatency", "websocket": "ws://[2001:db8::7]:9000/"}
    assert dict(commands(urls, None))["watch"] == "zlfeed receive [2001:db8::7]"


def test_a_token_that_is_shown_comes_with_every_line() -> None:
    lines = dict(commands(USUAL, MADE))

    assert lines["watch"] == "zlfeed receive 192.0.2.7 --token abcdefgh"
    assert lines["monitor"] == "zlfeed monitor 192.0.2.7 --token abcdefgh"
    assert lines["players"] == "rtsp://viewer:abcdefgh@192.0.2.7:8554/zerolatency"


def test_with_tls_the_fingerprint_comes_with_every_line() -> None:
    urls = {"rtsp": "rtsps://192.0.2.7:8322/zerolatency", "websocket": "wss://192.0.2.7:9000/"}
    lines = dict(commands(urls, MADE, "AB:CD"))

    assert lines["watch"] == "zlfeed receive rtsps://192.0.2.7:8322/zerolatency --token abcdefgh --fingerprint AB:CD"
    assert lines["monitor"] == "zlfeed monitor wss://192.0.2.7:9000/ --token abcdefgh --fingerprint AB:CD"
    assert lines["players"] == "rtsps://viewer:abcdefgh@192.0.2.7:8322/zerolatency"
    assert dict(commands(LOCAL, None, "AB:CD"))["watch"] == "zlfeed receive 127.0.0.1"


def test_who_is_let_in_is_said() -> None:
    assert access(None, LOCAL, shown=False) == [], "only this machine can reach it"
    assert "everyone" in access(None, USUAL, shown=False)[0]
    assert "on this machine too" in access(Token("abcdefgh", explicit=True), USUAL, shown=False)[0]
    assert access(MADE, USUAL, shown=True)[-1].endswith(str(MADE.path))
    assert access(MADE, USUAL, shown=False)[-1].endswith(str(MADE.path))


def test_the_token_itself_is_never_among_these_words() -> None:
    for shown in (True, False):
        assert MADE.value not in " ".join(access(MADE, USUAL, shown=shown))
