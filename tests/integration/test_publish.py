"""`zlfeed publish` as its users run it: what it says, how it ends, and what it survives."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.commands import PUBLISH, Running, publishing
from tests.support.rtsp_client import connected
from zlfeed.model import CameraStatus
from zlfeed.publisher.encode.ffmpeg import find_ffmpeg

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.skipif(sys.platform == "win32", reason="publish does not run on Windows"),
]


LIMIT_S = 30.0


def ffmpegs(running: Running) -> list[psutil.Process]:
    """The publisher's FFmpeg children: the one at work and the spare."""
    found = []
    for process in running.processes():
        try:
            if Path(process.cmdline()[0]).name.startswith("ffmpeg"):
                found.append(process)
        except (psutil.Error, IndexError):
            continue
    return found


def cameras(running: Running) -> list[psutil.Process]:
    """The publisher's camera children."""
    own = running.process.pid
    return [
        process
        for process in running.processes()
        if process.pid != own and "camera" in " ".join(process.cmdline()) and "ffmpeg" not in process.name()
    ]


def said(running: Running) -> list[str]:
    """The lines on stderr that are for the person."""
    return [line for line in running.words.splitlines() if line.startswith("zlfeed: ")]


# ------------------------------------------------------------ what it says


def test_it_says_when_it_can_be_watched_how_it_goes_and_what_it_came_to() -> None:
    with publishing() as feed:
        ready = feed.line("ready")
        assert ready["camera"] == "zerolatency"
        assert ready["urls"]["rtsp"].startswith("rtsp://127.0.0.1:")
        assert ready["urls"]["rtsp"].endswith("/zerolatency")
        assert ready["urls"]["websocket"].startswith("ws://127.0.0.1:")
        assert (ready["server"], ready["encoder"]) == ("embedded", "libx264")
        assert (ready["width"], ready["height"], ready["fps"]) == (640, 480, 30.0)
        first, second = feed.line("second"), feed.line("second")
        assert feed.end() == 130
        summary = feed.line("summary")
        assert feed.left_behind() == []
    for line in (first, second, summary):
        assert {field.name for field in dataclasses.fields(CameraStatus)} <= set(line)
        assert line["state"] == "live"
        assert line["is_connected"] is True
        assert line["latency_ms"] is None, "nobody measured it"
        assert line["viewers"] == []
        assert {stage["name"] for stage in line["stages"]} >= {"capture", "encode", "relay"}
    assert second["frames_sent"] > first["frames_sent"] > 0
    assert summary["frames_captured"] >= summary["frames_sent"]
    assert 5 < second["fps"] < 60
    assert second["bitrate_kbps"] > 50
    assert all(line.startswith('{"type": ') for line in feed.out)
    assert json.loads(feed.out[-1])["type"] == "summary"
    assert "Traceback" not in feed.words


def test_without_json_it_says_the_urls_in_words_in_whatever_encoding() -> None:
    arguments = [argument for argument in PUBLISH if argument != "--json"]
    with Running(*arguments, "--camera", "test", env={"PYTHONIOENCODING": "ascii"}) as feed:
        until(lambda: "ws://" in "".join(feed.out))
        assert feed.end() == 130
    text = "".join(feed.out)
    assert "rtsp://127.0.0.1:" in text
    assert "640?480" in text
    assert "\x1b" not in text


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_after_its_duration_it_ends_by_itself() -> None:
    with publishing("--duration", "2") as feed:
        assert feed.wait() == 0
        assert feed.left_behind() == []
    assert json.loads(feed.out[-1])["type"] == "summary"


