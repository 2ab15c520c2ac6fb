"""Setting things on a running publisher: seen in the picture, in the status, and by everyone connected."""

from __future__ import annotations

import asyncio
import itertools
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import psutil
import pytest

from tests.support import watching
from tests.support.commands import Running, publishing
from tests.support.ordered_camera import Cameras, is_picture
from tests.support.rtsp_client import connected
from tests.support.status_tap import StatusTap
from tests.support.watching import Watcher
from zlfeed.model import CameraStatus, ControlResult, Event, SetControl, Subscribe, Thumbnail, Welcome
from zlfeed.publisher.encode.ffmpeg import find_ffmpeg

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.needs("ffmpeg"),
    pytest.mark.skipif(sys.platform == "win32", reason="publish does not run on Windows"),
]

CAMERA = "zerolatency"
WIDTH, HEIGHT = 320, 240
CLIP_FPS = 15
CORNERS = {"top left": 200, "top right": 150, "bottom left": 100, "bottom right": 50}
_ids = itertools.count(1)


class Feed(NamedTuple):
    """A publisher that runs, what can be heard of it, and where its stream is."""

    running: Running
    tap: StatusTap
    url: str

    def set(self, name: str, value: str = "", camera: str = CAMERA) -> ControlResult:
        """Asks for a control to be set; the answer."""
        number = next(_ids)
        self.tap.send(SetControl(camera, name, value, number))
        _, result = self.tap.until(ControlResult, lambda answer: answer.id == number)
        assert (result.camera, result.name) == (camera, name)
        return result

    def status(self, **fields: object) -> CameraStatus:
        """The next status in which these fields have these values."""
        return self.tap.until(
            CameraStatus,
            lambda status: all(getattr(status, name) == value for name, value in fields.items()),
            after=time.monotonic(),
        )[1]


@contextmanager
def feeding(*arguments: str, running: Running | None = None) -> Iterator[Feed]:
    """A publisher with a status client."""
    with ExitStack() as stack:
        feed = stack.enter_context(running or publishing(*arguments))
        urls = feed.line("ready")["urls"]
        tap = stack.enter_context(StatusTap(urls["websocket"]))
        tap.until(CameraStatus, lambda status: status.state == "live")
        yield Feed(feed, tap, urls["rtsp"])


