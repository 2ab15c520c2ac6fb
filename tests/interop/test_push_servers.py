"""Pushed to servers that others wrote, and seen behind them by programs that know nothing of zlfeed."""

from __future__ import annotations

import contextlib
import signal
import statistics
from collections.abc import Iterator

import psutil
import pytest

from tests.support.commands import Running
from tests.support.media_server import MediaMtxServer, free_port, gst_record_server, wait_for_port
from tests.support.watching import Watcher, opencv

USER = ("cam", "s3cret%40word")
"""As it stands in a URL; an @ in a password is written with %."""
PASSWORD = "s3cret@word"
SECONDS = 2.0


@contextlib.contextmanager
def pushing(url: str, *arguments: str) -> Iterator[Running]:
    """A publisher that pushes; the URL comes from the environment."""
    cameras = () if "--camera" in arguments else ("--camera", "test")
    ports = ("--rtsp-port", "0", "--websocket-port", "0")
    with Running("publish", "--json", "--no-auth", *ports, *cameras, *arguments, env={"ZLFEED_SERVER": url}) as zlfeed:
        yield zlfeed


def latency_ms(watcher: Watcher, seconds: float = SECONDS) -> float:
    """The median age of the pictures in hand, from a second after the first."""
    start = watcher.first().at + 1.0
    watcher.until(lambda sighting: sighting.at > start + seconds, 30)
    ages = watcher.latencies_ms(start, start + seconds)
    assert len(ages) >= 5
    return statistics.median(ages)


def assert_secret_nowhere(publisher: Running) -> None:
    """Neither in what it said nor in any process's arguments."""
    processes = publisher.processes()
    assert len(processes) > 1
    told = "".join(publisher.out) + publisher.words
    for process in processes:
        with contextlib.suppress(psutil.Error):
            told += " ".join(process.cmdline())
    assert "s3cret" not in told


@pytest.mark.needs("mediamtx", "ffmpeg")
@pytest.mark.parametrize("methods", [("digest",), ("basic",), ("basic", "digest")])
def test_mediamtx_takes_the_stream_and_opencv_sees_it_behind(methods: tuple[str, ...]) -> None:
    with (
        MediaMtxServer(user=(USER[0], PASSWORD), methods=methods) as server,
        pushing(server.url("live?key=1", USER), "--fps", "5") as publisher,
    ):
        ready = publisher.line("ready")
        publisher.line("second", server="embedded+push")
        assert ready["urls"]["push"] == server.url("live?key=1")
        with Watcher(opencv(server.url("live"))) as behind, Watcher(opencv(ready["urls"]["rtsp"])) as direct:
            own, far = latency_ms(direct), latency_ms(behind)
        print(f"p50 direct {own:.1f} ms, behind MediaMTX {far:.1f} ms")
        # An open frame would wait for the next one, 200 ms.
        assert far - own < 100
        assert_secret_nowhere(publisher)
        assert ("Basic" in publisher.words) == (methods == ("basic",))
        assert publisher.end() == 130


@pytest.mark.needs("mediamtx", "ffmpeg")
def test_a_restart_of_the_server_is_a_short_gap() -> None:
    with MediaMtxServer() as server, pushing(server.url("live")) as publisher:
        publisher.line("event", code="push_connected")
        server.kill()
        publisher.line("event", code="push_lost")
        assert publisher.line("second", 10, server="embedded (push lost)")["state"] == "live"
        server.start()
        again = publisher.line("event", 15, code="push_connected")
        assert "again, after" in again["text"]
        with Watcher(opencv(server.url("live"))) as behind:
            assert latency_ms(behind, 1.0) < 500


@pytest.mark.needs("mediamtx", "ffmpeg")
def test_a_server_that_hangs_is_left_and_found_again() -> None:
    with MediaMtxServer() as server, pushing(server.url("live")) as publisher:
        publisher.line("event", code="push_connected")
        server.signal(signal.SIGSTOP)
        text = publisher.line("event", 40, code="push_lost")["text"]
        assert "does not answer" in text or "took nothing" in text
        server.signal(signal.SIGCONT)
        publisher.line("event", 20, code="push_connected")


@pytest.mark.needs("mediamtx", "ffmpeg")
def test_a_server_that_starts_later_is_waited_for() -> None:
    with MediaMtxServer() as server:
        server.kill()
        with pushing(server.url("live")) as publisher:
            lost = publisher.line("event", code="push_lost")
            assert "nothing listens" in lost["text"]
            assert publisher.line("ready")["server"] == "embedded (no push yet)"
            server.start()
            publisher.line("event", 15, code="push_connected")


@pytest.mark.needs("mediamtx", "ffmpeg")
@pytest.mark.parametrize("user", [None, ("cam", "wr0ng"), ("nobody", "wr0ng")])
def test_a_wrong_password_is_one_clear_line(user: tuple[str, str] | None) -> None:
    with MediaMtxServer(user=("cam", PASSWORD)) as server, pushing(server.url("live", user)) as publisher:
        assert publisher.wait(30) == 3
        (said,) = [line for line in publisher.words.splitlines() if line.startswith("zlfeed: ")]
        assert server.url("live") in said
        assert "as USER:PASSWORD@, into ZLFEED_SERVER" in said
        assert "wr0ng" not in publisher.words
        assert "Traceback" not in publisher.words
        assert publisher.left_behind() == []


@pytest.mark.needs("mediamtx", "ffmpeg")
def test_several_cameras_go_below_the_path() -> None:
    cameras = ("--camera", "front=test", "--camera", "back=test")
    with MediaMtxServer() as server, pushing(server.url("house"), *cameras) as publisher:
        for name in ("front", "back"):
            publisher.line("second", 30, camera=name, server="embedded+push")
            with Watcher(opencv(server.url(f"house/{name}"))) as behind:
                behind.first()


@pytest.mark.needs("mediamtx", "ffmpeg")
def test_h265_is_pushed_too() -> None:
    with MediaMtxServer() as server, pushing(server.url("live"), "--codec", "h265") as publisher:
        publisher.line("event", code="push_connected")
        with Watcher(opencv(server.url("live"))) as behind:
            print(f"p50 behind MediaMTX, H.265: {latency_ms(behind):.1f} ms")


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize("login", [(), (USER[0], PASSWORD)])
def test_gstreamers_server_takes_the_stream(login: tuple[str, ...]) -> None:
    port = free_port()
    with Watcher(gst_record_server(port, *login)) as behind:
        wait_for_port(port)
        user = f"{USER[0]}:{USER[1]}@" if login else ""
        with pushing(f"rtsp://{user}127.0.0.1:{port}/live") as publisher:
            publisher.line("ready")
            publisher.line("second", server="embedded+push")
            print(f"p50 in GStreamer's server: {latency_ms(behind):.1f} ms")
            assert_secret_nowhere(publisher)
            assert publisher.end() == 130


def test_gstreamers_server_refuses_a_wrong_password() -> None:
    port = free_port()
    with Watcher(gst_record_server(port, "cam", PASSWORD)):
        wait_for_port(port)
        with pushing(f"rtsp://cam:wr0ng@127.0.0.1:{port}/live") as publisher:
            assert publisher.wait(30) == 3
            assert "password" in publisher.words
            assert "wr0ng" not in publisher.words
