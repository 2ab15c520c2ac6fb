"""CSI cameras by picamera2: a stand-in for the package, in a Python of its own as on a Pi; the rest is real."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.support import standin_picamera2, standin_rpicam
from tests.support.commands import publishing
from tests.support.feeds import live
from zlfeed.cameras import csi_cameras
from zlfeed.errors import CameraError
from zlfeed.publisher.camera import CameraProcess, parse_camera

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a Raspberry Pi runs Linux"),
]
SIZE = (1000, 562)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts stand-ins on PATH: picamera2 as the arguments say, and rpicam-vid where it is to be there."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def install(rpicam: dict[str, Any] | None = None, **picamera2: Any) -> None:
        variables = standin_picamera2.install(tmp_path / "bin", **picamera2)
        if rpicam is not None:
            variables = {**standin_rpicam.install(tmp_path / "bin", **rpicam), **variables}
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)

    return install


@contextmanager
def camera(source: str = "picamera2", fps: float | None = None) -> Iterator[CameraProcess]:
    """The camera in a process of its own."""
    started = CameraProcess.start(parse_camera(source, "cam"), size=SIZE, fps=fps, timeout_s=40)
    try:
        yield started
    finally:
        started.stop()
    assert psutil.Process().children(recursive=True) == []


def pictures(process: CameraProcess, count: int) -> tuple[Any, float]:
    """The last of so many pictures, and the least age in ms at which one came."""
    into = np.empty((SIZE[1] * 3 // 2, SIZE[0]), np.uint8)
    ages = []
    for _ in range(count):
        frame = process.next_frame(into, 10.0)
        assert frame is not None
        ages.append((time.monotonic_ns() - frame.captured_ns) / 1e6)
    return into, min(ages)


@pytest.mark.parametrize("behaviour", [{"align": 64}, {"align": 128, "full": True}])
def test_pictures_come_without_their_padding_as_old_as_the_sensor_says(
    installed: Any, behaviour: dict[str, Any]
) -> None:
    installed(age_ms=200, **behaviour)
    with camera() as process:
        assert process.opened.description == "imx708 (csi:0) 1000x562 YUV420 at 30 fps"
        assert (process.opened.live_controls, process.opened.fps) == (True, 30.0)
        raw, age_ms = pictures(process, 5)
    assert 200 <= age_ms < 500
    upper = raw[: SIZE[1]].astype(int)
    rows, columns = np.indices(upper.shape)
    assert np.abs(upper - np.where(columns < rows * SIZE[0] // SIZE[1], 214, 68)).max() <= 1, "limited range"
    chroma = raw[SIZE[1] :].reshape(2, -1).astype(int)
    assert np.abs(chroma[0] - 103).max() <= 1
    assert np.abs(chroma[1] - 156).max() <= 1


@pytest.mark.parametrize(
    ("behaviour", "source", "sentence"),
    [
        ({"fail": "import"}, "picamera2", r"picamera2 cannot be loaded \(ValueError: numpy.dtype size changed"),
        ({"fail": "busy"}, "picamera2", "the camera csi:0 is in use by another program"),
        ({"fail": "start"}, "picamera2", "csi:0 gives no picture: picamera2: Failed to start camera: Invalid argument"),
        ({"cameras": 0}, "picamera2", "there is no CSI camera: .*ribbon cable"),
        ({}, "picamera2:1", "there is no camera csi:1: zlfeed cameras lists"),
    ],
)
def test_why_it_does_not_open(installed: Any, behaviour: dict[str, Any], source: str, sentence: str) -> None:
    installed(**behaviour)
    with pytest.raises(CameraError, match=sentence), camera(source):
        pass


def test_a_rate_that_the_camera_has_not_is_said(installed: Any) -> None:
    installed(most_fps=40)
    with camera(fps=60) as process:
        assert process.opened.fps == 40.0
        assert process.opened.description.endswith("at 40 fps, the most it has there for the 60 asked")


def test_csi_takes_the_fitter_way_and_remembers_it(installed: Any, tmp_path: Path) -> None:
    installed(rpicam={"age_ms": 12}, age_ms=150)
    with camera("csi", fps=10) as process:
        assert "(tried: rpicam-vid: " in process.opened.description
        assert not process.opened.live_controls, "rpicam-vid's pictures are younger"
        assert process.live_spec.backend == "", "when it is opened again the way may be another"
    (tmp_path / "bin" / "orders.json").write_text('{"age_ms": 300}')  # the same program, as far as its file tells
    with camera("csi", fps=10) as process:
        assert not process.opened.live_controls, "it is not found out again"
    with camera("picamera2") as process:
        assert process.opened.live_controls, "unless one is named"


@pytest.mark.parametrize("rpicam", [None, {"cameras": 0}])
def test_csi_takes_the_way_that_works(installed: Any, rpicam: dict[str, Any] | None) -> None:
    installed(rpicam=rpicam)
    with camera("csi") as process:
        assert process.opened.live_controls
    installed(rpicam={"cameras": 0}, cameras=0)
    with pytest.raises(CameraError, match="there is no CSI camera"), camera("csi:0"):
        pass


def test_they_are_listed_without_rpicam_vid(installed: Any, tmp_path: Path) -> None:
    installed(cameras=2, sensor="ov5647")
    found, trouble = csi_cameras()
    assert [(facts.source, facts.name) for facts in found] == [("csi:0", "ov5647"), ("csi:1", "ov5647")]
    assert trouble == ""
    installed(fail="import")
    assert csi_cameras() == (
        [],
        "picamera2 does not list the cameras: ValueError: numpy.dtype size changed, may "
        "indicate binary incompatibility",
    )


@pytest.mark.needs("ffmpeg")
def test_controls_are_set_live_and_read_back_and_kept_of_the_camera_that_auto_took(tmp_path: Path) -> None:
    if Path("/dev/video0").exists():
        pytest.skip("this machine has a camera")
    log = tmp_path / "log"
    kept = tmp_path / "state" / "zlfeed" / "controls.json"
    kept.parent.mkdir(parents=True)
    before_now = {"zerolatency=csi:0": {"contrast": ["1.5", None]}, "zerolatency=auto": {"gop": ["9", None]}}
    kept.write_text(json.dumps(before_now))
    env = standin_picamera2.install(tmp_path / "bin", log=str(log))
    env["XDG_STATE_HOME"] = str(tmp_path / "state")
    with live(publishing("--camera", "auto", "--size", "800x600", "--no-overlay", env=env)) as feed:
        deadline = time.monotonic() + 20
        while feed.controls()["contrast"].value != "1.5":
            assert time.monotonic() < deadline, "as it was set before"
        assert "as csi:0 was set before: contrast 1.5" in "".join(feed.running.out)
        before = feed.picture()
        row, edge = 300, 400
        assert before[row, edge - 12].mean() > 180 > 120 > before[row, edge + 12].mean(), "a straight edge"

        result = feed.set("brightness", "0.5")
        assert (result.ok, result.value) == (True, "0.5"), result
        assert feed.picture()[row, edge + 200].mean() > before[row, edge + 200].mean() + 15
        result = feed.set("exposure", "8000")
        assert (result.ok, result.value, result.text) == (True, "7975", "it became 7975"), "as the sensor has it"
        assert feed.set("exposure", "0").value == "0"
        assert feed.set("focus", "2").text.startswith("focus is the camera's own to set just now: set autofocus to")
        assert feed.set("autofocus", "manual").ok
        assert feed.set("focus", "2").value == "2"
        assert feed.set("brightness", "7").text == "brightness 7 is outside -1 to 1: the nearest is 1"
        assert {"Brightness": 0.5} in [json.loads(line) for line in log.read_text().splitlines()]
        status = feed.status(state="live")
        assert (status.camera_restarts, status.encoder_restarts) == (0, 0)

        # Killed from outside: back by itself, with what was set on it.
        (worker,) = [p for p in feed.running.processes() if p.cmdline()[-1:] == ["picamera2"]]
        worker.kill()
        feed.event("camera_lost")
        feed.event("camera_back")
        values = {name: control.value for name, control in feed.controls().items()}
        assert (values["brightness"], values["focus"]) == ("0.5", "2")
        feed.running.end()
        assert feed.running.left_behind() == []
    found = json.loads(kept.read_text())
    assert set(found) == {"zerolatency=csi:0"}, "not of auto"
    assert {name: value for name, (value, _) in found["zerolatency=csi:0"].items()} == {
        "autofocus": "manual", "brightness": "0.5", "contrast": "1.5", "exposure": "0", "focus": "2",
    }  # fmt: skip
