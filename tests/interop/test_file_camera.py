"""A real video file as the camera, seen by programs that know nothing of zlfeed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import publishing, receiving

SIZE = (480, 270)
FPS = 25

pytestmark = pytest.mark.needs("ffmpeg", "ffprobe")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a moving picture, with sound, as a camera app would save them."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    source = f"testsrc2=size={SIZE[0]}x{SIZE[1]}:rate={FPS}:duration=2"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-f", "lavfi", "-i", "sine=duration=2",
         "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path)],
        check=True, timeout=60,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def ready(clip: Path) -> Iterator[dict[str, Any]]:
    """What a publisher of the clip says when it is ready."""
    with publishing("--camera", str(clip)) as publisher:
        yield publisher.line("ready")


def test_the_file_is_published_as_it_is(ready: dict[str, Any]) -> None:
    assert (ready["width"], ready["height"], ready["fps"]) == (*SIZE, FPS)


def test_ffprobe_opens_the_stream(ready: dict[str, Any]) -> None:
    fields = "codec_name,width,height,pix_fmt,has_b_frames,profile"
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-show_entries", f"stream={fields}", "-of", "json",
         ready["urls"]["rtsp"]],
        check=True, timeout=60, capture_output=True, text=True,
    )  # fmt: skip
    (stream,) = json.loads(done.stdout)["streams"]

    assert (stream["codec_name"], stream["width"], stream["height"]) == ("h264", *SIZE)
    assert stream["pix_fmt"] == "yuv420p", "what every player and browser can show"
    assert stream["has_b_frames"] == 0


STOCK_OPENCV = """
import json, sys, time
import cv2
capture = cv2.VideoCapture(sys.argv[1])
began, pictures, moved, previous = time.monotonic(), 0, 0, None
while time.monotonic() - began < 6 and pictures < 75:
    ok, picture = capture.read()
    if not ok:
        break
    below = picture[picture.shape[0] // 4 :]
    moved += previous is not None and cv2.norm(below, previous, cv2.NORM_INF) > 50
    pictures, previous = pictures + 1, below
print(json.dumps({"pictures": pictures, "moved": moved, "shape": picture.shape[:2]}))
"""


def test_an_opencv_that_knows_nothing_of_zlfeed_sees_it_move_round_and_round(ready: dict[str, Any]) -> None:
    """75 pictures are more than the clip has: it loops."""
    done = subprocess.run(
        [sys.executable, "-c", STOCK_OPENCV, ready["urls"]["rtsp"]],
        check=True, timeout=60, capture_output=True, text=True,
    )  # fmt: skip
    seen = json.loads(done.stdout)

    assert seen["shape"] == [SIZE[1], SIZE[0]]
    assert seen["pictures"] == 75
    assert seen["moved"] > 60


def test_our_receiver_shows_it_with_its_latency(ready: dict[str, Any]) -> None:
    with receiving(ready["urls"], "--duration", "4") as receiver:
        assert receiver.wait(30) == 0
        summary = receiver.line("summary")

    assert (summary["width"], summary["height"]) == SIZE
    assert summary["fps"] == pytest.approx(FPS, rel=0.2)
    assert summary["unread_timecodes"] == 0
    assert 0 < summary["latency_ms"]["p50"] < 1000
