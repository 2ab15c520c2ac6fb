"""CSI cameras: the real chain from a stand-in rpicam-vid, which has the real one's options, padding and errors."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import pytest

from tests.support import standin_rpicam
from tests.support.commands import publishing, receiving
from tests.support.feeds import live
from zlfeed.config import Settings
from zlfeed.doctor import checks
from zlfeed.errors import CameraError
from zlfeed.publisher.camera import CameraProcess, parse_camera
from zlfeed.publisher.camera.csi import RpicamSource
from zlfeed.publisher.camera.records import Request

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a Raspberry Pi runs Linux"),
]


@pytest.fixture
def rpicam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a stand-in on PATH, which does as the arguments say."""

    def install(name: str = "rpicam-vid", **behaviour: Any) -> Path:
        for variable, value in standin_rpicam.install(tmp_path / "bin", name, **behaviour).items():
            monkeypatch.setenv(variable, value)
        return tmp_path / "bin" / "orders.json"

    return install


@contextmanager
def source(size: tuple[int, int] | None = None, camera: str = "csi", **controls: str) -> Iterator[RpicamSource]:
    """The camera as its process has it, in this one."""
    made = RpicamSource(Request(parse_camera(camera, "cam"), size, None, controls))
    try:
        yield made
    finally:
        made.close()


def frame(camera: CameraProcess, into: npt.NDArray[np.uint8]) -> float:
    """The next picture; how old it was in ms."""
    info = camera.next_frame(into, 5.0)
    assert info is not None
    assert abs(info.captured_us - time.time() * 1e6) < 5e5, "both clocks tell the same"
    return (time.monotonic_ns() - info.captured_ns) / 1e6