async def test_each_camera_has_its_own_stream_and_settings(tmp_path: Path) -> None:
    file = tmp_path / "zlfeed.toml"
    file.write_text('fps = 10\n[cameras.front]\nsource = "test"\nsize = "320x240"\n[cameras.back]\nsource = "test"\n')
    with publishing("--config", str(file), "--camera", "front", "--camera", "back") as feed:
        lines = [await asyncio.to_thread(feed.line, "ready") for _ in range(2)]
        sizes = {line["camera"]: (line["width"], line["height"], line["fps"]) for line in lines}
        assert sizes == {"front": (320, 240, 10.0), "back": (640, 480, 10.0)}
        for line in lines:
            async with connected(line["urls"]["rtsp"]) as client:
                await client.play()
                await client.pictures(5)
        assert feed.end() == 130


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video of one second, 12 frames of 320×240."""
    path = tmp_path / "clip.mp4"
    source = "testsrc2=size=320x240:rate=12:duration=1"
    argv = [str(find_ffmpeg(None)), "-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", str(path)]
    subprocess.run(argv, check=True, timeout=30)
    return path


async def test_a_video_file_loops_at_its_own_rate(clip: Path) -> None:
    with publishing("--camera", str(clip)) as feed:
        ready = feed.line("ready")
        assert (ready["width"], ready["height"], ready["fps"]) == (320, 240, 12.0)
        async with connected(ready["urls"]["rtsp"]) as client:
            await client.play()
            began = time.monotonic()
            await client.pictures(30)
            assert 1.0 < time.monotonic() - began < 15
            assert client.received.gaps == 0
        assert feed.end() == 130


@pytest.fixture
def folder(clip: Path, tmp_path: Path) -> Path:
    """Three clips, the first of which is none."""
    made = tmp_path / "clips"
    made.mkdir()
    (made / "0.mp4").write_text("no film")
    for number in (1, 2):
        (made / f"{number}.mp4").write_bytes(clip.read_bytes())
    return made


async def test_files_that_are_played_once_end_the_publisher_when_all_are_over(clip: Path, folder: Path) -> None:
    with publishing("--camera", f"one={clip}", "--camera", f"two={folder}", "--play", "once") as feed:
        skipped = await asyncio.to_thread(feed.line, "event", code="clip_skipped")
        assert (skipped["camera"], skipped["level"]) == ("two", "warning")
        assert "0.mp4" in skipped["text"]
        assert (await asyncio.to_thread(feed.line, "event", code="camera_ended"))["camera"] == "one"
        # The shorter one shows that it is over, as long as the other goes on.
        assert (await asyncio.to_thread(feed.line, "event", code="camera_ended"))["camera"] == "two"
        assert feed.wait() == 0
        assert feed.left_behind() == []


async def test_what_befalls_one_camera_costs_the_other_nothing() -> None:
    """Its process is killed, then it hangs, then its encoders are killed; whichever it is, the other goes on."""
    options = ("--size", "320x240", "--fps", "15")
    with publishing("--camera", "front=test", "--camera", "back=test", *options) as feed:
        ready = [await asyncio.to_thread(feed.line, "ready") for _ in range(2)]
        urls = {line["camera"]: line["urls"]["rtsp"] for line in ready}
        async with connected(urls["front"]) as front, connected(urls["back"]) as back:
            clients = {"front": front, "back": back}
            for client in clients.values():
                await client.play()
                await client.pictures(5)
            reading = [asyncio.create_task(client.pictures(10_000)) for client in clients.values()]
            before = {name: await asyncio.to_thread(feed.line, "second", camera=name) for name in clients}
            cameras(feed)[0].kill()
            lost = await asyncio.to_thread(feed.line, "event", code="camera_lost")
            hurt = lost["camera"]
            (well,) = clients.keys() - {hurt}
            await asyncio.to_thread(feed.line, "event", code="camera_back", camera=hurt)
            # The newest of the camera processes is the one that was started for it.
            newest = max(cameras(feed), key=lambda process: process.create_time())
            newest.send_signal(signal.SIGSTOP)
            await asyncio.to_thread(feed.line, "event", code="camera_lost", camera=hurt)
            await asyncio.to_thread(feed.line, "event", code="camera_back", camera=hurt)
            status = await asyncio.to_thread(feed.line, "second", camera=well)
            assert (status["camera_restarts"], status["encoder_restarts"], status["state"]) == (0, 0, "live")
            # Of all that it captured meanwhile nothing was lost for want of an encoder, and the same session went on.
            for reason in ("no_encoder", "encoder_failed", "encoder_busy"):
                assert status["frames_dropped"].get(reason) == before[well]["frames_dropped"].get(reason)
            sent = status["frames_sent"] - before[well]["frames_sent"]
            passed_over = status["frames_dropped"].get("newer_frame", 0)
            assert sent + passed_over + 2 >= status["frames_captured"] - before[well]["frames_captured"]
            assert not any(task.done() for task in reading)
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
            hurt_status = await asyncio.to_thread(feed.line, "second", camera=hurt)
            assert hurt_status["camera_restarts"] == 2
        assert feed.end() == 130
        assert feed.left_behind() == []


async def test_without_closed_frames_there_are_no_delimiters() -> None:
    with publishing("--no-closed-frames", "--codec", "h265", "--gop", "5") as feed:
        ready = await asyncio.to_thread(feed.line, "ready")
        assert ready["encoder"] == "libx265"
        async with connected(ready["urls"]["rtsp"], codec="h265") as client:
            await client.play()
            kinds = [picture.kinds("h265") for picture in await client.pictures(12)]
        assert not any(35 in picture for picture in kinds)
        assert sum(32 in picture for picture in kinds) >= 2
        assert feed.end() == 130


# ------------------------------------------------------------ how it ends


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_ends_everything_in_order(number: int, code: int) -> None:
    with publishing() as feed:
        ready = await asyncio.to_thread(feed.line, "ready")
        async with connected(ready["urls"]["rtsp"]) as client:
            await client.play()
            await client.pictures(3)
            began = time.monotonic()
            assert await asyncio.to_thread(feed.end, number) == code
            assert time.monotonic() - began < 8
            assert await client.closed()
        assert feed.left_behind() == []
    assert json.loads(feed.out[-1])["type"] == "summary"
    assert said(feed) == []
    assert "Traceback" not in feed.words


def test_two_signals_force_it() -> None:
    with publishing() as feed:
        feed.line("ready")
        # Its encoder stands still, so that the orderly end takes its time.
        for process in ffmpegs(feed):
            process.send_signal(signal.SIGSTOP)
        feed.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        if feed.process.poll() is None:
            feed.process.send_signal(signal.SIGTERM)
        assert feed.wait() == 143
        assert feed.left_behind() == []


def test_it_ends_although_ffmpeg_hangs() -> None:
    with publishing() as feed:
        feed.line("ready")
        for process in ffmpegs(feed):
            process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        assert feed.end(signal.SIGTERM) == 143
        assert time.monotonic() - began < 8
        assert feed.left_behind() == []
    assert said(feed) == []


def test_it_ends_while_it_waits_for_its_camera() -> None:
    with publishing("--camera", "/dev/video97", "--wait-camera") as feed:
        assert "video97" in feed.line("event", code="camera_lost")["text"]
        assert feed.end(signal.SIGINT) == 130
        assert feed.left_behind() == []
    assert said(feed) == []


def test_it_ends_while_ffmpeg_is_asked_what_it_can(fake: Callable[[str], Path]) -> None:
    with publishing("--ffmpeg-path", str(fake("exec sleep 60"))) as feed:
        until(lambda: any(process.name() == "sleep" for process in feed.processes()))
        began = time.monotonic()
        assert feed.end(signal.SIGTERM) == 143
        assert time.monotonic() - began < 8
        assert feed.left_behind() == []


def test_without_a_terminal_a_hangup_does_not_end_it() -> None:
    with publishing() as feed:
        feed.line("ready")
        feed.process.send_signal(signal.SIGHUP)
        feed.line("second")
        assert feed.end() == 130


def test_killed_it_leaves_nothing_running() -> None:
    with publishing() as feed:
        feed.line("ready")
        assert len(feed.processes()) > 1
        feed.process.kill()
        assert feed.left_behind() == []


@pytest.mark.parametrize("stdout", ["closed", "full"])
def test_when_its_lines_cannot_be_written_the_feed_goes_on(stdout: str, tmp_path: Path) -> None:
    if stdout == "full" and not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    command = [sys.executable, "-P", "-m", "zlfeed", *PUBLISH, "--camera", "test"]
    read, write = os.pipe()
    words = tmp_path / "words"
    with open("/dev/full", "w") as full, open(words, "wb") as errors:
        process = subprocess.Popen(
            command, stdout=full if stdout == "full" else write, stderr=errors, stdin=subprocess.DEVNULL
        )
    os.close(write)
    os.close(read)
    try:
        until(lambda: "stdout_gone" in words.read_text())
        time.sleep(1.5)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 130
    finally:
        process.kill()
        process.wait(LIMIT_S)
    assert "Traceback" not in words.read_text()
    assert words.read_text().count("stdout_gone") == 1


# ------------------------------------------------------------ what it cannot start with


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a program of a shell script."""

    def make(script: str) -> Path:
        path = tmp_path / "fake-ffmpeg"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return make


