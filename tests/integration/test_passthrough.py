"""A publisher as another's source, its frames passed on as they are; the source is killed and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import pytest

from tests.support.commands import PUBLISH, Running, publishing, receiving
from tests.support.media_server import free_port
from tests.support.status_tap import StatusTap
from zlfeed import certificates, tls
from zlfeed.model import CameraStatus, ControlResult, SetControl, Welcome
from zlfeed.tls import Pair

pytestmark = pytest.mark.timeout(120)


def source(port: int, *arguments: str) -> Running:
    """A publisher of the test picture at that port, that asks for a password."""
    asking = [word for word in PUBLISH if word != "--no-auth"]
    picture = ("--camera", "test", "--size", "320x240", "--rtsp-port", str(port))
    return Running(*asking, *picture, "--token", "far-away", *arguments)


class Passed(NamedTuple):
    """Where the first publisher listens, and the second's `ready` line."""

    port: int
    first: Running
    second: Running
    urls: dict[str, str]


@pytest.fixture(scope="module")
def passed() -> Iterator[Passed]:
    port = free_port()
    with source(port) as first:
        first.line("ready")
        url = f"rtsp://viewer:far-away@127.0.0.1:{port}/zerolatency"
        with publishing("--camera", f"yard={url}", "--passthrough") as second:
            assert "latency is unknown" in second.line("event", code="latency_unknown")["text"]
            opened = second.line("event", code="camera_opened")
            assert "H264" in opened["text"]
            assert "far-away" not in opened["text"]
            yield Passed(port, first, second, second.line("ready")["urls"])


def pictures(capture: cv2.VideoCapture, count: int) -> None:
    for _ in range(count):
        good, picture = capture.read()
        assert good
        assert picture.shape == (240, 320, 3)
        assert picture.std() > 20


def test_its_frames_reach_viewers_with_its_own_strip(passed: Passed) -> None:
    capture = cv2.VideoCapture(passed.urls["rtsp"], cv2.CAP_FFMPEG)
    try:
        pictures(capture, 10)
    finally:
        capture.release()
    with receiving(passed.urls) as receiver:
        second = receiver.line("second")
        while not second["latency_ms"]:
            second = receiver.line("second")
        # The first publisher's clock in the picture: both legs are in it.
        assert 0 < second["latency_ms"]["p50"] < 5000
    status: dict[str, Any] = passed.second.line("second")
    assert (status["state"], status["codec"], status["encoder"]) == ("live", "h264", "passthrough")
    assert status["encode_ms_avg"] is None
    assert (status["width"], status["height"]) == (320, 240), "by its parameter sets"
    assert status["fps"] > 5


def test_what_is_the_sources_is_not_set_here(passed: Passed) -> None:
    with StatusTap(passed.urls["websocket"]) as tap:
        tap.until(CameraStatus, lambda status: status.state == "live")

        def answer_to(name: str, value: str) -> ControlResult:
            tap.send(SetControl("yard", name, value, id=1))
            return tap.until(ControlResult, lambda answer: answer.name == name)[1]

        for name, value in {"privacy": "slate", "bitrate": "500", "size": "640x480", "overlay": "off"}.items():
            refused = answer_to(name, value)
            assert not refused.ok
            assert "the picture is the source's" in refused.text
        assert answer_to("restart_camera", "").ok
        _, welcome = tap.until(Welcome, lambda _: True)
        # There may be actions of what stands behind it besides.
        offered = {control.name for control in welcome.cameras[0].controls}
        assert not offered & {"privacy", "bitrate", "gop", "fps", "size", "overlay", "orientation", "snapshot"}
        assert "restart_camera" in offered


def test_a_wrong_password_is_told(passed: Passed) -> None:
    with publishing("--camera", f"rtsp://viewer:no@127.0.0.1:{passed.port}/zerolatency", "--passthrough") as publisher:
        assert publisher.wait(30) == 3
        assert "refuses the user name or the password" in publisher.words


def test_viewers_keep_their_session_while_the_source_is_away(passed: Passed) -> None:
    capture = cv2.VideoCapture(passed.urls["rtsp"], cv2.CAP_FFMPEG)
    try:
        pictures(capture, 3)
        passed.first.process.kill()
        lost = passed.second.line("event", code="camera_lost")
        assert "cannot be passed on" in lost["text"]
        assert "far-away" not in lost["text"]
        assert passed.second.line("second", state="no_signal")
        with source(passed.port) as again:
            again.line("ready")
            passed.second.line("event", code="camera_back")
            pictures(capture, 60)
            while passed.second.line("second")["state"] != "live":
                pass
    finally:
        capture.release()


def test_h265_is_passed_on_too_and_through_tls(tmp_path: Path) -> None:
    files = Pair(tmp_path / "cert.pem", tmp_path / "key.pem")
    certificates.make(files, ["localhost"])
    port = free_port()
    secure = ("--tls-cert", str(files.cert), "--tls-key", str(files.key), "--rtsps-port", str(port))
    with source(0, "--codec", "h265", *secure) as first:
        first.line("ready", 60)
        url = f"rtsps://viewer:far-away@127.0.0.1:{port}/zerolatency"
        other = {"ZLFEED_FINGERPRINT": "00" * 32}
        with publishing("--camera", url, "--passthrough", env=other) as mistaken:
            assert mistaken.wait(30) == 3
            assert "another certificate than ZLFEED_FINGERPRINT or fingerprint in zlfeed.toml names" in mistaken.words
        known = {"ZLFEED_FINGERPRINT": tls.file_fingerprint(files.cert)}
        with publishing("--camera", url, "--passthrough", env=known) as second:
            capture = cv2.VideoCapture(second.line("ready")["urls"]["rtsp"], cv2.CAP_FFMPEG)
            try:
                pictures(capture, 5)
            finally:
                capture.release()
            status = second.line("second")
            assert (status["codec"], status["width"], status["height"]) == ("h265", 320, 240)
            assert second.end() == 130
            assert second.left_behind() == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--camera", "test"), 2, "rtsp:// URL"),
        (("--camera", "rtsp://127.0.0.1:1/x"), 3, "nothing listens at 127.0.0.1:1"),
    ],
)
def test_what_cannot_be_passed_on_ends_the_command(arguments: tuple[str, ...], code: int, words: str) -> None:
    with publishing(*arguments, "--passthrough") as publisher:
        assert publisher.wait(30) == code
        assert words in publisher.words
        assert "Traceback" not in publisher.words