@pytest.mark.parametrize(("size", "align"), [((640, 480), 64), ((1000, 562), 64), ((800, 600), 128)])
def test_pictures_come_without_their_padding(rpicam: Any, size: tuple[int, int], align: int) -> None:
    rpicam(align=align)
    width, height = size
    with source(size) as camera:
        assert (camera.opened.width, camera.opened.height, camera.opened.fps) == (width, height, 30.0)
        assert camera.opened.description == f"imx708 (csi:0) {width}x{height} YUV420 at 30 fps"
        raw = np.empty((height * 3 // 2, width), np.uint8)
        for _ in range(3):
            camera.read(raw)
    upper = raw[: height * 3 // 4].astype(int)
    rows, columns = np.indices(upper.shape)
    edge = rows * width // height
    bright, dark = round(230 * 219 / 255 + 16), round(60 * 219 / 255 + 16)
    assert np.abs(upper - np.where(columns < edge, bright, dark)).max() <= 1, "limited range, and a straight edge"
    chroma = raw[height:].reshape(2, -1).astype(int)
    assert np.abs(chroma[0] - (128 - 28 * 224 / 255)).max() <= 1
    assert np.abs(chroma[1] - (128 + 32 * 224 / 255)).max() <= 1


def test_a_picture_is_as_old_as_its_sensor_says(rpicam: Any) -> None:
    rpicam(age_ms=300)
    camera = CameraProcess.start(parse_camera("csi", "cam"), size=None, fps=None, timeout_s=15)
    try:
        raw = np.empty((720, 640), np.uint8)
        ages = sorted(frame(camera, raw) for _ in range(8))
    finally:
        camera.stop()
    assert 300 <= ages[0] < 700
    assert psutil.Process().children(recursive=True) == [], "rpicam-vid ends with its camera"


@pytest.mark.parametrize("unknown", [[], ["--metadata", "--metadata-format", "--verbose"]])
def test_options_that_an_old_program_has_not_are_left_out(rpicam: Any, tmp_path: Path, unknown: list[str]) -> None:
    log = tmp_path / "log"
    rpicam("libcamera-vid", log=str(log), unknown=unknown)
    wishes = {"brightness": "-0.2", "exposure": "8000", "awb": "daylight", "gain": "default"}
    with source((640, 480), "csi:0", **wishes) as camera:
        values = {control.name: control.value for control in camera.opened.controls}
    calls = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(calls) == 1 + len(unknown)
    last = " ".join(calls[-1])
    assert not any(option in last.split() for option in unknown)
    for option in ("--camera 0", "--timeout 0", "--codec yuv420", "--brightness -0.2", "--shutter 8000"):
        assert option in last
    assert "--gain" not in last
    assert (values["brightness"], values["exposure"], values["awb"]) == ("-0.2", "8000", "daylight")


def test_the_size_and_the_rate_that_it_gives_count(rpicam: Any) -> None:
    rpicam(only=(640, 360), most_fps=20)
    with source((642, 362)) as camera:
        pass
    assert (camera.opened.width, camera.opened.height, camera.opened.fps) == (640, 360, 20.0)
    assert camera.opened.description.endswith(
        "640x360 YUV420 at 20 fps, the most it has there for the 30 asked, the nearest to 642x362"
    )


@pytest.mark.parametrize(
    ("behaviour", "camera", "sentence"),
    [
        ({"cameras": 0}, "csi", "there is no CSI camera: .*ribbon cable"),
        ({}, "csi:1", "there is no camera csi:1: zlfeed cameras lists"),
        ({"fail": "busy"}, "csi", "the camera csi:0 is in use by another program"),
        ({"unknown": ["--codec"]}, "csi", "rpicam-vid ended with code 255: unrecognised option '--codec'"),
    ],
)
def test_why_it_does_not_open(rpicam: Any, behaviour: dict[str, Any], camera: str, sentence: str) -> None:
    rpicam(**behaviour)
    with pytest.raises(CameraError, match=sentence), source(camera=camera):
        pass


@pytest.mark.parametrize(
    ("how", "sentence"),
    [("crash", "gives no picture: rpicam-vid was killed by SIGSEGV"), ("timeout", "has stopped answering")],
)
def test_how_it_ends(rpicam: Any, how: str, sentence: str) -> None:
    rpicam(fail=how, frames=3)
    raw = np.empty((720, 640), np.uint8)
    with source() as camera:
        for _ in range(3):
            camera.read(raw)
        with pytest.raises(CameraError, match=sentence):
            camera.read(raw)


def test_without_the_program_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CameraError, match="sudo apt install rpicam-apps-lite"), source():
        pass


def call_with(log: Path, word: str) -> list[str]:
    """The command line with that word, once there is one: a busy machine takes its time to start a program."""
    deadline = time.monotonic() + 15
    while True:
        calls: list[list[str]] = [json.loads(line) for line in log.read_text().splitlines()]
        if found := next((call for call in calls if word in call), None):
            return found
        assert time.monotonic() < deadline, calls
        time.sleep(0.02)


def listing(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """`zlfeed cameras`."""
    words = [sys.executable, "-m", "zlfeed", "cameras", *arguments]
    return subprocess.run(
        words, check=False, capture_output=True, text=True, timeout=40, env={**os.environ, **(env or {})}
    )


def test_they_are_listed(rpicam: Any) -> None:
    rpicam(cameras=2)
    done = listing("--json")
    assert done.returncode == 0, done.stderr
    cameras = [json.loads(line) for line in done.stdout.splitlines()]
    csi = [camera for camera in cameras if camera["kind"] == "csi"]
    assert [camera["source"] for camera in csi] == ["csi:0", "csi:1"]
    assert csi[0]["modes"][0] == {"width": 4608, "height": 2592, "format": "SRGGB10_CSI2P", "fps": [14.35]}
    assert {"brightness", "exposure", "autofocus"} <= {control["name"] for control in csi[0]["controls"]}
    shown = listing(COLUMNS="120").stdout
    assert re.search(r"camera +csi:1 +imx708", shown)
    assert re.search(r"modes +SRGGB10_CSI2P 4608x2592 at 14.35 fps, 2304x1296 at 56.03 fps", shown)
    assert re.search(r"control +brightness 0 \(-1 to 1, default 0\)", shown)


def test_doctor_lists_them(rpicam: Any) -> None:
    rpicam(cameras=2)
    found = [finding.text for finding in checks.cameras(Settings()) if finding.level == "ok"]
    assert found[-2:] == ["csi:0: imx708", "csi:1: imx708"]


def test_none_at_all_is_said_with_a_cure(rpicam: Any) -> None:
    rpicam(cameras=0)
    done = listing()
    if Path("/dev/video0").exists():
        pytest.skip("this machine has a camera")
    assert (done.returncode, done.stdout) == (3, "")
    assert "there is no camera here: plug one in" in done.stderr


@pytest.mark.needs("ffmpeg")
def test_through_the_whole_chain_with_controls(tmp_path: Path) -> None:
    log = tmp_path / "log"
    env = standin_rpicam.install(tmp_path / "bin", log=str(log), align=128)
    with live(publishing("--camera", "csi", "--size", "800x600", "--no-overlay", env=env)) as feed:
        picture = feed.picture()
        assert picture.shape == (600, 800, 3)
        # The slanting edge stands where it should, from top to bottom; a wrong stride would shear it.
        for row in (150, 300, 440):
            edge = row * 800 // 600
            assert picture[row, edge - 12].mean() > 180, row
            assert picture[row, edge + 12].mean() < 120, row

        result = feed.set("brightness", "0.25")
        assert (result.ok, result.value) == (True, "0.25"), result
        call = call_with(log, "--brightness")
        assert call[call.index("--brightness") + 1] == "0.25"
        assert feed.status(state="live").camera_restarts == 0, "opened anew, not lost"
        result = feed.set("brightness", "1.5")
        assert result.text == "brightness 1.5 is outside -1 to 1: the nearest is 1"
        assert feed.set("awb", "moonlight").text.startswith("awb is one of auto, incandescent")
        calls = [json.loads(line) for line in log.read_text().splitlines()]
        assert "--brightness" not in calls[0]

        with receiving(feed.urls, "--duration", "2") as receiver:
            summary = receiver.line("summary")
        assert summary["latency_ms"]["p50"] > 12, "the stand-in's pictures are 12 ms old when they are written"
        assert (summary["width"], summary["height"]) == (800, 600)

        # Killed from outside: back by itself, with what was set on it.
        before = len(calls)
        (program,) = [p for p in feed.running.processes() if "standin_rpicam" in " ".join(p.cmdline())]
        program.kill()
        assert "was killed by SIGKILL" in feed.event("camera_lost").text
        feed.event("camera_back")
        assert "--brightness" in json.loads(log.read_text().splitlines()[before])
        feed.running.end()
        assert feed.running.left_behind() == []


def test_auto_takes_a_csi_camera_where_there_is_no_other(rpicam: Any) -> None:
    rpicam()
    if Path("/dev/video0").exists():
        pytest.skip("this machine has a camera")
    camera = CameraProcess.start(parse_camera("auto", "cam"), size=None, fps=None, timeout_s=15)
    camera.stop()
    assert camera.opened.description.startswith("imx708 (csi:0)")


@pytest.mark.needs("ffmpeg")
def test_the_cameras_own_encoder(tmp_path: Path) -> None:
    log = tmp_path / "log"
    env = standin_rpicam.install(tmp_path / "bin", log=str(log))
    arguments = ("--camera", "csi", "--encoder", "rpicam", "--bitrate", "700k", "--gop", "15")
    with live(publishing(*arguments, env=env)) as feed:
        words = json.loads(log.read_text().splitlines()[0])
        for option, value in (("--codec", "h264"), ("--bitrate", "700000"), ("--intra", "15")):
            assert words[words.index(option) + 1] == value
        assert "--inline" in words
        assert "latency is unknown" in feed.running.words
        with receiving(feed.urls, "--duration", "3") as receiver:
            summary = receiver.line("summary")
        assert (summary["width"], summary["height"], summary["latency_ms"]) == (640, 480, None)
        assert summary["frames"] > 30
        feed.status(state="live", encoder="rpicam", codec="h264", gop=15)
        status = feed.status(state="live")
        assert [stage.name for stage in status.stages] == ["relay"]
        result = feed.set("bitrate", "500")
        assert result.ok
        call_with(log, "500000")
        assert "nothing is drawn" in feed.set("privacy", "slate").text
        feed.running.end()
        assert feed.running.left_behind() == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--camera", "test"), "--encoder rpicam is for CSI cameras, and test is none"),
        (("--camera", "csi", "--codec", "h265"), "is the camera's own H.264: leave --codec h265 away"),
    ],
)
def test_its_own_encoder_is_not_for_everything(arguments: tuple[str, ...], sentence: str) -> None:
    with publishing("--encoder", "rpicam", *arguments) as running:
        assert running.wait() == 2
        assert sentence in running.words
