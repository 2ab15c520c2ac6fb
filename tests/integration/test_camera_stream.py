"""Another publisher's stream as a camera."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from zlfeed.errors import CameraError
from zlfeed.publisher.camera import CameraProcess, parse_camera

pytestmark = pytest.mark.needs("ffmpeg")


@pytest.fixture
def publisher() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A publisher with a test picture, and its RTSP URL."""
    command = [
        sys.executable,
        "-m",
        "zlfeed",
        "publish",
        "--camera",
        "test",
        "--size",
        "320x240",
        "--no-auth",
        "--json",
    ]
    ports = ["--rtsp-port", "0", "--websocket-port", "0"]
    with subprocess.Popen([*command, *ports], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        lines = (json.loads(line) for line in process.stdout)
        yield process, next(line["urls"]["rtsp"] for line in lines if line["type"] == "ready")
        process.kill()


def test_a_stream_is_read_and_its_end_is_told(publisher: tuple[subprocess.Popen[str], str]) -> None:
    process, url = publisher
    camera = CameraProcess.start(parse_camera(f"yard={url}", "cam"), size=None, fps=None, timeout_s=20)
    try:
        assert (camera.opened.width, camera.opened.height) == (320, 240)
        into = np.empty((360, 320), np.uint8)
        for _ in range(10):
            assert camera.next_frame(into, 10.0) is not None
            assert into.std() > 20
        process.kill()
        with pytest.raises(CameraError, match=r"rtsp://.* has ended"):
            read_on(camera, into)
    finally:
        camera.stop()


def read_on(camera: CameraProcess, into: np.ndarray) -> None:
    while camera.next_frame(into, 20.0) is not None:
        pass


def test_a_stream_that_is_not_there_is_refused() -> None:
    with pytest.raises(CameraError, match=r"the stream rtsp://\*\*\*@127\.0\.0\.1:1/x cannot be opened"):
        CameraProcess.start(parse_camera("rtsp://u:secret@127.0.0.1:1/x", "cam"), size=None, fps=None, timeout_s=20)
