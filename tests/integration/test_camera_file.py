"""Video files as cameras: real ones, made by FFmpeg."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zlfeed.errors import CameraEnded, CameraError
from zlfeed.publisher.camera import CameraProcess, FrameInfo, parse_camera

pytestmark = pytest.mark.needs("ffmpeg")
MOVING = ["-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=0.8"]
Player = Callable[..., tuple[CameraProcess, list[FrameInfo], list[np.ndarray]]]
X264 = ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast"]


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Makes a file with FFmpeg: its name, then FFmpeg's arguments."""

    def made(name: str, *arguments: str) -> Path:
        path = tmp_path / name
        command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", *arguments, str(path)]
        subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL)
        return path

    return made


@pytest.fixture
def play() -> Iterator[Player]:
    """Plays a file for a number of pictures: the camera, their times, the pictures."""
    cameras: list[CameraProcess] = []

    def played(
        path: Path, count: int, size: tuple[int, int] | None = None, fps: float | None = None
    ) -> tuple[CameraProcess, list[FrameInfo], list[np.ndarray]]:
        camera = CameraProcess.start(parse_camera(str(path), "cam"), size=size, fps=fps, timeout_s=20)
        cameras.append(camera)
        frames, pictures = [], []
        for _ in range(count):
            into = np.empty((camera.opened.height * 3 // 2, camera.opened.width), np.uint8)
            frame = camera.next_frame(into, 10.0)
            assert frame is not None
            frames.append(frame)
            pictures.append(into)
        return camera, frames, pictures

    yield played
    for camera in cameras:
        camera.stop()


def seconds(frames: list[FrameInfo]) -> float:
    return (frames[-1].captured_ns - frames[0].captured_ns) / 1e9


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", X264),
        ("a.mkv", X264),
        ("a.ts", X264),
        ("a.h264", [*X264, "-bf", "0"]),
        ("a.avi", ["-c:v", "mjpeg"]),
        ("a b=ü:%d.mp4", X264),
    ],
)
def test_a_file_plays_at_its_own_rate_over_and_over(
    name: str, codec: list[str], make: Callable[..., Path], play: Player
) -> None:
    camera, frames, pictures = play(make(name, *MOVING, *codec), 45)
    assert camera.opened.fps == pytest.approx(25)
    assert (camera.opened.width, camera.opened.height) == (320, 240)
    shown = frames[-1].seq - frames[0].seq
    assert seconds(frames) == pytest.approx(shown / 25, rel=0.25)
    by_number = {frame.seq: picture for frame, picture in zip(frames, pictures, strict=True)}
    again = [(n, n + 20) for n in by_number if n + 20 in by_number]
    assert again, "20 pictures, then the first again"
    assert all(np.array_equal(by_number[a], by_number[b]) for a, b in again)
    assert not np.array_equal(by_number[again[0][0]], by_number.get(again[0][0] + 1, 0))