@pytest.fixture(scope="module")
def corners(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video whose four quarters are differently bright."""
    half = (HEIGHT // 2, WIDTH // 2)
    light = [np.full(half, luma, np.uint8) for luma in CORNERS.values()]
    luma = np.block([[light[0], light[1]], [light[2], light[3]]])
    frame = np.concatenate([luma.reshape(-1), np.full(WIDTH * HEIGHT // 2, 128, np.uint8)])
    path = tmp_path_factory.mktemp("clips") / "corners.mp4"
    subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}"),
            *("-r", str(CLIP_FPS), "-i", "pipe:0", "-c:v", "libx264", "-qp", "10", str(path)),
        ],
        input=frame.tobytes() * CLIP_FPS,
        check=True,
        timeout=30,
    )
    return path


def seen(url: str) -> npt.NDArray[np.uint8]:
    """A picture as a player decodes it now, grey."""
    command = [
        *("ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-probesize", "32", "-analyzeduration", "0"),
        *("-i", url, "-frames:v", "1"),
        *("-pix_fmt", "gray", "-f", "image2pipe", "-c:v", "pgm", "pipe:1"),
    ]
    done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    picture = cv2.imdecode(np.frombuffer(done.stdout, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def quarters(picture: npt.NDArray[np.uint8]) -> list[str]:
    """Which of CORNERS stands where, from top left to bottom right."""
    rows, columns = picture.shape
    found = []
    for y, x in itertools.product((rows * 3 // 8, rows * 7 // 8), (columns // 4, columns * 3 // 4)):
        luma = float(picture[y - 8 : y + 8, x - 8 : x + 8].mean())
        # A grey file is decoded to full range by some, and not by others.
        found.append(min(CORNERS, key=lambda name: abs(CORNERS[name] - luma)))
    return found


def children(feed: Running, word: str) -> list[psutil.Process]:
    """The publisher's children with that word in their command line."""
    found = []
    for process in feed.processes():
        try:
            if process.pid != feed.process.pid and any(word in part for part in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def encoders(feed: Running) -> list[psutil.Process]:
    """Its FFmpegs: the one at work and the spare."""
    return [process for process in children(feed, "rawvideo") if process.name().startswith("ffmpeg")]


def soon(condition: Callable[[], object], within_s: float = 15.0) -> bool:
    """Whether something comes true."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def passed_over(status: CameraStatus) -> int:
    """Frames that neither encoder nor change of encoder has cost."""
    return status.frames_dropped.get("newer_frame", 0) + sum(viewer.frames_dropped for viewer in status.viewers)


# ------------------------------------------------------------ the encoder's


def test_the_bitrate_is_set_without_a_frame_missed_or_a_session_lost() -> None:
    # FFmpeg as a player drops pictures whose times fall together; OpenCV shows them all.
    with feeding() as feed, Watcher(watching.opencv(feed.url)) as viewer:
        viewer.first()
        before = feed.status(bitrate_asked_kbps=800.0)
        began = time.monotonic()
        for kbps in ("2000", "250"):
            result = feed.set("bitrate", kbps)
            assert (result.ok, result.value) == (True, kbps)
            viewer.past(time.monotonic() + 0.5)
        missed = viewer.missed(began, time.monotonic())
        after = feed.status(bitrate_asked_kbps=250.0)
        # A busy machine may pass over a frame of the camera's, or find the viewer slow: that is no encoder's fault.
        assert missed <= passed_over(after) - passed_over(before)
        assert not {"encoder_failed", "encoder_busy"} & set(after.frames_dropped)
        assert after.frames_dropped.get("no_encoder") == before.frames_dropped.get("no_encoder")
        assert after.encoder_restarts == 0
        assert soon(lambda: 100 < (feed.status().bitrate_kbps or 0) < 400), feed.status()
        assert viewer.alive


def test_fifty_bitrates_in_a_second_come_to_the_last_with_one_encoder_and_one_spare() -> None:
    with feeding() as feed, Watcher(watching.ffmpeg(feed.url)) as viewer:
        viewer.first()
        numbers = [next(_ids) for _ in range(50)]
        most = 0
        for step, number in enumerate(numbers):
            feed.tap.send(SetControl(CAMERA, "bitrate", str(400 + 10 * step), number))
            time.sleep(0.02)
            if step % 10 == 0:
                most = max(most, len(encoders(feed.running)))
        _, last = feed.tap.until(ControlResult, lambda answer: answer.id == numbers[-1])
        assert (last.ok, last.value) == (True, "890")
        assert most <= 4, "one at work, one that ends, one spare, one spare that ends"
        assert feed.status(bitrate_asked_kbps=890.0).encoder_restarts == 0
        assert soon(lambda: len(encoders(feed.running)) == 2)
        time.sleep(1.0)
        asked = [process.cmdline() for process in encoders(feed.running)]
        assert len(asked) == 2
        assert all("890000" in arguments for arguments in asked)
        viewer.past(time.monotonic())


async def test_the_keyframe_interval_and_another_encoder() -> None:
    with feeding() as feed:
        assert (await asyncio.to_thread(feed.set, "gop", "7")).value == "7"
        async with connected(feed.url) as client:
            await client.play()
            pictures = await client.pictures(40)
            keyframes = [index for index, picture in enumerate(pictures) if 5 in picture.kinds("h264")]
            # The first may still be the encoder's from before.
            assert {later - earlier for earlier, later in itertools.pairwise(keyframes[1:])} == {7}
            old = {process.pid for process in encoders(feed.running)}
            assert (await asyncio.to_thread(feed.set, "restart_encoder")).ok
            await client.pictures(30)
            assert soon(lambda: len({process.pid for process in encoders(feed.running)} - old) == 1)
        status = await asyncio.to_thread(feed.status, gop=7)
        assert status.encoder_restarts == 0, "someone asked for it"


def test_an_encoder_that_cannot_is_refused_and_the_old_one_goes_on(tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    real = find_ffmpeg(None)
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *"-b:v 123000"*) echo "no such rate" >&2; exit 1;; esac\nexec "{real}" "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with feeding("--ffmpeg-path", str(program)) as feed, Watcher(watching.ffmpeg(feed.url)) as viewer:
        viewer.first()
        result = feed.set("bitrate", "123")
        assert (result.ok, result.value) == (False, "800")
        assert "no such rate" in result.text
        assert "as it was" in result.text
        assert feed.status(bitrate_asked_kbps=800.0).encoder_restarts == 0
        assert feed.set("bitrate", "700").ok
        viewer.past(time.monotonic())


def test_the_privacy_shutter_closes_although_a_change_before_it_is_refused(tmp_path: Path, corners: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *"-b:v 123000"*) sleep 1; exit 1;; esac\nexec "{find_ffmpeg(None)}" "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with feeding("--camera", str(corners), "--ffmpeg-path", str(program)) as feed:
        refused, shut = next(_ids), next(_ids)
        feed.tap.send(SetControl(CAMERA, "bitrate", "123", refused))
        feed.tap.send(SetControl(CAMERA, "privacy", "slate", shut))
        assert not feed.tap.until(ControlResult, lambda result: result.id == refused)[1].ok
        result = feed.tap.until(ControlResult, lambda result: result.id == shut)[1]
        assert (result.ok, result.value) == (True, "slate")
        assert feed.status(state="private").bitrate_asked_kbps == 800
        assert seen(feed.url)[HEIGHT // 2 :].mean() < 50


# ------------------------------------------------------------ the picture's


def test_the_picture_is_turned_as_asked(corners: Path) -> None:
    names = list(CORNERS)
    turned = {
        "mirror": [1, 0, 3, 2],
        "flip": [2, 3, 0, 1],
        "rotate-90": [2, 0, 3, 1],
        "rotate-180": [3, 2, 1, 0],
        "rotate-270": [1, 3, 0, 2],
        "normal": [0, 1, 2, 3],
    }
    with feeding("--camera", str(corners)) as feed, Watcher(watching.ffmpeg(feed.url)) as viewer:
        viewer.first()
        assert quarters(seen(feed.url)) == names
        for orientation, order in turned.items():
            assert feed.set("orientation", orientation).value == orientation
            # Who joins sees the last keyframe first, which may be from before.
            assert soon(lambda: quarters(seen(feed.url)) == [names[index] for index in order]), orientation  # noqa: B023
            upright = orientation not in ("rotate-90", "rotate-270")
            shape = (HEIGHT, WIDTH) if upright else (WIDTH, HEIGHT)
            assert seen(feed.url).shape == shape
            feed.status(width=shape[1], height=shape[0])
            # The strip stands upright on all of them that are wide enough for one.
            viewer.until(lambda sighting: sighting.code or not upright, 15, after=time.monotonic())  # noqa: B023


def test_the_clock_can_be_taken_off(corners: Path) -> None:
    below_the_strip = (slice(24, 30), slice(8, 60))
    with feeding("--camera", str(corners)) as feed:
        assert seen(feed.url)[below_the_strip].min() < 60
        assert feed.set("overlay", "false").value == "off"
        assert soon(lambda: seen(feed.url)[below_the_strip].min() > 150)
        assert feed.set("overlay", "on").value == "on"
        assert soon(lambda: seen(feed.url)[below_the_strip].min() < 60)


# ------------------------------------------------------------ the camera's


def test_size_and_rate_are_set_and_read_back(corners: Path) -> None:
    with feeding("--camera", str(corners)) as feed, Watcher(watching.ffmpeg(feed.url)) as viewer:
        viewer.first()
        assert feed.set("size", "480x360").value == "480x360"
        assert seen(feed.url).shape == (360, 480)
        feed.status(width=480, height=360, state="live", camera_restarts=0)
        assert feed.set("fps", "5").value == "5"
        assert soon(lambda: 4 < (feed.status().fps or 0) < 6), feed.status()
        # The keyframe interval follows the rate, and that is told although nobody asked for it.
        feed.tap.until(ControlResult, lambda result: (result.name, result.value, result.id) == ("gop", "5", 0))
        result = feed.set("fps", "30")
        assert (result.ok, result.value) == (True, str(CLIP_FPS)), "the file has no more"
        refused = feed.set("fps", "31")
        assert (refused.ok, refused.value) == (False, str(CLIP_FPS))
        assert f"1 to {CLIP_FPS} fps: the nearest is {CLIP_FPS}" in refused.text
        viewer.past(time.monotonic())


def test_a_camera_that_cannot_is_opened_as_before(tmp_path: Path) -> None:
    cameras = Cameras(tmp_path)
    cameras.order("front", "give 320x240 strictly")
    with feeding(running=cameras.publishing("--camera", "front=ordered")) as feed, ExitStack() as stack:
        viewer = stack.enter_context(Watcher(watching.ffmpeg(feed.url)))
        viewer.until(lambda sighting: is_picture(sighting.luma), 20)
        result = feed.set("fps", "10", camera="front")
        refused = time.monotonic()
        assert (result.ok, result.value) == (False, "30")
        assert "has 30 fps only; it stays as it was" in result.text
        viewer.until(lambda sighting: is_picture(sighting.luma), 20, after=refused)
        status = feed.status(state="live")
        assert (status.fps_asked, status.camera_restarts, status.error_message) == (30, 0, None)
        assert not [heard for heard in feed.tap.heard if getattr(heard.message, "code", "") == "camera_lost"]


def test_a_restart_of_the_camera_is_no_loss() -> None:
    with feeding() as feed, Watcher(watching.ffmpeg(feed.url)) as viewer:
        viewer.first()
        (camera,) = children(feed.running, "camera.worker")
        assert feed.set("restart_camera").ok
        assert not camera.is_running()
        assert feed.status(state="live").camera_restarts == 0
        viewer.past(time.monotonic())
        assert not [heard for heard in feed.tap.heard if getattr(heard.message, "code", "") == "camera_lost"]


# ------------------------------------------------------------ privacy


def test_the_privacy_shutter_shows_a_slate_and_releases_the_camera(corners: Path) -> None:
    bright, dark = 60, 50
    with feeding("--camera", str(corners)) as feed, Watcher(watching.ffmpeg(feed.url)) as viewer:
        viewer.until(lambda sighting: sighting.luma > bright, 20)
        assert feed.set("privacy", "slate").value == "slate"
        shut = time.monotonic()
        viewer.until(lambda sighting: sighting.luma < dark, 10)
        feed.status(state="private", is_connected=True)
        assert children(feed.running, "camera.worker")
        # Who joins now must not get the pictures from before, which the relay keeps for those who join.
        assert seen(feed.url)[HEIGHT // 2 :].mean() < dark
        feed.tap.send(Subscribe(thumbnails=True, thumbnail_hz=5))
        _, thumbnail = feed.tap.until(Thumbnail, lambda _: True, after=time.monotonic())
        assert decoded(thumbnail)[60:].mean() < dark

        assert feed.set("privacy", "released").value == "released"
        assert children(feed.running, "camera.worker") == []
        feed.status(state="private", is_connected=False)
        assert feed.set("snapshot").ok
        _, snapshot = feed.tap.until(Thumbnail, lambda picture: picture.width == WIDTH)
        assert decoded(snapshot)[HEIGHT // 2 :].mean() < dark
        viewer.past(time.monotonic() + 1)
        while_shut = viewer.between(shut + 0.5, time.monotonic())
        assert while_shut
        assert max(sighting.luma for sighting in while_shut) < dark

        assert feed.set("privacy", "off").value == "off"
        viewer.until(lambda sighting: sighting.luma > bright, 15, after=time.monotonic())
        status = feed.status(state="live", is_connected=True)
        assert (status.camera_restarts, status.error_message) == (0, None)


# ------------------------------------------------------------ pictures


def decoded(thumbnail: Thumbnail) -> npt.NDArray[np.uint8]:
    """A JPEG's pixels, grey."""
    picture = cv2.imdecode(np.frombuffer(thumbnail.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    assert picture.shape == (thumbnail.height, thumbnail.width)
    return np.asarray(picture, np.uint8)


def test_snapshots_and_thumbnails_show_what_viewers_see(corners: Path) -> None:
    with feeding("--camera", str(corners)) as feed, StatusTap(feed.tap.url) as other:
        other.until(Welcome, lambda _: True)
        before = time.time_ns() // 1000
        assert feed.set("snapshot").ok
        _, snapshot = feed.tap.until(Thumbnail, lambda _: True)
        assert (snapshot.width, snapshot.height) == (WIDTH, HEIGHT)
        assert before - 1_000_000 < snapshot.time_us < time.time_ns() // 1000
        assert quarters(decoded(snapshot)) == list(CORNERS)
        feed.tap.send(Subscribe(thumbnails=True, thumbnail_width=64))
        _, thumbnail = feed.tap.until(Thumbnail, lambda picture: picture.width == 64)
        assert quarters(decoded(thumbnail)) == list(CORNERS)
        assert len(thumbnail.jpeg) < 3000
        assert not [heard for heard in other.heard if isinstance(heard.message, Thumbnail)], "nobody else asked"


# ------------------------------------------------------------ everyone


def test_others_hear_what_was_set_and_the_asker_hears_it_once() -> None:
    with feeding() as feed, StatusTap(feed.tap.url) as other:
        _, welcome = other.until(Welcome, lambda _: True)
        controls = {control.name: control for control in welcome.cameras[0].controls}
        assert controls["bitrate"].value == "800"
        assert controls["size"].value == "640x480"
        assert feed.set("bitrate", "600").ok
        other.until(ControlResult, lambda result: (result.name, result.value, result.id) == ("bitrate", "600", 0))
        assert not feed.set("bitrate", "6").ok
        assert feed.set("orientation", "flip").ok
        other.until(ControlResult, lambda result: result.name == "orientation")
        other.until(Event, lambda event: event.code == "control_set" and "600 kbit/s" in event.text)
        heard = [entry.message for entry in other.heard if isinstance(entry.message, ControlResult)]
        assert [(result.name, result.value, result.ok) for result in heard] == [
            ("bitrate", "600", True), ("orientation", "flip", True),
        ]  # fmt: skip
        echoes = [entry.message for entry in feed.tap.heard if isinstance(entry.message, ControlResult)]
        assert all(result.id for result in echoes), "its own change came back"
        with StatusTap(feed.tap.url) as late:
            _, welcome = late.until(Welcome, lambda _: True)
        values = {control.name: control.value for control in welcome.cameras[0].controls}
        assert (values["bitrate"], values["orientation"]) == ("600", "flip")


def test_what_cannot_be_set_is_refused_in_words() -> None:
    with feeding() as feed:
        for name, value, words in (
            ("bitrate", "loud", "whole number from 16 to 20000 kbit/s"),
            ("size", "641x480", "try 642x480"),
            ("privacy", "yes", "off, slate, released"),
            ("zoom", "2", "there is no control 'zoom'"),
        ):
            result = feed.set(name, value)
            assert not result.ok
            assert words in result.text
        elsewhere = feed.set("bitrate", "500", camera="backyard")
        assert "there is no camera 'backyard'; there are zerolatency" in elsewhere.text
        assert feed.status(state="live").bitrate_asked_kbps == 800
        assert "Traceback" not in feed.running.words


# ------------------------------------------------------------ the next start


def test_what_was_set_is_kept_for_the_next_start_until_it_is_reset(corners: Path, tmp_path: Path) -> None:
    home = {"XDG_STATE_HOME": str(tmp_path)}

    def started(*arguments: str) -> Running:
        return publishing("--camera", str(corners), *arguments, env=home)

    with feeding(running=started()) as feed:
        assert feed.set("orientation", "flip").ok
        assert feed.set("bitrate", "456").ok
        assert feed.running.end() == 130
    with feeding(running=started()) as feed:
        kept = next(line for line in feed.running.out if "controls_kept" in line)
        assert "bitrate 456, orientation flip" in kept
        assert soon(lambda: quarters(seen(feed.url))[0] == "bottom left")
        _, welcome = feed.tap.until(Welcome, lambda _: True)
        bitrate = next(control for control in welcome.cameras[0].controls if control.name == "bitrate")
        assert (bitrate.value, bitrate.default_value) == ("456", 800)
        assert feed.running.end() == 130
    with feeding(running=started("--bitrate", "900k")) as feed:
        status = feed.status(state="live")
        assert status.bitrate_asked_kbps == 900, "how it is started now is the newer wish"
        assert soon(lambda: quarters(seen(feed.url))[0] == "bottom left")
    with feeding(running=started("--reset-controls")) as feed:
        assert feed.status(state="live").bitrate_asked_kbps == 800
        assert soon(lambda: quarters(seen(feed.url))[0] == "top left")
    assert "controls.json" in {path.name for path in tmp_path.rglob("*")}


def test_a_closed_privacy_shutter_stays_closed_over_a_restart(corners: Path, tmp_path: Path) -> None:
    home = {"XDG_STATE_HOME": str(tmp_path)}
    with feeding(running=publishing("--camera", str(corners), env=home)) as feed:
        assert feed.set("privacy", "released").ok
        assert soon(lambda: any("released" in path.read_text() for path in tmp_path.rglob("controls.json")))
        feed.running.process.kill()
    with publishing("--camera", str(corners), env=home) as running:
        urls = running.line("ready")["urls"]
        with StatusTap(urls["websocket"]) as tap:
            tap.until(CameraStatus, lambda status: status.state == "private" and not status.is_connected)
            assert children(running, "camera.worker") == []
            assert seen(urls["rtsp"])[60:].mean() < 50
            tap.send(SetControl(CAMERA, "privacy", "off", 1))
            tap.until(ControlResult, lambda result: result.id == 1 and result.ok)
            tap.until(CameraStatus, lambda status: status.state == "live" and status.width == WIDTH)
