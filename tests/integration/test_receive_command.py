"""`zlfeed receive` as its users run it, against a real publisher: figures, endings, recordings, and what goes wrong."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.commands import Running, publishing, receiving
from zlfeed import opencv, timecode

FIELDS = {
    "frames",
    "fps",
    "latency_ms",
    "clock_offset_ms",
    "clock_error_ms",
    "first_picture_ms",
    "live_ms",
    "missed",
    "unread_timecodes",
    "longest_freeze_ms",
    "reconnects",
    "width",
    "height",
    "backend",
}
"""Those of the contract (design 4.1)."""


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    with publishing() as publisher:
        yield publisher.line("ready")["urls"]


@pytest.fixture
def nobody() -> int:
    """A port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_seconds_and_summary_have_the_fields_of_the_contract(urls: dict[str, str]) -> None:
    with receiving(urls, "--duration", "3") as receiver:
        assert receiver.wait(30) == 0
        assert receiver.left_behind() == []
        connected = receiver.line("event", code="connected")
        lines = [json.loads(line) for line in receiver.out]
    assert all(next(iter(line)) == "type" for line in lines)
    seconds = [line for line in lines if line["type"] == "second"]
    summary = lines[-1]
    assert summary["type"] == "summary"
    assert len(seconds) >= 2
    for line in (*seconds, summary):
        assert line.keys() >= FIELDS
    assert (summary["width"], summary["height"], summary["backend"]) == (640, 480, "FFMPEG")
    assert (summary["reconnects"], summary["unread_timecodes"]) == (0, 0)
    assert summary["latency_ms"].keys() >= {"p50", "p95", "p99", "max"}
    assert 0 < summary["latency_ms"]["p50"] <= summary["latency_ms"]["max"]
    assert 0 < summary["first_picture_ms"] <= summary["live_ms"]
    assert summary["frames"] >= sum(second["frames"] for second in seconds)
    assert urlsplit(connected["text"].split()[1]).scheme == "rtsp"


def test_without_the_status_server_the_latency_is_unknown_and_the_video_goes_on(
    urls: dict[str, str], nobody: int
) -> None:
    for status in ("none", f"ws://127.0.0.1:{nobody}/"):
        with receiving({**urls, "websocket": status}, "--duration", "2") as receiver:
            assert receiver.wait(30) == 0
            summary = receiver.line("summary")
        assert summary["frames"] > 20
        assert summary["fps"] is not None
        assert [summary[name] for name in ("latency_ms", "clock_offset_ms", "clock_error_ms", "live_ms")] == [None] * 4


def test_people_get_a_line_a_second_and_a_summary(urls: dict[str, str]) -> None:
    with Running(
        "receive", urls["rtsp"], "--status-url", urls["websocket"], "--headless", "--duration", "2"
    ) as receiver:
        assert receiver.wait(30) == 0
        lines = receiver.out
    assert any(line.startswith("live") and " fps" in line and "latency" in line for line in lines)
    assert any("pictures" in line and "missed" in line for line in lines)
    assert not any(line.startswith("{") for line in lines)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_in_order(urls: dict[str, str], number: int, code: int) -> None:
    with receiving(urls) as receiver:
        receiver.line("second")
        began = time.monotonic()
        assert receiver.end(number) == code
        assert time.monotonic() - began < 3
        assert receiver.line("summary")["frames"] > 0
        assert receiver.left_behind() == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_signal_ends_it_within_three_seconds_even_while_opencv_waits() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"rtsp://127.0.0.1:{mute.getsockname()[1]}/zerolatency"
        with Running(
            "receive", url, "--status-url", "none", "--headless", "--json", env={"CONNECTION_TIMEOUT": "60"}
        ) as receiver:
            receiver.line("second")
            began = time.monotonic()
            assert receiver.end(signal.SIGINT) == 130
            assert time.monotonic() - began < 3
            assert receiver.line("summary")["frames"] == 0


def test_a_reader_of_the_figures_who_has_had_enough_ends_it(urls: dict[str, str], tmp_path: Path) -> None:
    words = tmp_path / "stderr"
    command = [sys.executable, "-m", "zlfeed", "receive", urls["rtsp"], "--status-url", "none", "--headless", "--json"]
    with (
        words.open("wb") as stderr,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr) as receiver,
    ):
        try:
            assert receiver.stdout
            assert receiver.stdout.readline().startswith(b'{"type"')
            receiver.stdout.close()
            assert receiver.wait(20) == 0
        finally:
            receiver.kill()
    assert "Traceback" not in words.read_text()
    assert "BrokenPipe" not in words.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_lost_stream_is_reopened_for_ever_and_said() -> None:
    arguments = ("--rtsp-port", "{rtsp}", "--websocket-port", "{websocket}")
    with publishing() as publisher:
        urls = publisher.line("ready")["urls"]
        ports = {name: str(urlsplit(url).port) for name, url in urls.items()}
        with receiving(urls) as receiver:
            receiver.line("event", code="connected")
            receiver.line("second")
            publisher.end()
            lost = receiver.line("event", code="lost")
            assert "ended the stream" in lost["text"] or "sent nothing" in lost["text"]
            waiting = receiver.line("event", code="reconnecting")
            assert "nothing listens at" in waiting["text"]
            receiver.line("second", state="reconnecting", frames=0)
            with publishing(*(argument.format(**ports) for argument in arguments)) as again:
                again.line("ready")
                receiver.line("event", code="connected")
                receiver.line("second", state="live")
                receiver.end()
            summary = receiver.line("summary")
    assert summary["reconnects"] == 1
    assert summary["missed"] < 60, "what a busy machine drops is counted, the publisher's new frame numbers are not"
    assert summary["longest_freeze_ms"] > 200


