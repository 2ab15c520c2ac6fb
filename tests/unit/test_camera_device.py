"""Devices: a stand-in where a camera would have to be plugged in, the real thing for every error that can be caused."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import pytest

from zlfeed.errors import CameraError
from zlfeed.publisher import capture as capture_module
from zlfeed.publisher.camera import v4l2
from zlfeed.publisher.camera.device import fourcc_text, open_device, read_device
from zlfeed.publisher.camera.file import why_not
from zlfeed.publisher.camera.holders import holders
from zlfeed.publisher.camera.records import Request
from zlfeed.publisher.camera.source import CameraSpec
from zlfeed.publisher.capture import Capture, CaptureSettings, Listener

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="V4L2")
MJPG, YUYV = (float(cv2.VideoWriter.fourcc(*name)) for name in ("MJPG", "YUYV"))


class Webcam:
    """A USB camera as cv2.VideoCapture shows it: it takes what it knows and reports what it took."""

    def __init__(
        self, *, formats: tuple[float, ...] = (MJPG, YUYV), max_fps: float = 30.0, pictures: int = 100
    ) -> None:
        self.asked: list[tuple[int, float]] = []
        self._formats, self._max_fps, self._left = formats, max_fps, pictures
        self._size, self._fourcc, self._fps = (640, 480), formats[-1], max_fps
        self._at = time.monotonic()

    def isOpened(self) -> bool:
        return True

    def set(self, prop: int, value: float, /) -> bool:
        self.asked.append((prop, value))
        if prop == cv2.CAP_PROP_FOURCC and value in self._formats:
            self._fourcc = value
        elif prop == cv2.CAP_PROP_FRAME_WIDTH and value >= 1280:
            self._size = (1280, 720)
        elif prop == cv2.CAP_PROP_FPS:
            self._fps = self._max_fps
        return True

    def get(self, prop: int, /) -> float:
        return {cv2.CAP_PROP_FOURCC: self._fourcc, cv2.CAP_PROP_FPS: self._fps}.get(prop, 0.0)

    def grab(self) -> bool:
        self._left -= 1
        self._at += 1 / self._max_fps
        time.sleep(max(0.0, self._at - time.monotonic()))
        return self._left >= 0

    def retrieve(self) -> tuple[bool, Any]:
        return True, np.full((self._size[1], self._size[0], 3), 60, np.uint8)

    def release(self) -> None: ...


def request(size: tuple[int, int] | None = None, fps: float | None = None, target: str = "0") -> Request:
    return Request(CameraSpec("cam", "device", target), size, fps)


def test_motion_jpeg_is_asked_for_before_the_size() -> None:
    camera = Webcam()
    source = read_device(request((1280, 720)), lambda: camera, "/dev/video0", "Webcam C1")
    assert camera.asked[0] == (cv2.CAP_PROP_FOURCC, MJPG)
    assert (source.opened.width, source.opened.height, source.opened.fps) == (1280, 720, 30.0)
    assert source.opened.description == "Webcam C1 (/dev/video0) 1280x720 MJPG at 30 fps"


def test_what_the_camera_gives_counts_not_what_was_asked() -> None:
    source = read_device(request((640, 360)), lambda: Webcam(formats=(YUYV,)), "/dev/video0", "")
    assert (source.opened.width, source.opened.height) == (640, 360)
    assert source.opened.description == "/dev/video0 640x480 YUYV at 30 fps, scaled from 640x480"


def test_a_camera_that_is_too_fast_is_thinned_out() -> None:
    camera = Webcam(max_fps=100, pictures=100)
    source = read_device(request(fps=20), lambda: camera, "/dev/video0", "")
    assert source.opened.fps == 20
    into = np.empty((720, 640), np.uint8)
    stamps = [source.read(into) for _ in range(8)]
    # At 100 a second it would be 0.01 s; a busy machine may take longer than 0.05.
    assert (stamps[-1].monotonic_ns - stamps[0].monotonic_ns) / 1e9 / 7 > 0.04
    assert abs(stamps[-1].wall_us - time.time() * 1e6) < 1e6


def test_a_camera_that_stops_says_so() -> None:
    source = read_device(request(), lambda: Webcam(pictures=2), "/dev/video0", "")
    into = np.empty((720, 640), np.uint8)
    source.read(into)
    with pytest.raises(CameraError, match="/dev/video0 gives no picture"):
        source.read(into)


def test_a_camera_that_another_program_holds_names_it(tmp_path: Path) -> None:
    held = tmp_path / "video0"
    held.touch()
    with holding(held) as holder, pytest.raises(CameraError, match=rf"while PID {holder} \(.+\) has it open: end that"):
        read_device(request(), lambda: Webcam(pictures=0), str(held), "")


class holding:
    """Another process that has a file open."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> int:
        with self._path.open() as file:
            self._process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=file)
        return self._process.pid

    def __exit__(self, *_: object) -> None:
        self._process.communicate(b"\n", timeout=20)


@linux
def test_the_holder_of_a_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "held"
    path.touch()
    link = tmp_path / "link"
    link.symlink_to(path)
    assert holders(str(path)) == []
    with path.open(), holding(path) as pid:
        assert [holder.pid for holder in holders(str(link))] == [pid], "this process is left out"


@linux
@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("97", "there is no camera /dev/video97: .*--camera"),
        ("/dev/null", "/dev/null is no camera"),
        ("/dev/v4l/by-id/none", "there is no camera /dev/v4l/by-id/none"),
    ],
)
def test_what_is_no_camera_is_refused_in_one_sentence(target: str, says: str) -> None:
    with pytest.raises(CameraError, match=says):
        open_device(request(target=target))


