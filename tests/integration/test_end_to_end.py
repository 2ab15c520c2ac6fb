"""The whole chain as users start it: what happens to the rest when a part of it dies."""

from __future__ import annotations

import signal
import socket
import time

import psutil
import pytest

from tests.support.commands import Running, publishing, receiving

KILLED_WITHIN_S = 5.0


def test_the_picture_arrives_with_its_age_and_nothing_missing() -> None:
    with publishing() as publisher:
        ready = publisher.line("ready")
        with receiving(ready["urls"], "--duration", "4") as receiver:
            second = receiver.line("second")
            assert receiver.wait(30) == 0
            summary = receiver.line("summary")
        told = publisher.line("second", latency_ms=None)
        while told["latency_ms"] is None:
            told = publisher.line("second")
        assert publisher.end() == 130
        end = publisher.line("summary")

    for line in (second, summary):
        assert line["backend"] == "FFMPEG"
        assert (line["width"], line["height"]) == (ready["width"], ready["height"])
    assert summary["unread_timecodes"] == 0
    assert summary["reconnects"] == 0
    assert 0 < summary["latency_ms"]["p50"] <= summary["latency_ms"]["max"] < 2000
    assert 0 < summary["first_picture_ms"] <= summary["live_ms"]
    assert told["viewers"][0]["transport"] == "tcp"
    assert 0 < told["latency_ms"]["p50"] < 2000, "the publisher tells the latency that its viewers report"
    assert end["frames_sent"] > 90


def test_a_publisher_that_is_killed_leaves_nothing_behind() -> None:
    """No FFmpeg and no camera may hold a device or a core for nobody."""
    with publishing() as publisher:
        publisher.line("ready")
        kinds = {word for process in publisher.processes() for word in process.cmdline() if word.endswith("ffmpeg")}
        assert kinds, "its FFmpeg is among the processes that are watched"
        assert publisher.end(signal.SIGKILL) == -signal.SIGKILL
        assert publisher.left_behind(KILLED_WITHIN_S) == []


def test_a_receiver_comes_back_when_a_killed_publisher_is_started_again_on_the_same_ports() -> None:
    rtsp, status = free_ports(2)
    ports = ("--rtsp-port", str(rtsp), "--websocket-port", str(status))
    with publishing(*ports) as first:
        urls = first.line("ready")["urls"]
        with receiving(urls) as receiver:
            receiver.line("second", state="live")
            first.end(signal.SIGKILL)
            receiver.line("event", code="lost")
            receiver.line("second", state="reconnecting")
            with publishing(*ports) as second:
                assert second.line("ready")["urls"] == urls
                receiver.line("event", code="connected")
                back = receiver.line("second", state="live", reconnects=1)
                while back["latency_ms"] is None:  # the clock is asked for anew, beside the picture
                    back = receiver.line("second", state="live")
                assert receiver.end() == 130
                assert receiver.line("summary")["reconnects"] == 1


def test_a_receiver_that_is_killed_costs_the_publisher_nothing() -> None:
    with publishing() as publisher:
        urls = publisher.line("ready")["urls"]
        with receiving(urls) as receiver:
            receiver.line("second", state="live")
            receiver.end(signal.SIGKILL)
        while publisher.line("second")["viewers"]:
            continue
        assert publisher.line("second")["fps"] > 15


@pytest.mark.needs("ffmpeg")
def test_a_killed_ffmpeg_is_replaced_and_the_receiver_stays_connected() -> None:
    with publishing() as publisher:
        urls = publisher.line("ready")["urls"]
        with receiving(urls) as receiver:
            receiver.line("second", state="live")
            running_ffmpeg(publisher).kill()
            publisher.line("event", code="encoder_restarted")
            time.sleep(2)
            assert receiver.end() == 130
            summary = receiver.line("summary")

    assert summary["reconnects"] == 0
    assert summary["frames"] > 30


def test_a_running_publisher_has_no_textual_and_a_running_monitor_no_opencv_in_memory() -> None:
    """A Pi pays for what it imports, in seconds and in megabytes."""
    with publishing(env={"PYTHONPROFILEIMPORTTIME": "1"}) as publisher:
        status = publisher.line("ready")["urls"]["websocket"]
        with Running("monitor", status, "--once", "--json", env={"PYTHONPROFILEIMPORTTIME": "1"}) as monitor:
            assert monitor.wait(30) == 0
        assert publisher.end() == 130

    assert "zlfeed.publisher.app" in imported(publisher)
    assert imported(publisher) & {"textual"} == set()
    assert "zlfeed.monitor.run" in imported(monitor)
    assert imported(monitor) & {"textual", "cv2", "numpy"} == set()


def imported(command: Running) -> set[str]:
    """The modules that it and its children imported."""
    return {line.rpartition("|")[2].strip() for line in command.words.splitlines() if line.startswith("import time:")}


def running_ffmpeg(publisher: Running) -> psutil.Process:
    """The FFmpeg that encodes: of a warm spare and a busy one, the busy one."""
    encoders = [process for process in publisher.processes() if process.name() == "ffmpeg"]
    return max(encoders, key=lambda process: sum(process.cpu_times()[:2]))


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody has."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports
