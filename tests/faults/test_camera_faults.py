"""A camera gives nothing, raises, blocks or changes: viewers see a slate in the same session, then the picture."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.kit import BUSY, camera_workers, wait_until
from tests.support import figures
from tests.support.commands import publishing
from tests.support.ordered_camera import Cameras, is_picture
from tests.support.status_tap import StatusTap
from tests.support.watching import Watcher, ffmpeg
from zlfeed.model import CameraStatus, Event

pytestmark = [pytest.mark.needs("ffmpeg"), pytest.mark.timeout(180)]
GIVE = "give 320x240"
OWN = ("--server", "embedded")
SLATES_A_S = 5.0

NOTICED = {
    "raise": "camera raises",
    "silence": "camera returns nothing",
    "hang": "camera blocks for ever",
    "stubborn": "camera blocks, deaf to SIGTERM",
}


@pytest.fixture
def cameras(tmp_path: Path) -> Cameras:
    made = Cameras(tmp_path)
    made.order("cam", GIVE)
    made.order("other", GIVE)
    return made


def test_a_lost_camera_becomes_a_slate_and_comes_back_in_the_same_session(cameras: Cameras) -> None:
    with cameras.publishing(*OWN, "--camera", "cam=ordered") as publisher:
        urls = publisher.line("ready")["urls"]
        with Watcher(ffmpeg(urls["rtsp"])) as viewer, StatusTap(urls["websocket"]) as monitor:
            viewer.until(lambda sighting: is_picture(sighting.luma), 20)
            for order, what in NOTICED.items():
                fault = cameras.order("cam", order)
                slate = viewer.until(lambda sighting: not is_picture(sighting.luma), 10, after=fault)
                lost, event = monitor.until(Event, lambda event: event.code == "camera_lost", after=fault)
                shown, _ = monitor.until(CameraStatus, lambda status: status.state == "no_signal", after=fault)
                # One that raised stays away for a second; of one that blocks, only that process does.
                viewer.past(slate.at + 1.0)
                back = cameras.order("cam", GIVE)
                picture = viewer.until(lambda sighting: is_picture(sighting.luma), 20, after=slate.at)

                slates = viewer.between(slate.at, picture.at)
                rate = (len(slates) - 1) / (picture.at - slate.at)
                heard_ms = (max(lost.wall_us, shown.wall_us) - event.time_us) / 1000
                returned = picture.at - (back if order == "raise" else lost.at)
                figures.record(
                    what,
                    f"slate after {slate.at - fault:.2f} s at {rate:.1f} fps; noticed after {lost.at - fault:.2f} s, "
                    f"with the monitor {heard_ms:.0f} ms later; "
                    + (f"picture {returned:.2f} s after it was back" if order != "silence" else "picture when it was"),
                )
                assert rate >= SLATES_A_S
                assert viewer.alive
                wait_until(lambda: len(camera_workers(publisher)) == 1)
            seen = [sighting.code for sighting in viewer.sightings if sighting.code]
            assert len({code.frame for code in seen}) == len(seen), "no frame carries the number of another"
            assert [code.time_us for code in seen] == sorted(code.time_us for code in seen)
        publisher.end()
        assert publisher.line("summary")["camera_restarts"] == len(NOTICED)


def test_a_camera_that_comes_back_with_another_size_keeps_the_session(cameras: Cameras) -> None:
    with cameras.publishing(*OWN, "--camera", "cam=ordered") as publisher:
        with Watcher(ffmpeg(publisher.line("ready")["urls"]["rtsp"])) as viewer:
            viewer.until(lambda sighting: is_picture(sighting.luma), 20)
            fault = cameras.order("cam", "raise")
            publisher.line("event", code="camera_lost")
            cameras.order("cam", "give 480x360")
            publisher.line("event", code="camera_back")
            opened = time.monotonic()
            picture = viewer.until(lambda sighting: is_picture(sighting.luma), 20, after=opened)
            viewer.past(picture.at + 0.5)
            assert viewer.alive
            gap = viewer.gap_ms(fault, picture.at + 0.1)
            figures.record(
                "camera comes back with another size",
                f"same session; picture {(picture.at - opened) * 1000:.0f} ms after it was open, "
                f"longest time without any {gap:.0f} ms",
            )
        assert publisher.line("second", width=480)["height"] == 360


def test_a_file_that_goes_is_tried_again_as_soon_as_it_is_back(tmp_path: Path) -> None:
    clip, away = tmp_path / "clip.avi", tmp_path / "away.avi"
    make = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=white:320x240:r=30:d=3", "-c:v", "mjpeg", str(clip)]
    subprocess.run(make, check=True, timeout=60)
    with (
        publishing(*OWN, f"--camera={clip}") as publisher,
        Watcher(ffmpeg(publisher.line("ready")["urls"]["rtsp"])) as viewer,
    ):
        viewer.until(lambda sighting: is_picture(sighting.luma), 20)
        clip.rename(away)
        camera_workers(publisher)[0].kill()
        event = publisher.line("event", code="camera_lost")
        assert "SIGKILL" in event["text"]
        time.sleep(2.0)  # some attempts, with longer and longer pauses
        away.rename(clip)
        back = time.monotonic()
        picture = viewer.until(lambda sighting: is_picture(sighting.luma), 20, after=back)
        figures.record("camera unplugged and plugged in again", f"picture {picture.at - back:.2f} s after")
        assert viewer.alive


def test_of_two_cameras_the_other_misses_no_frame(cameras: Cameras) -> None:
    with cameras.publishing(*OWN, "--camera", "cam=ordered", "--camera", "other=ordered") as publisher:
        other = publisher.line("ready", camera="other")["urls"]["rtsp"]
        with Watcher(ffmpeg(other)) as viewer:
            viewer.until(lambda sighting: is_picture(sighting.luma), 20)
            time.sleep(1.0)
            at_first = set(camera_workers(publisher))
            for fault in ("hang", "raise", "kill"):
                moment = time.monotonic()
                if fault == "kill":
                    (own,) = set(camera_workers(publisher)) - at_first  # the other's was never replaced
                    own.kill()
                else:
                    cameras.order("cam", fault)
                publisher.line("event", code="camera_lost", camera="cam")
                cameras.order("cam", GIVE)
                publisher.line("event", code="camera_back", camera="cam")
                back = time.monotonic()
                missed, gap = viewer.missed(moment, back), viewer.gap_ms(moment, back)
                words = {"hang": "blocks", "raise": "raises", "kill": "is killed"}[fault]
                figures.record(
                    f"one of two cameras {words}", f"the other missed {missed} frames; its longest gap {gap:.0f} ms"
                )
                assert missed <= BUSY, "the fault itself would cost every frame"


def test_without_a_camera_at_the_start_it_ends_with_the_cure(cameras: Cameras) -> None:
    cameras.order("cam", "refuse")
    with cameras.publishing(*OWN, "--camera", "cam=ordered") as publisher:
        assert publisher.wait() == 3
        assert publisher.words.count("zlfeed:") == 1
        assert "was told to refuse" in publisher.words
        assert publisher.left_behind() == []


def test_one_that_waits_for_its_camera_shows_a_slate_until_there_is_one(cameras: Cameras) -> None:
    cameras.order("cam", "refuse")
    with cameras.publishing(*OWN, "--wait-camera", "--camera", "cam=ordered") as publisher:
        url = publisher.line("ready")["urls"]["rtsp"]
        with Watcher(ffmpeg(url)) as viewer:
            first = viewer.first()
            assert not is_picture(first.luma)
            viewer.past(first.at + 1.5)
            slates = viewer.between(first.at + 0.5, first.at + 1.5)
            assert len(slates) >= SLATES_A_S
            back = cameras.order("cam", GIVE)
            picture = viewer.until(lambda sighting: is_picture(sighting.luma), 20, after=back)
            assert viewer.alive
            figures.record(
                "no camera at the start, --wait-camera",
                f"slate at {len(slates):.0f} fps; picture {picture.at - back:.2f} s after there was one, same session",
            )
