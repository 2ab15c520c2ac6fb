"""Players with the right token, a wrong one and none, against a publisher that asks for it on this machine too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import Running
from tests.support.players import hashes, watch

pytestmark = pytest.mark.timeout(90)
TOKEN = "let-me-in_please.7~"
PLAYERS = [
    pytest.param("ffmpeg-tcp", marks=pytest.mark.needs("ffmpeg")),
    pytest.param("ffmpeg-udp", marks=pytest.mark.needs("ffmpeg")),
    pytest.param("opencv"),
    pytest.param("gstreamer-tcp", marks=pytest.mark.needs("gst-launch-1.0")),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The stream's URL, without a token."""
    file: Path = tmp_path_factory.mktemp("auth") / "token"
    file.write_text(TOKEN + "\n")
    arguments = ("--camera", "test", "--json", "--server", "embedded", "--host", "127.0.0.1", "--token-file", str(file))
    with Running("publish", *arguments, "--rtsp-port", "0", "--websocket-port", "0") as running:
        yield str(running.line("ready")["urls"]["rtsp"])
        assert TOKEN not in "".join(running.out) + running.words


def with_token(url: str, token: str) -> str:
    return url.replace("rtsp://", f"rtsp://viewer:{token}@")


@pytest.mark.parametrize("player", PLAYERS)
def test_with_the_token_a_player_sees_pictures(player: str, url: str) -> None:
    done = watch(player, with_token(url, TOKEN), 15)
    assert len(set(hashes(done.stdout))) >= 12, done.stderr[-2000:]


@pytest.mark.parametrize("player", PLAYERS)
@pytest.mark.parametrize("token", ["", "let-me-in_please.8~"])
def test_without_the_token_a_player_sees_nothing(player: str, url: str, token: str) -> None:
    done = watch(player, with_token(url, token) if token else url, 15)
    assert hashes(done.stdout) == []
    assert done.returncode != 0


@pytest.mark.needs("ffmpeg")
def test_a_player_is_told_that_it_is_the_token(url: str) -> None:
    assert "401" in watch("ffmpeg-tcp", url, 1).stderr
