from __future__ import annotations

import pytest

from zlfeed.config import load
from zlfeed.errors import UsageError
from zlfeed.publisher.front import choose
from zlfeed.publisher.target import Target, parse
from zlfeed.rtsp.auth import Login


@pytest.mark.parametrize(
    ("text", "target", "url"),
    [
        ("rtsp://far/live", Target("far", 554, "/live"), "rtsp://far/live"),
        ("RTSP://far:8554/a/b?c=d", Target("far", 8554, "/a/b?c=d"), "rtsp://far:8554/a/b?c=d"),
        ("rtsp://10.8.0.1:8554", Target("10.8.0.1", 8554, "/"), "rtsp://10.8.0.1:8554/"),
        ("rtsp://[fd00::1]:8554/live", Target("fd00::1", 8554, "/live"), "rtsp://[fd00::1]:8554/live"),
        ("rtsp://cam:s3cret@far/live", Target("far", 554, "/live", Login("cam", "s3cret")), "rtsp://far/live"),
        ("rtsp://c%40m:a%3Ab%2F@far/live", Target("far", 554, "/live", Login("c@m", "a:b/")), "rtsp://far/live"),
        ("rtsp://cam@far/live", Target("far", 554, "/live", Login("cam", "")), "rtsp://far/live"),
    ],
)
def test_urls(text: str, target: Target, url: str) -> None:
    assert parse(text) == target
    assert parse(text).url == url


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rtsps://far/live", "TLS"),
        ("rtmp://far/live", "'rtmp'"),
        ("rtsp://", "HOST"),
        ("rtsp:///live", "HOST"),
        ("rtsp://far/li ve", "blanks"),
        ("rtsp://far/lïve", "ASCII"),
        ("rtsp://far:99999/live", "port"),
        ("rtsp://far:0/live", "port"),
        ("rtsp://far:abc/live", "port"),
        ("rtsp://[fd00::1/live", "IPv6"),
        ("rtsp://far/live#top", "%"),
        ("rtsp://a b@far/live", "blanks"),
        ("rtsp://-far/live", "host"),
    ],
)
def test_urls_that_cannot_be(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "rtsps://cam:s3cret@far/live",
        "rtmp://cam:s3cret@far/live",
        "rtsp://cam:s3c@ret@far/live",
        "rtsp://cam:s3c/ret@far/live",
        "rtsp://cam:s3c#ret@far/live",
        "rtsp://cam:s3c?ret@far/live",
        "rtsp://cam:s3cret%0d%0aX: y@far/live",
        "rtsp://cam:s3cret%0D%0Ax@far/live",
        "rtsp://cam:s3cret@",
        "rtsp://cam:s3cret@far:port/live",
        "cam:s3cret@far/live",
    ],
)
def test_no_password_is_repeated(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(server=text)
    assert "s3c" not in str(caught.value)
    assert "ret" not in str(caught.value)
    assert str(caught.value).startswith("--server: ")


def test_settings_do_not_show_it_either() -> None:
    assert "s3cret" not in repr(load(server="rtsp://cam:s3cret@far/live"))
    assert "s3cret" not in repr(parse("rtsp://cam:s3cret@far/live"))


def test_where_a_cameras_stream_goes() -> None:
    live, root = parse("rtsp://far/live?key=1"), parse("rtsp://far")
    assert live.for_camera("front", alone=True).url == "rtsp://far/live?key=1"
    assert live.for_camera("front", alone=False).url == "rtsp://far/live/front?key=1"
    assert root.for_camera("front", alone=True).url == "rtsp://far/front"
    assert parse("rtsp://u:p@far/live/").for_camera("front", alone=False) == Target(
        "far", 554, "/live/front", Login("u", "p")
    )


def test_the_relay_serves_besides() -> None:
    assert choose("rtsp://far/live", None) == ("embedded", None)


def test_the_setting_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZLFEED_SERVER", "rtsp://cam:s3cret@far/live")
    assert parse(load().server).login == Login("cam", "s3cret")