def test_timestamps_count_where_the_rate_varies(make: Callable[..., Path], play: Player) -> None:
    keep = "select='not(between(n,5,11))'"
    path = make("vfr.mkv", *MOVING, "-vf", keep, "-fps_mode", "vfr", *X264)
    _, frames, _ = play(path, 24)
    gaps = [b.captured_ns - a.captured_ns for a, b in itertools.pairwise(frames) if b.seq == a.seq + 1]
    assert max(gaps) / 1e9 == pytest.approx(0.32, abs=0.1)
    assert sorted(gaps)[len(gaps) // 2] / 1e9 == pytest.approx(0.04, abs=0.02)


def test_a_still_in_the_file_is_given_again_so_that_the_camera_seems_alive(
    make: Callable[..., Path], play: Player
) -> None:
    path = make("gap.mkv", *MOVING, "-vf", "setpts='if(gt(N,9),PTS+3/TB,PTS)'", "-fps_mode", "vfr", *X264)
    _, frames, _ = play(path, 20)
    gaps = [(b.captured_ns - a.captured_ns) / 1e9 for a, b in itertools.pairwise(frames)]
    assert max(gaps) < 1.5
    assert sum(gap > 0.2 for gap in gaps) >= 5


def test_a_lower_rate_leaves_pictures_out(make: Callable[..., Path], play: Player) -> None:
    camera, frames, _ = play(make("a.mp4", *MOVING, *X264), 12, fps=10)
    assert camera.opened.fps == 10
    assert seconds(frames) == pytest.approx((frames[-1].seq - frames[0].seq) / 10, rel=0.25)


def test_after_a_standstill_a_file_goes_on_from_there(make: Callable[..., Path], play: Player) -> None:
    camera, _, pictures = play(make("a.mp4", *MOVING, *X264), 1)
    os.kill(camera.pid, signal.SIGSTOP)
    time.sleep(0.6)
    os.kill(camera.pid, signal.SIGCONT)
    times = [frame.captured_ns for _ in range(12) if (frame := camera.next_frame(pictures[0], 10.0))]
    assert sum(b - a < 5_000_000 for a, b in itertools.pairwise(times)) <= 2


def test_a_size_is_scaled_to_and_an_odd_one_cropped(make: Callable[..., Path], play: Player) -> None:
    camera, _, _ = play(make("a.mp4", *MOVING, *X264), 1, size=(640, 360))
    assert (camera.opened.width, camera.opened.height) == (640, 360)
    assert "scaled from 320x240" in camera.opened.description
    odd = make("odd.mkv", "-f", "lavfi", "-i", "testsrc=s=161x121:r=10:d=0.5", "-c:v", "png")
    camera, _, _ = play(odd, 1)
    assert (camera.opened.width, camera.opened.height) == (160, 120)
    assert "cropped from 161x121" in camera.opened.description


def test_a_still_picture_is_a_camera_that_sees_nothing_move(make: Callable[..., Path], play: Player) -> None:
    _, frames, pictures = play(make("still.jpg", *MOVING, "-frames:v", "1"), 10)
    assert all(np.array_equal(pictures[0], picture) for picture in pictures)
    assert seconds(frames) > 0.2


def refused(path: object) -> str:
    with pytest.raises(CameraError) as caught:
        CameraProcess.start(parse_camera(str(path), "cam"), size=None, fps=None, timeout_s=20)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_no_video_is_refused_in_one_sentence(make: Callable[..., Path], tmp_path: Path) -> None:
    assert "there is no file" in refused(tmp_path / "nope.mp4")
    (tmp_path / "empty").mkdir()
    assert "holds no files" in refused(tmp_path / "empty")
    (tmp_path / "zero.mp4").touch()
    assert "is empty" in refused(tmp_path / "zero.mp4")
    (tmp_path / "text.mp4").write_text("not a film")
    assert "no video" in refused(tmp_path / "text.mp4")
    assert "only sound" in refused(make("sound.m4a", "-f", "lavfi", "-i", "sine=d=0.3"))
    whole = make("a.mp4", *MOVING, *X264).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[:2000])
    assert "damaged" in refused(tmp_path / "cut.mp4")
    assert "no video" in refused(make("none.mkv", *MOVING, *X264, "-frames:v", "0"))
    assert "too small" in refused(make("tiny.mkv", "-f", "lavfi", "-i", "testsrc2=s=8x8:d=0.2", "-c:v", "png"))


def test_a_folder_s_clips_follow_one_another_in_the_first_one_s_size(
    make: Callable[..., Path], play: Player, tmp_path: Path
) -> None:
    """Red, then green of another size and rate, then red again; what cannot be played is skipped and told once."""
    folder = tmp_path / "clips"
    folder.mkdir()
    whole = make("clips/1.mp4", "-f", "lavfi", "-i", "color=red:s=320x240:r=25:d=0.4", *X264).read_bytes()
    (folder / "2-broken.mp4").write_bytes(whole[:1500])
    (folder / "3.txt").write_text("what was filmed")
    make("clips/4.mkv", "-f", "lavfi", "-i", "color=lime:s=160x90:r=10:d=0.3", *X264)
    (folder / ".hidden.mp4").write_text("nothing")
    camera, frames, pictures = play(folder, 30)
    assert (camera.opened.width, camera.opened.height, camera.opened.fps) == (320, 240, 25)
    greens = [number for number, picture in enumerate(pictures) if picture[120, 160] > 120]
    assert greens[:3] == [10, 11, 12]
    assert 23 in greens
    assert 13 not in greens
    assert 0.9 < seconds(frames[:23]) < 3  # 10 at 25 fps, 3 at 10 fps, 10 at 25 fps
    notes = camera.notes()
    assert len(notes) == 2
    assert "2-broken.mp4" in notes[0]
    assert "3.txt" in notes[1]
    assert all("skipped" in note for note in notes)


def test_a_folder_without_a_clip_that_can_be_played_is_refused(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_text("not a film")
    assert "holds no clip that can be played" in refused(tmp_path)


def test_played_once_it_ends_after_its_last_picture(make: Callable[..., Path]) -> None:
    spec = replace(parse_camera(str(make("a.mp4", *MOVING, *X264)), "cam"), once=True)
    camera = CameraProcess.start(spec, size=None, fps=None, timeout_s=20)
    try:
        into = np.empty((360, 320), np.uint8)
        while camera.captured < 20:
            assert camera.next_frame(into, 10.0) is not None
        with pytest.raises(CameraEnded, match="played to its end"):
            camera.next_frame(into, 10.0)
        assert camera.captured == 20
    finally:
        camera.stop()


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert "is no file" in refused(tmp_path / "fifo")