def refused(*arguments: str, code: int, options: dict[str, Any] | None = None) -> str:
    """What a publisher that cannot start says: one line, the exit code, and nothing left running."""
    with publishing(*arguments, **(options or {})) as feed:
        assert feed.wait(30) == code, feed.words
        assert feed.left_behind() == []
    assert not any('"ready"' in line for line in feed.out)
    assert "Traceback" not in feed.words
    lines = said(feed)
    assert len(lines) == 1, feed.words
    return lines[0]


@pytest.mark.parametrize("option", ["--rtsp-port", "--websocket-port"])
def test_a_port_that_is_taken_is_named_with_its_option_and_its_holder(option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        line = refused(option, str(port), code=3)
    assert str(port) in line
    assert option in line
    assert str(os.getpid()) in line


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--camera", "nowhere.mp4"], 3, ["nowhere.mp4"]),
        (["--camera", "text.mp4"], 3, ["text.mp4"]),
        (["--camera", "/dev/video97"], 3, ["/dev/video97"]),
        (["--camera", "rtsp://127.0.0.1:1/x"], 3, ["rtsp://127.0.0.1:1/x"]),
        (["--camera", "rtsp:/127.0.0.1/x"], 3, ["rtsp:/127.0.0.1/x"]),
        (["--ffmpeg-path", "/nowhere/ffmpeg"], 3, ["--ffmpeg-path", "/nowhere/ffmpeg"]),
        (["--encoder", "nosuch"], 3, ["nosuch", "--encoder"]),
        (["--encoder", "libx265"], 3, ["libx265", "--codec h265"]),
        (["--encoder", "mpeg4"], 3, ["mpeg4", "--encoder"]),
        (["--host", "192.0.2.1"], 3, ["192.0.2.1", "--host"]),
        (["--size", "641x480"], 2, ["--size", "642x480"]),
        (["--fps", "0"], 2, ["--fps"]),
        (["--bitrate", "abc"], 2, ["--bitrate", "'abc'"]),
    ],
)
def test_what_it_cannot_do_is_one_line_and_an_exit_code(
    arguments: list[str], code: int, words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "text.mp4").write_text("this is no video\n" * 100)
    line = refused(*arguments, code=code, options={"cwd": tmp_path})
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo hello", ["is not FFmpeg", "--ffmpeg-path"]),
        # It says that it is FFmpeg, and then ends at once.
        ('case "$*" in *-version*) echo "ffmpeg version 9";; *) echo "out of luck" >&2; exit 4;; esac',
         ["libx264", "out of luck"]),
    ],
)  # fmt: skip
def test_a_program_that_is_no_ffmpeg_is_said(fake: Callable[[str], Path], script: str, words: list[str]) -> None:
    line = refused("--ffmpeg-path", str(fake(script)), code=3)
    assert all(word in line for word in words), line


