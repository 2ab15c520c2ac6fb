"""What a person may write where `zlfeed receive` wants an address, and what they read when it is wrong."""

from __future__ import annotations

import pytest

from zlfeed.errors import UsageError
from zlfeed.receiver.target import Target, parse


def _parse(text: str) -> Target:
    return parse(text, rtsp_port=8554, stream_name="zerolatency")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("localhost", "rtsp://localhost:8554/zerolatency"),
        (" pi.local ", "rtsp://pi.local:8554/zerolatency"),
        ("pi.local:", "rtsp://pi.local:8554/zerolatency"),
        ("10.0.0.2:9000", "rtsp://10.0.0.2:9000/zerolatency"),
        ("10.0.0.2/front", "rtsp://10.0.0.2:8554/front"),
        ("::1", "rtsp://[::1]:8554/zerolatency"),
        ("[::1]", "rtsp://[::1]:8554/zerolatency"),
        ("[fe80::1%eth0]:9", "rtsp://[fe80::1%eth0]:9/zerolatency"),
        ("RTSP://Pi.Local:8554/Front", "rtsp://pi.local:8554/Front"),
        ("rtsp://h:8554", "rtsp://h:8554/zerolatency"),
        ("rtsp://h/a/b?x=1", "rtsp://h:554/a/b?x=1"),
        ("rtsps://h/a", "rtsps://h:322/a"),
        ("http://h:8888/zerolatency/index.m3u8", "http://h:8888/zerolatency/index.m3u8"),
        ("bücher.example", "rtsp://xn--bcher-kva.example:8554/zerolatency"),
    ],
)
def test_addresses_are_completed(text: str, url: str) -> None:
    assert _parse(text).url == url


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("rtsp://h:8554/a b", "has a blank"),
        ("rstp://h:8554/x", "did you mean rtsp://h:8554/x?"),
        ("rtsp:/h/x", "did you mean rtsp://h/x?"),
        ("rtsp//h/x", "did you mean rtsp://h/x?"),
        ("ws://h:9000/", "use rtsp://, rtsps://, http:// or https://"),
        ("rtsp:///x", "names no host"),
        ("/dev/video0", "names no host"),
        ("rtsp://h:99999/x", "no valid port"),
        ("rtsp://h:0/x", "no valid port"),
        ("rtsp://h:abc/x", "no valid port"),
        ("10.0.0.2:abc", "no valid port"),
        ("300.1.1.1", "'300.1.1.1' is no IPv4 address"),
        ("rtsp://1.2.3/x", "'1.2.3' in 'rtsp://1.2.3/x' is no IPv4 address"),
        ("a..b", "no host name"),
        ("rtsp://[::1/x", "IPv6 address in its brackets"),
        ("[::zz]", "IPv6 address in its brackets"),
        ("x" * 64, "no host name"),
    ],
)
def test_mistakes_are_named(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        _parse(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_credentials_are_kept_for_opening_and_out_of_sight_otherwise() -> None:
    target = _parse("rtsp://me:s%40cret@h:8554/x")
    assert target.secret_url() == "rtsp://me:s%40cret@h:8554/x"
    assert target.credentials == ("me", "s@cret")
    assert target.url == "rtsp://h:8554/x"
    assert target.with_token("other") is target


def test_a_token_becomes_the_password_of_viewer() -> None:
    target = _parse("h").with_token("a/b@c")
    assert target.secret_url() == "rtsp://viewer:a%2Fb%40c@h:8554/zerolatency"
    assert target.credentials == ("viewer", "a/b@c")
    assert "a/b" not in target.url
    assert _parse("h").with_token("") == _parse("h")


def test_mistakes_do_not_show_passwords() -> None:
    with pytest.raises(UsageError) as caught:
        _parse("rstp://me:secret@h:8554/x")
    assert "secret" not in str(caught.value)


def test_the_stream_is_the_last_part_of_the_path() -> None:
    assert _parse("h/a/front/?token=1").stream == "front"
    assert _parse("h").stream == "zerolatency"
