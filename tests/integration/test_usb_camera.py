"""USB cameras: the real OpenCV, linuxpy and chain on ioctls that a library answers as a Logitech C920 would."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import publishing, receiving
from tests.support.fake_v4l2 import PATH, FakeCamera, State
from tests.support.feeds import CameraFeed, live

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.needs("gcc", "ffmpeg"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="V4L2"),
]

_OPEN = """
import json, sys, time
import numpy as np
from zlfeed.errors import CameraError
from zlfeed.publisher.camera.device import open_device
from zlfeed.publisher.camera.records import Request
from zlfeed.publisher.camera.source import CameraSpec
for size, fps, controls in json.loads(sys.argv[1]):
    try:
        source = open_device(Request(CameraSpec("c", "device", "97"), size and tuple(size), fps, controls))
    except CameraError as error:
        print(json.dumps({"error": str(error)}))
        continue
    raw = np.empty((source.opened.height * 3 // 2, source.opened.width), np.uint8)
    stamp = source.read(raw)
    now, wall = time.monotonic_ns(), time.time_ns() // 1000
    print(json.dumps({
        "description": source.opened.description, "fps": source.opened.fps, "luma": float(raw[: len(raw) // 2].mean()),
        "age_ms": (now - stamp.monotonic_ns) / 1e6, "wall_age_ms": (wall - stamp.wall_us) / 1e3,
        "controls": {control.name: control.value for control in source.opened.controls},
    }))
    source._capture.release()
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> FakeCamera:
    """The library, compiled once."""
    return FakeCamera(tmp_path_factory.mktemp("camera"))


@pytest.fixture
def camera(made: FakeCamera) -> FakeCamera:
    """A camera, as delivered."""
    made.refresh()
    return made


def opened(camera: FakeCamera, *wishes: object, **env: str) -> list[dict[str, object]]:
    """What comes of opening it for (size, fps, controls), one after the other."""
    done = subprocess.run(
        [sys.executable, "-c", _OPEN, json.dumps(wishes)],
        env={**camera.environ(), **env}, check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_format_is_what_reaches_the_rate(camera: FakeCamera) -> None:
    found = opened(
        camera, ((640, 480), 30, {}), ((1280, 720), 30, {}), ((1280, 720), 10, {}), ((1280, 720), 60, {}),
        ((700, 500), None, {}),
    )  # fmt: skip
    name = f"HD Pro Webcam C920 ({PATH})"
    assert [each["description"] for each in found] == [
        f"{name} 640x480 YUYV at 30 fps",
        f"{name} 1280x720 MJPG at 30 fps",
        f"{name} 1280x720 YUYV at 10 fps",
        f"{name} 1280x720 MJPG at 30 fps, the most it has there for the 60 asked",
        f"{name} 1280x720 MJPG at 30 fps, scaled from 1280x720",
    ]
    assert camera[State.BUFFERS] == 2


def test_a_full_bus_gets_the_other_format(camera: FakeCamera) -> None:
    camera[State.YUYV_STREAMS] = 0
    (found,) = opened(camera, ((640, 480), 30, {}))
    assert "MJPG at 30 fps" in str(found["description"])
    assert (camera.format, camera[State.WIDTH]) == ("MJPG", 640)


def test_a_picture_is_as_old_as_the_driver_says(camera: FakeCamera) -> None:
    camera[State.AGE_MS] = 400
    (found,) = opened(camera, ((640, 480), 30, {}))
    assert 400 <= float(str(found["age_ms"])) < 900
    assert abs(float(str(found["age_ms"])) - float(str(found["wall_age_ms"]))) < 5
    camera[State.AGE_MS] = -5000  # by another clock: not believed
    (found,) = opened(camera, ((640, 480), 30, {}))
    assert 0 <= float(str(found["age_ms"])) < 400


def test_what_was_kept_is_set_before_it_is_read(camera: FakeCamera) -> None:
    wishes = {"brightness": "200", "white_balance": "5000", "nonsense": "1", "power_line_frequency": "50_hz"}
    (found,) = opened(camera, (None, None, wishes))
    assert found["luma"] == pytest.approx(200, abs=2)
    assert found["controls"] == {
        "brightness": "200", "white_balance_auto": "on", "power_line_frequency": "50_hz", "white_balance": "4000",
        "exposure_auto": "aperture_priority_mode", "exposure": "250",
    }  # fmt: skip


def test_without_linuxpy_opencv_opens_it(camera: FakeCamera, tmp_path: Path) -> None:
    (tmp_path / "linuxpy.py").write_text("raise ModuleNotFoundError('left out', name='linuxpy')")
    (found,) = opened(camera, ((1280, 720), 30, {"brightness": "200"}), PYTHONPATH=str(tmp_path))
    assert (found["description"], found["controls"]) == (f"{PATH} 1280x720 MJPG at 30 fps", {})
    assert 0 < float(str(found["age_ms"])) < 400


@pytest.fixture
def feed(camera: FakeCamera, tmp_path: Path) -> Iterator[CameraFeed]:
    """A publisher of that camera."""
    env = {**camera.env, "XDG_STATE_HOME": str(tmp_path)}
    file = tmp_path / "zlfeed.toml"
    wishes = 'exposure = 300\nexposure_auto = "manual_mode"\nbrightness = 999\n'
    file.write_text(f"[cameras.zerolatency.controls]\n{wishes}")
    with live(publishing("--camera", PATH, "--no-overlay", "--config", str(file), env=env)) as feed:
        yield feed


def test_controls_while_it_runs(camera: FakeCamera, feed: CameraFeed, tmp_path: Path) -> None:
    # As the configuration says: what stands in the way of another first, and what cannot be is said.
    assert (camera[State.EXPOSURE_AUTO], camera[State.EXPOSURE]) == (1, 300)
    assert "brightness 999 is outside 0 to 255: the nearest is 255" in "".join(feed.running.out)
    brightness = feed.controls()["brightness"]
    assert (brightness.minimum, brightness.maximum, brightness.default_value, brightness.value) == (0, 255, 128, "128")
    result = feed.set("brightness", "200")
    assert (result.ok, result.value, camera[State.BRIGHTNESS]) == (True, "200", 200)
    assert feed.picture()[240, 320].mean() > 190, "seen by viewers"
    for name, value, refusal in (
        ("brightness", "999", "brightness 999 is outside 0 to 255: the nearest is 255"),
        ("power_line_frequency", "70_hz", "is one of disabled, 50_hz, 60_hz"),
        ("white_balance", "5000", "switch white_balance_auto off first; it stays as it was"),
    ):
        result = feed.set(name, value)
        assert not result.ok
        assert refusal in result.text
    assert feed.set("white_balance_auto", "off").ok
    assert feed.set("white_balance", "5000").value == "5000"
    assert (camera[State.WB], camera[State.BRIGHTNESS]) == (5000, 200)
    assert feed.status(state="live").camera_restarts == 0

    # Latency counts from the driver's stamp, not from when the picture was fetched.
    camera[State.AGE_MS] = 300
    with receiving(feed.urls, "--duration", "3") as receiver:
        assert receiver.line("summary")["latency_ms"]["p50"] > 250

    # Unplugged: it forgets what was set, and gets it again when it is back.
    camera[State.PLUGGED] = 0
    feed.event("camera_lost")
    camera[State.BRIGHTNESS] = 128
    camera[State.PLUGGED] = 1
    feed.event("camera_back")
    feed.status(state="live", is_connected=True)
    assert (camera[State.BRIGHTNESS], camera[State.WB]) == (200, 5000)

    kept = json.loads((tmp_path / "zlfeed" / "controls.json").read_text())
    assert kept[f"zerolatency={PATH}"]["brightness"][0] == "200"
    assert feed.set("reset_controls").ok
    assert (camera[State.BRIGHTNESS], camera[State.WB_AUTO]) == (128, 1)
    assert feed.controls()["brightness"].value == "128"
    deadline = time.monotonic() + 5
    while (tmp_path / "zlfeed" / "controls.json").read_text() != "{}\n":
        assert time.monotonic() < deadline, "nothing is kept any more"
        time.sleep(0.05)


def test_it_is_listed_and_reset(camera: FakeCamera, tmp_path: Path) -> None:
    camera[State.BRIGHTNESS] = 7
    env = {**camera.environ(), "XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "zlfeed", "cameras", "--reset", PATH],
        env=env, check=False, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "brightness 128" in done.stdout
    assert camera[State.BRIGHTNESS] == 128


def test_unplugged_while_it_is_looked_at(camera: FakeCamera) -> None:
    code = f"from zlfeed.cameras import look_at; print(look_at({PATH!r}) and look_at({PATH!r}).name)"
    for plugged, said in ((1, "HD Pro Webcam C920"), (0, "None")):
        camera[State.PLUGGED] = plugged
        done = subprocess.run(
            [sys.executable, "-c", code], env=camera.environ(), check=False, capture_output=True, text=True, timeout=30
        )
        assert (done.returncode, done.stdout.strip()) == (0, said), done.stderr
