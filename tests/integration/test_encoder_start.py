"""Encoders that fail at the start, and later: one camera's must not end the others', and another takes its place."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.faults.kit import encoders, wait_until
from tests.support.commands import Running, publishing
from tests.support.standin_ffmpeg import tapped

pytestmark = [pytest.mark.needs("ffmpeg"), pytest.mark.timeout(120)]


@pytest.fixture
def standin(tmp_path: Path) -> tuple[Path, Path]:
    """FFmpeg that lacks what its orders' file says, and that file."""
    return tapped(tmp_path, shutil.which("ffmpeg") or "")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose pictures have a size of their own."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    words = "ffmpeg -v error -f lavfi -i testsrc=size=352x288:rate=15 -t 2 -pix_fmt yuv420p -c:v libx264"
    subprocess.run([*words.split(), str(path)], check=True, timeout=60)
    return path


def said(publisher: Running, kind: str) -> list[dict[str, Any]]:
    """All its lines of that type so far."""
    return [line for line in map(json.loads, publisher.out) if line["type"] == kind]


def test_one_camera_without_an_encoder_is_tried_again_while_another_is_seen(
    standin: tuple[Path, Path], clip: Path
) -> None:
    program, orders = standin
    orders.write_text("without 352x288")
    arguments = ("--camera", "front=test", "--camera", f"back={clip}", "--ffmpeg-path", str(program))
    with publishing(*arguments) as publisher:
        for _ in range(3):
            event = publisher.line("event", code="encoder_restarted")
            assert event["camera"] == "back"
            assert "without 352x288" in event["text"]
        assert publisher.process.poll() is None
        orders.write_text("")
        # That of the first may have come among the events.
        wait_until(lambda: {line["camera"] for line in said(publisher, "ready")} == {"front", "back"}, 30)
        assert publisher.end() == 130
        assert publisher.left_behind() == []


def test_when_no_camera_has_an_encoder_the_start_fails(standin: tuple[Path, Path], clip: Path) -> None:
    program, orders = standin
    orders.write_text("without 352x288\nwithout 640x480")
    arguments = ("--camera", "front=test", "--camera", f"back={clip}", "--ffmpeg-path", str(program))
    with publishing(*arguments) as publisher:
        assert publisher.wait(40) == 3
        assert "this FFmpeg is without" in publisher.words
        assert "Traceback" not in publisher.words


def test_another_encoder_takes_the_place_of_one_that_fails_at_the_start_and_at_work(
    standin: tuple[Path, Path],
) -> None:
    program, orders = standin
    orders.write_text("without libsvtav1")
    with publishing("--size", "320x240", "--codec", "av1", "--ffmpeg-path", str(program)) as publisher:
        text = publisher.line("event", code="encoder_fallback")["text"]
        assert "libsvtav1 does not work here (this FFmpeg is without libsvtav1): libaom-av1 is used" in text
        assert encoder_of(publisher) == "libaom-av1"
        orders.write_text("without libaom-av1")
        wait_until(lambda: len(encoders(publisher)) == 2)
        for encoder in encoders(publisher):
            encoder.kill()
        text = publisher.line("event", code="encoder_fallback")["text"]
        assert "libaom-av1 failed at work" in text
        wait_until(
            lambda: encoders(publisher) and all("libsvtav1" in words(encoder) for encoder in encoders(publisher))
        )
        frames = publisher.line("second")["frames_sent"]
        until = time.monotonic() + 20
        while publisher.line("second")["frames_sent"] < frames + 10:
            assert time.monotonic() < until


def encoder_of(publisher: Running) -> str:
    """What the status says encodes."""
    publisher.line("ready")
    name: str = publisher.line("second")["encoder"]
    return name


def words(process: psutil.Process) -> list[str]:
    """Its command line; of one that has gone meanwhile, nothing."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
