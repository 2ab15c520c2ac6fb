"""FFmpeg killed while every player watches, over TCP and UDP: each goes on in its session, as if nothing had been."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.kit import encoders
from tests.support.commands import publishing
from tests.support.players import hashes, watch

PLAYERS = (
    "ffmpeg-tcp",
    "ffmpeg-udp",
    "opencv-tcp",
    "opencv-udp",
    "gstreamer-tcp",
    "gstreamer-udp",
    "mpv-tcp",
    "mpv-udp",
)
PICTURES = 240


@pytest.mark.needs("ffmpeg", "gst-launch-1.0", "mpv")
def test_no_player_loses_its_session_by_an_encoder_that_dies() -> None:
    with publishing("--size", "320x240") as publisher, ThreadPoolExecutor(len(PLAYERS)) as pool:
        url = publisher.line("ready")["urls"]["rtsp"]
        watching = {player: pool.submit(watch, player, url, PICTURES) for player in PLAYERS}
        deadline = time.monotonic() + 15
        while len(publisher.line("second")["viewers"]) < len(PLAYERS) and time.monotonic() < deadline:
            pass
        encoders(publisher)[0].kill()
        killed = publisher.line("event", code="encoder_restarted")
        done = {player: future.result() for player, future in watching.items()}
    assert "SIGKILL" in killed["text"]
    for player, output in done.items():
        seen = hashes(output.stdout)
        # OpenCV's default and mpv drop or repeat a few at the start; a session that ended would give far fewer.
        assert len(seen) >= PICTURES - 2, f"{player}: {len(seen)} pictures\n{output.stderr[-1000:]}"
        assert len(set(seen)) > PICTURES * 0.7, player
