"""Disks that are full, descriptors that run out, clients by the hundred: new ones are refused, the feed goes on."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.faults.kit import BUSY, camera_workers, encoders, wait_until
from tests.support import figures
from tests.support.commands import Running, publishing, receiving
from tests.support.status_tap import StatusTap
from tests.support.watching import Watcher, ffmpeg
from zlfeed.model import CameraStatus

pytestmark = [pytest.mark.needs("ffmpeg"), pytest.mark.timeout(180)]
SMALL = ("--server", "embedded", "--size", "320x240")
IDLE = 500


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own; only root can make one."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {made.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def address(url: str) -> tuple[str, int]:
    """Where a URL leads on this machine."""
    port = urlsplit(url).port
    assert port
    return "127.0.0.1", port


def test_a_disk_that_is_full_while_saving_ends_the_file_and_not_the_picture(tmp_path: Path) -> None:
    with small_disk(tmp_path, 128) as disk, publishing(*SMALL) as publisher:
        urls = publisher.line("ready")["urls"]
        with receiving(urls, "--save", str(disk / "film.avi")) as receiver:
            wait_until(lambda: (disk / "film.avi").exists() and (disk / "film.avi").stat().st_size > 0)
            with contextlib.suppress(OSError), (disk / "filler").open("wb") as filler:
                while True:
                    filler.write(b"\0" * (1 << 20))
            event = receiver.line("event", level="error")
            assert "disk is nearly full" in event["text"]
            second = receiver.line("second")
            second = receiver.line("second")
            assert second["state"] == "live"
            assert second["missed"] <= 3
            assert receiver.end() == 130
            figures.record(
                "disk full while saving", f"the file is closed, and that is said; {second['fps']:.0f} fps go on"
            )


def test_output_that_cannot_be_written_ends_neither_the_feed_nor_a_receiver() -> None:
    """stdout and the log on a disk that is full."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    wrapper = ("sh", "-c", 'exec "$@" >/dev/full 2>/dev/full', "sh")
    url = f"rtsp://127.0.0.1:{port}/zerolatency"
    probe = ["ffprobe", "-v", "quiet", url]
    with publishing(*SMALL, "--rtsp-port", port, wrapper=wrapper) as publisher:
        wait_until(lambda: subprocess.run(probe, check=False, timeout=20).returncode == 0)
        with Watcher(ffmpeg(url)) as viewer:
            first = viewer.first()
            viewer.past(first.at + 2.0)
            assert publisher.process.poll() is None
        wrapper = ("sh", "-c", 'exec "$@" >/dev/full', "sh")
        command = Running("receive", url, "--headless", "--json", "--duration", "2", wrapper=wrapper)
        with command as receiver:
            assert receiver.wait() == 0
            assert "Traceback" not in receiver.words
            assert "stdout_gone" in receiver.words
    figures.record("stdout and the log on a full disk", "publish and receive go on")


def test_hundreds_of_idle_connections_are_bounded_and_cost_no_frame() -> None:
    with publishing(*SMALL) as publisher:
        urls = publisher.line("ready")["urls"]
        process = psutil.Process(publisher.process.pid)
        with Watcher(ffmpeg(urls["rtsp"])) as viewer, contextlib.ExitStack() as stack:
            viewer.first()
            descriptors = process.num_fds()
            begun = time.monotonic()
            for _ in range(IDLE):
                for url in (urls["rtsp"], urls["websocket"]):
                    with contextlib.suppress(OSError):
                        stack.enter_context(socket.create_connection(address(url), timeout=5))
            opened = time.monotonic()
            viewer.past(opened + 2.0)
            held = process.num_fds() - descriptors
            missed, gap = viewer.missed(begun, opened + 2.0), viewer.gap_ms(begun, opened + 2.0)
            figures.record(
                f"{IDLE} idle connections on either port",
                f"{held} held, the rest refused; a viewer missed {missed} frames, longest gap {gap:.0f} ms",
            )
            assert missed <= BUSY
        assert held <= 256 + IDLE


def test_without_file_descriptors_the_feed_goes_on_and_recovers() -> None:
    with publishing(*SMALL) as publisher:
        urls = publisher.line("ready")["urls"]
        process = psutil.Process(publisher.process.pid)
        with Watcher(ffmpeg(urls["rtsp"])) as viewer, StatusTap(urls["websocket"]) as monitor:
            viewer.first()
            monitor.until(CameraStatus, lambda status: status.viewers)
            wait_until(lambda: len(encoders(publisher)) == 2)
            before = process.rlimit(resource.RLIMIT_NOFILE)
            moment = time.monotonic()
            process.rlimit(resource.RLIMIT_NOFILE, (process.num_fds() + 1, before[1]))
            with contextlib.ExitStack() as stack:
                for _ in range(20):
                    with contextlib.suppress(OSError):
                        stack.enter_context(socket.create_connection(address(urls["rtsp"]), timeout=2))
                viewer.past(moment + 2.0)
                missed = viewer.missed(moment, moment + 2.0)
                # Now whatever has to be started again cannot be.
                encoders(publisher)[0].kill()
                camera_workers(publisher)[0].kill()
                viewer.past(time.monotonic() + 0.5)
                time.sleep(2.0)
                assert publisher.process.poll() is None
            process.rlimit(resource.RLIMIT_NOFILE, before)
            freed = time.monotonic()
            publisher.line("event", code="camera_back")
            viewer.past(time.monotonic() + 0.5)
            monitor.until(CameraStatus, lambda status: status.state == "live", after=freed)
            back = next(s for s in viewer.sightings if s.at > freed and s.code)
            assert viewer.alive
            figures.record(
                "no file descriptors left, camera and FFmpeg killed meanwhile",
                f"a viewer missed {missed} frames before the kills; {back.at - freed:.1f} s after some were free again "
                "the camera was back, in the same session",
            )