@linux
@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PermissionError(13, "x"), "usermod -aG video"),
        (OSError(16, "x"), "in use by another"),
        (OSError(5, "I/O"), "I/O"),
    ],
)
def test_what_the_system_refuses_gets_a_cure(
    error: OSError, says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> int:
        raise error

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(CameraError, match=says):
        v4l2.query(str(tmp_path / "video0"))


def test_a_file_that_may_not_be_read_gets_a_cure() -> None:
    assert "chmod" in why_not("clip.mp4", PermissionError(13, "Permission denied"))
    assert "Input/output" in why_not("clip.mp4", OSError(5, "Input/output error"))


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., None]:
    """Adds video devices to a made-up /dev and /sys."""
    (tmp_path / "dev").mkdir()

    def add(number: int, driver: str, index: int = 0) -> None:
        (tmp_path / "dev" / f"video{number}").touch()
        about = tmp_path / "sys" / f"video{number}"
        (about / "device").mkdir(parents=True)
        (about / "index").write_text(f"{index}\n")
        (tmp_path / "drivers" / driver).mkdir(parents=True, exist_ok=True)
        (about / "device" / "driver").symlink_to(tmp_path / "drivers" / driver)

    return add


@linux
def test_auto_tries_cameras_first_and_leaves_out_what_is_none(machine: Callable[..., None], tmp_path: Path) -> None:
    machine(10, "bcm2835-codec")
    machine(0, "unicam")
    machine(2, "uvcvideo", 1)
    machine(11, "uvcvideo")
    machine(1, "uvcvideo")
    (tmp_path / "dev" / "video-cam").touch()
    found = v4l2.candidates(CameraSpec("cam", "auto", ""), tmp_path / "dev", tmp_path / "sys")
    assert [Path(spec.target).name for spec in found] == ["video1", "video11", "video2"]
    assert {(spec.name, spec.kind) for spec in found} == {("cam", "device")}


@linux
def test_auto_without_a_device_names_the_test_picture(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="--camera test"):
        v4l2.candidates(CameraSpec("cam", "auto", ""), tmp_path, tmp_path)


def test_a_pixel_format_is_four_letters_or_nothing() -> None:
    assert fourcc_text(MJPG) == "MJPG"
    assert [fourcc_text(v) for v in (0.0, -1.0, 1e12, 3.0)] == ["", "", "", ""]


def test_one_camera_by_two_names_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "video7").touch()
    (tmp_path / "link").symlink_to(tmp_path / "video7")
    first, second = (CameraSpec(name, "device", str(tmp_path / name)) for name in ("link", "video7"))
    assert v4l2.same_device([first, CameraSpec("x", "csi", "0"), second]) == (first, second)
    assert v4l2.same_device([CameraSpec("a", "csi", "0"), CameraSpec("b", "csi", "1")]) is None
    assert v4l2.same_device([CameraSpec("a", "csi", "0"), CameraSpec("b", "csi", "0")]) is not None
    assert v4l2.same_device([CameraSpec("a", "device", "0"), CameraSpec("b", "device", "/dev/video0")]) is not None
    assert v4l2.same_device([CameraSpec("a", "test", ""), CameraSpec("b", "test", "")]) is None


def test_a_camera_is_opened_again_by_its_id_whatever_its_number_is_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "usb-046d_C920_1234-video-index0"
    link.symlink_to(tmp_path / "video0")
    monkeypatch.setattr(capture_module, "stable_link", lambda path: str(link) if path == "/dev/video0" else None)
    asked: list[CameraSpec] = []
    monkeypatch.setattr(capture_module, "CameraProcess", lambda spec, *_: asked.append(spec))
    spec = CameraSpec("cam", "device", "0")
    capture = Capture(CaptureSettings(spec, None, None), cast(Listener, SimpleNamespace(sink=None)), retry_first=False)
    capture._pin(spec)
    assert capture.found == CameraSpec("cam", "device", str(link))
    link.unlink()
    link.symlink_to(tmp_path / "video3")  # plugged in again while another has taken its number
    capture._standby()
    assert [v4l2.device_path(spec.target) for spec in asked] == [str(tmp_path / "video3")]


def test_auto_passes_over_what_others_have(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    (tmp_path / "video2").touch()
    auto = CameraSpec("cam", "auto", "", besides=(str(tmp_path / "video0"), "csi:0"))
    assert [spec.target for spec in v4l2.candidates(auto, tmp_path, tmp_path)] == [str(tmp_path / "video2")]
    (tmp_path / "video2").unlink()
    with pytest.raises(CameraError, match=r"no camera but .*video0 and csi:0: plug another in"):
        v4l2.candidates(auto, tmp_path, tmp_path)


def test_a_device_is_found_again_by_its_id_or_its_socket(tmp_path: Path) -> None:
    (tmp_path / "video3").touch()
    by_id, by_path = tmp_path / "by-id", tmp_path / "by-path"
    by_path.mkdir()
    (by_path / "pci-usb-0:1.3-video-index0").symlink_to(tmp_path / "video3")
    folders = (by_id, by_path)
    assert v4l2.stable_link(str(tmp_path / "video3"), folders) == str(by_path / "pci-usb-0:1.3-video-index0")
    by_id.mkdir()
    (by_id / "usb-046d_C920_1234-video-index0").symlink_to(tmp_path / "video3")
    assert v4l2.stable_link(str(tmp_path / "video3"), folders) == str(by_id / "usb-046d_C920_1234-video-index0")
    assert v4l2.stable_link(str(tmp_path / "video4"), folders) is None