# ------------------------------------------------------------ what it survives


async def test_ffmpeg_killed_is_replaced_and_a_reader_s_session_goes_on() -> None:
    with publishing() as feed:
        ready = await asyncio.to_thread(feed.line, "ready")
        async with connected(ready["urls"]["rtsp"]) as client:
            await client.play()
            await client.pictures(10)
            for process in ffmpegs(feed):
                process.kill()
            event = await asyncio.to_thread(feed.line, "event", code="encoder_restarted")
            assert "SIGKILL" in event["text"]
            assert event["level"] == "warning"
            await client.pictures(20)
            assert client.received.gaps == 0
        second = await asyncio.to_thread(feed.line, "second")
        assert second["encoder_restarts"] >= 1
        assert feed.end() == 130
        assert feed.left_behind() == []


async def test_ffmpeg_that_stands_still_is_replaced() -> None:
    with publishing() as feed:
        ready = await asyncio.to_thread(feed.line, "ready")
        async with connected(ready["urls"]["rtsp"]) as client:
            await client.play()
            await client.pictures(10)
            for process in ffmpegs(feed):
                process.send_signal(signal.SIGSTOP)
            await asyncio.to_thread(feed.line, "event", code="encoder_restarted")
            # What was on its way when it stood still is followed by pictures of another encoder.
            await client.pictures(40)
            assert client.received.gaps == 0
        assert feed.end() == 130
        assert feed.left_behind() == []


async def test_a_camera_that_is_lost_comes_back_and_a_reader_s_session_goes_on() -> None:
    with publishing() as feed:
        ready = await asyncio.to_thread(feed.line, "ready")
        async with connected(ready["urls"]["rtsp"]) as client:
            await client.play()
            await client.pictures(10)
            (camera,) = cameras(feed)
            camera.kill()
            lost = await asyncio.to_thread(feed.line, "event", code="camera_lost")
            assert lost["level"] == "error"
            await asyncio.to_thread(feed.line, "event", code="camera_back")
            await client.pictures(20)
            assert client.received.gaps == 0
        assert (await asyncio.to_thread(feed.line, "second", camera_restarts=1))["state"] == "live"
        assert feed.end() == 130


async def test_rubbish_on_both_ports_costs_no_frame() -> None:
    with publishing() as feed:
        ready = await asyncio.to_thread(feed.line, "ready")
        addresses = [url.split("/")[2].rpartition(":") for url in ready["urls"].values()]
        async with connected(ready["urls"]["rtsp"]) as client:
            await client.play()
            for data in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(5000), b"\x16\x03\x01" + bytes(200), b"\r\n" * 5000):
                for host, _, port in addresses:
                    _, writer = await asyncio.open_connection(host, int(port))
                    writer.write(data)
                    await asyncio.sleep(0.02)
                    writer.transport.abort()
                await client.pictures(5)
            assert client.received.gaps == 0
        assert feed.end() == 130
    assert not any('"part_restarted"' in line for line in feed.out)
    assert "Traceback" not in feed.words
