from __future__ import annotations

import pytest

from zlfeed.errors import UsageError
from zlfeed.status_address import status_url


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("pi", "ws://pi:9000/"),
        (" raspberrypi.local ", "ws://raspberrypi.local:9000/"),
        ("10.8.0.2", "ws://10.8.0.2:9000/"),
        ("pi:9001", "ws://pi:9001/"),
        ("::1", "ws://[::1]:9000/"),
        ("[::1]", "ws://[::1]:9000/"),
        ("[fd00::2]:9001", "ws://[fd00::2]:9001/"),
        ("fe80::1%eth0", "ws://[fe80::1%eth0]:9000/"),
        ("ws://pi", "ws://pi:9000/"),
        ("ws://pi:8000/status", "ws://pi:8000/status"),
        ("wss://pi.example/feed?a=b", "wss://pi.example:9000/feed?a=b"),
    ],
)
def test_addresses_become_urls(given: str, url: str) -> None:
    assert status_url(given, 9000) == url


@pytest.mark.parametrize(
    "given", ["", "  ", "http://pi", "rtsp://pi:8554/x", "pi:port", "pi:99999", "pi:0", "ws://", "a b", "[::1", "::zz"]
)
def test_nonsense_is_refused_with_what_to_write(given: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        status_url(given, 9000)


def test_a_user_name_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="--token") as caught:
        status_url("ws://me:secret@pi", 9000)
    assert "secret" not in str(caught.value)
