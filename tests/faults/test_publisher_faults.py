"""The publisher itself is killed, or a part of it raises: its children go with it, its viewers come back."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from tests.faults.kit import BUSY, wait_until
from tests.support import figures
from tests.support.commands import publishing, receiving
from tests.support.status_tap import StatusTap
from tests.support.watching import Watcher, ffmpeg
from zlfeed.model import CameraStatus, SetControl, Subscribe, Thumbnail, ViewerReport

pytestmark = [pytest.mark.needs("ffmpeg"), pytest.mark.timeout(180)]
SMALL = ("--server", "embedded", "--size", "320x240")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@pytest.mark.parametrize("away_s", [0.0, 8.0] if figures.wanted() else [0.0])
def test_a_killed_publisher_leaves_no_child_and_its_viewers_come_back(away_s: float) -> None:
    # The second of these options counts: a publisher that is started again has the ports of the first.
    ports = ("--rtsp-port", str(free_port()), "--websocket-port", str(free_port()))
    with publishing(*SMALL, *ports) as first:
        urls = first.line("ready")["urls"]
        with receiving(urls) as receiver, StatusTap(urls["websocket"]) as monitor:
            receiver.line("second", state="live")
            monitor.until(CameraStatus, lambda status: status.viewers)
            first.process.kill()
            killed = time.monotonic()
            wait_until(lambda: not first.processes(), 10)
            gone = time.monotonic() - killed
            time.sleep(max(0.0, away_s - gone))
            began = time.monotonic()
            with publishing(*SMALL, *ports) as second:
                second.line("ready")
                ready = time.monotonic()
                status, _ = monitor.until(CameraStatus, lambda status: status.frames_sent > 0, after=began)
                connected = receiver.line("event", code="connected")
                picture = connected["time_us"] / 1e6 - time.time() + time.monotonic()
                receiver.line("second", state="live")
                figures.record(
                    f"kill −9 the publisher, started again after {max(gone, away_s):.0f} s",
                    f"no child after {gone:.1f} s; from its start it serves after {ready - began:.1f} s, "
                    f"a receiver has pictures after {picture - began:.1f} s, "
                    f"a monitor figures after {status.at - began:.1f} s",
                )
                assert gone < 5
                assert began < picture < ready + 10
                assert receiver.process.poll() is None


_FAILING = """
import os
import zlfeed.publisher.app as app
import zlfeed.publisher.status.server as status_server
from zlfeed.publisher.host_metrics import HostSampler

def failing(function):
    def told(*arguments, **named):
        if os.path.exists(os.environ["BREAK"]):
            raise RuntimeError("told to fail")
        return function(*arguments, **named)
    return told

status_server.ask_statuses = failing(status_server.ask_statuses)
HostSampler.sample = failing(HostSampler.sample)
app.thumbnail = failing(app.thumbnail)
for name in ("statuses", "welcome", "viewer_report", "set_control"):
    setattr(app.Publisher, name, failing(getattr(app.Publisher, name)))

from zlfeed.cli import main
main()
"""
"""A publisher whose status part, metrics and handlers raise while the file BREAK exists."""


def test_whatever_fails_in_the_status_plane_no_frame_is_lost(tmp_path: Path) -> None:
    flag = tmp_path / "break"
    with publishing(*SMALL, program=("-c", _FAILING), env={"BREAK": str(flag)}) as publisher:
        urls = publisher.line("ready")["urls"]
        with Watcher(ffmpeg(urls["rtsp"])) as viewer, StatusTap(urls["websocket"]) as monitor:
            viewer.first()
            monitor.until(CameraStatus, lambda status: status.cpu_percent is not None)
            monitor.send(Subscribe(thumbnails=True))
            monitor.until(Thumbnail, lambda thumbnail: True)
            time.sleep(1.0)
            moment = time.monotonic()
            flag.touch()
            monitor.send(ViewerReport("zerolatency", fps=1.0))
            monitor.send(SetControl("zerolatency", "exposure", "1"))
            failed: set[str] = set()
            while not {"the status server", "the metrics"} <= failed:
                failed.add(publisher.line("event", code="part_restarted")["text"].split(" failed")[0])
            viewer.past(moment + 3.0)
            flag.unlink()
            mended = time.monotonic()
            heard, _ = monitor.until(CameraStatus, lambda status: True, after=mended)
            monitor.until(Thumbnail, lambda thumbnail: True, after=mended)
            assert "thumbnail_failed" in publisher.words
            missed = viewer.missed(moment, heard.at)
            figures.record(
                "exceptions in status, metrics, thumbnails and message handlers for 3 s",
                f"viewers missed {missed} frames; figures again {heard.at - mended:.1f} s after the cause was gone",
            )
            assert missed <= BUSY
