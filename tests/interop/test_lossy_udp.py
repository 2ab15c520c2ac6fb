"""UDP that loses packets: pictures go on at the next keyframe, the loss is counted, and nobody hangs."""

from __future__ import annotations

import time

import pytest

from tests.support import players
from tests.support.commands import Running, publishing
from tests.support.lossy_udp import lossy_path
from tests.support.status_tap import StatusTap
from zlfeed.model import CameraStatus

SECONDS = 6


@pytest.mark.parametrize("share", [0.01, 0.05, 0.20])
def test_pictures_go_on_and_the_loss_is_told(share: float) -> None:
    # A keyframe every third of a second: enough of them in the time a test has.
    with publishing("--gop", "10") as publisher:
        ready = publisher.line("ready")
        port = int(ready["urls"]["rtsp"].split(":")[2].split("/")[0])
        with lossy_path(port, share) as path, StatusTap(ready["urls"]["websocket"]) as status:
            url = f"rtsp://127.0.0.1:{path.port}/zerolatency"
            arguments = ("--transport", "udp", "--headless", "--json", "--duration", str(SECONDS))
            with Running("receive", url, "--status-url", ready["urls"]["websocket"], *arguments) as viewer:
                seconds = [viewer.line("second") for _ in range(SECONDS - 2)]
                summary = viewer.line("summary")
                assert viewer.wait() == 0
            reported = [
                seen.loss_percent
                for heard in status.heard
                if isinstance(heard.message, CameraStatus)
                for seen in heard.message.viewers
                if seen.loss_percent is not None
            ]
        assert path.lost > 0
        # OpenCV's FFmpeg shows damaged pictures rather than none: what counts is that they keep coming, and are new.
        assert all(second["frames"] > 0 for second in seconds[1:])
        assert summary["reconnects"] == 0
        assert summary["frames"] > 30
        # Receivers report every few seconds, and a report is a sample of few packets: only its order is asked for.
        assert reported, "no receiver report reached the status"
        assert share * 100 / 5 <= max(reported) <= 100


@pytest.mark.needs("ffmpeg", "gst-launch-1.0")
@pytest.mark.parametrize("player", ["ffmpeg-udp", "gstreamer-udp"])
def test_other_players_go_on_too(player: str) -> None:
    with publishing("--gop", "10") as publisher:
        port = int(publisher.line("ready")["urls"]["rtsp"].split(":")[2].split("/")[0])
        with lossy_path(port, 0.05) as path:
            began = time.monotonic()
            done = players.watch(player, f"rtsp://127.0.0.1:{path.port}/zerolatency", 60)
            took = time.monotonic() - began
        assert path.lost > 0
        assert len(set(players.hashes(done.stdout))) > 30, done.stderr
        assert took < players.LIMIT_S