@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
@pytest.mark.parametrize("ending", ["duration", "signal"])
def test_a_recording_holds_the_pictures_as_they_came(
    urls: dict[str, str], tmp_path: Path, suffix: str, ending: str
) -> None:
    path = tmp_path / f"recording{suffix}"
    lasting = ("--duration", "2") if ending == "duration" else ()
    with receiving(urls, "--save", str(path), *lasting) as receiver:
        if ending == "signal":
            receiver.line("second")
            receiver.line("second")
            assert receiver.end(signal.SIGINT) == 130
        else:
            assert receiver.wait(30) == 0
        summary = receiver.line("summary")
    assert summary["saved"] == str(path)
    assert (summary["save_dropped"], summary["save_error"]) == (0, None)
    capture = opencv.load_cv2().VideoCapture(str(path))
    codes = []
    while True:
        ok, image = capture.read()
        if not ok:
            break
        assert image.shape == (480, 640, 3)
        codes.append(timecode.read(image))
    assert capture.get(opencv.load_cv2().CAP_PROP_FPS) == pytest.approx(30, abs=1)
    capture.release()
    assert len(codes) >= summary["saved_pictures"] > 30
    assert None not in codes
    numbers = [code.frame for code in codes if code]
    assert numbers == sorted(numbers)


def test_the_connection_test_says_what_answers(urls: dict[str, str]) -> None:
    with Running("receive", urls["rtsp"], "--status-url", urls["websocket"], "--test-connection") as receiver:
        assert receiver.wait(30) == 0
        lines = [line for line in receiver.out if line.startswith("ok")]
    assert [line.split()[1] for line in lines] == ["stream", "first", "status", "clock"]
    with Running("receive", urls["rtsp"], "--status-url", urls["websocket"], "--test-connection", "--json") as receiver:
        assert receiver.wait(30) == 0
        found = receiver.line("test_connection")
    assert found["ok"] is True
    assert found["first_picture"]["width"] == 640
    assert abs(found["clock"]["clock_offset_ms"]) < 1000


def test_the_connection_test_says_what_does_not(urls: dict[str, str], nobody: int) -> None:
    with Running(
        "receive", f"rtsp://127.0.0.1:{nobody}/x", "--status-url", urls["websocket"], "--test-connection", "--json"
    ) as receiver:
        assert receiver.wait(30) == 3
        found = receiver.line("test_connection")
    assert (found["ok"], found["stream"]["ok"], found["status_server"]["ok"]) == (False, False, True)
    assert "nothing listens at" in found["stream"]["text"]
    wrong = urls["rtsp"].replace("zerolatency", "other")
    with Running("receive", wrong, "--status-url", f"ws://127.0.0.1:{nobody}/", "--test-connection") as receiver:
        assert receiver.wait(30) == 3
        failures = [line for line in receiver.out if line.startswith("FAIL")]
    assert "has no stream 'other'" in failures[0]
    assert "nothing listens at" in failures[1]


def test_no_picture_within_the_duration_is_a_failure_to_start(nobody: int) -> None:
    with Running(
        "receive", f"rtsp://127.0.0.1:{nobody}/x", "--status-url", "none", "--headless", "--duration", "1"
    ) as receiver:
        assert receiver.wait(30) == 3
        last = receiver.words.strip().splitlines()[-1]
    assert f"no picture from rtsp://127.0.0.1:{nobody}/x within 1 s: nothing listens at" in last


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("rstp://h:8554/x",), 2, "did you mean rtsp://h:8554/x?"),
        (("rtsp://me:secret@h:99999/x",), 2, "no valid port"),
        (("h", "--backend", "v4l2"), 2, "opens devices"),
        (("h", "--backend", "gstreamer"), 2, "not in this build of OpenCV"),
        (("h", "--save", "a.mkv"), 2, ".avi or .mp4"),
        (("h", "--save", "nowhere/a.mp4"), 2, "no folder"),
        (("h", "--status-url", "http://h/"), 2, "no address of a publisher"),
        (("h", "--display"), 3, "no display"),
    ],
)
def test_bad_input_gets_one_line_and_no_traceback(arguments: tuple[str, ...], code: int, words: str) -> None:
    with Running("receive", *arguments, env={"DISPLAY": "", "WAYLAND_DISPLAY": ""}) as receiver:
        assert receiver.wait(30) == code
        assert receiver.out == []
        lines = receiver.words.strip().splitlines()
    assert len(lines) == 1
    assert words in lines[0]
    assert "secret" not in lines[0]


def test_a_token_opens_the_stream_and_stays_secret(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("token-12345678\n")
    auth = ("publish", "--json", "--rtsp-port", "0", "--websocket-port", "0", "--host", "127.0.0.1", "--camera", "test")
    with Running(*auth, "--token-file", str(token)) as publisher:
        urls = publisher.line("ready")["urls"]
        with receiving(urls, "--token-file", str(token), "--duration", "2") as receiver:
            command = subprocess.run(
                ["ps", "-o", "args=", "-p", str(receiver.process.pid)], capture_output=True, text=True, check=True
            ).stdout
            assert receiver.wait(30) == 0
            summary = receiver.line("summary")
            said = "".join(receiver.out) + receiver.words + command
        assert summary["frames"] > 20
        assert summary["latency_ms"] is not None
        assert "token-12345678" not in said
        with Running(
            "receive", urls["rtsp"], "--status-url", urls["websocket"], "--test-connection", "--token", "wrong-token"
        ) as refused:
            assert refused.wait(30) == 3
            failures = [line for line in refused.out if line.startswith("FAIL")]
    assert len(failures) == 2
    assert all("refuses the token" in line for line in failures)
