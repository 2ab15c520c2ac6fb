"""The real MediaMTX beside the relay and before it: what its API tells, who may watch, and how frames leave it."""

from __future__ import annotations

import base64
import contextlib
import socket
import statistics
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from tests.faults.kit import encoders
from tests.support.commands import Running, publishing
from tests.support.depacketize import Depacketizer, Picture, parse_rtp
from tests.support.rtsp_client import connected
from tests.support.status_tap import StatusTap
from tests.support.watching import Watcher, ffmpeg, opencv
from zlfeed.model import CameraStatus

pytestmark = [pytest.mark.needs("mediamtx", "ffmpeg", "ffprobe")]
WEB = ("--webrtc-port", "0", "--hls-port", "0")
TOKEN = "a-token-for-this-test"
NOISE_MS = 25.0
"""What the load of the machine may add; MediaMTX itself adds 1.5 ms."""


class Publisher:
    """A publisher with MediaMTX, and its addresses."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.ready: dict[str, Any] = running.line("ready")
        self.urls: dict[str, str] = self.ready["urls"]

    def mediamtx(self) -> psutil.Process:
        """Its MediaMTX."""
        children = psutil.Process(self.running.process.pid).children(recursive=True)
        (found,) = [child for child in children if child.name() == "mediamtx"]
        return found

    def behind(self) -> str:
        """The RTSP URL of the MediaMTX that runs beside the relay."""
        ports = {c.laddr.port for c in self.mediamtx().net_connections("tcp") if c.status == psutil.CONN_LISTEN}
        web = {urlsplit(self.urls[kind]).port for kind in ("webrtc", "hls")}
        for port in sorted(ports - web):
            url = urlsplit(self.urls["rtsp"])._replace(netloc=f"127.0.0.1:{port}").geturl()
            if probe(url).returncode == 0:
                return url
        raise AssertionError(f"none of MediaMTX's ports {sorted(ports)} speaks RTSP")


def probe(url: str) -> subprocess.CompletedProcess[str]:
    """What ffprobe says of the URL."""
    command = ["ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name", url]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)


def with_password(url: str, password: str) -> str:
    return url.replace("://", f"://viewer:{password}@")


def fetched(url: str, password: str | None = None, offer: bytes | None = None) -> int:
    """The HTTP status of a page, or of a WHEP offer."""
    request = urllib.request.Request(url, offer, {"Content-Type": "application/sdp"} if offer else {})
    if password is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(f"viewer:{password}".encode()).decode())
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.fixture(scope="module")
def beside() -> Iterator[Publisher]:
    with publishing("--server", "auto", *WEB) as running:
        yield Publisher(running)


@pytest.fixture(scope="module")
def classic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publisher]:
    token = tmp_path_factory.mktemp("token") / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    running = Running(
        *("publish", "--json", "--camera", "test", "--server", "mediamtx", "--rtsp-port", "0"),
        *("--websocket-port", "0", "--host", "127.0.0.1", "--token-file", str(token), "--web-plain", *WEB),
    )
    with running:
        yield Publisher(running)


def viewer(publisher: Publisher, transport: str, within_s: float = 30.0) -> dict[str, Any]:
    """The one who watches by a transport, by the publisher's own figures, once its bytes grow and others are gone."""
    deadline = time.monotonic() + within_s
    found: list[dict[str, Any]] = []
    while time.monotonic() < deadline:
        second = publisher.running.line("second")
        found = [v for v in second["viewers"] if v["transport"] == transport]
        if len(found) == 1 and found[0]["bytes_sent"] > 20_000:
            return found[0]
    raise AssertionError(f"over {transport} these were listed: {found}")


class Recorder(Depacketizer):
    """Keeps every payload as it came, by RTP timestamp."""

    def __init__(self) -> None:
        super().__init__("h264")
        self.payloads: list[bytes] = []

    def feed(self, data: bytes) -> Picture | None:
        self.payloads.append(parse_rtp(data).payload)
        return super().feed(data)


# ------------------------------------------------------------ beside


def test_beside_the_relay_it_adds_browsers_urls(beside: Publisher) -> None:
    assert beside.ready["server"] == "embedded+mediamtx"
    assert set(beside.urls) == {"rtsp", "websocket", "page", "webrtc", "hls"}
    assert fetched(beside.urls["webrtc"]) == 200
    assert fetched(beside.urls["hls"]) == 200


def test_it_has_its_pictures_where_the_relay_listens_on_another_address_only() -> None:
    with publishing("--server", "auto", "--host", "127.0.0.2", *WEB) as running:
        urls = running.line("ready")["urls"]
        assert urls["rtsp"].startswith("rtsp://127.0.0.2:")
        assert fetched(urls["webrtc"]) == 200


def test_connections_that_fill_the_relay_do_not_shut_its_pull_out() -> None:
    with publishing("--server", "auto", *WEB) as running, contextlib.ExitStack() as held:
        publisher = Publisher(running)
        port = urlsplit(publisher.urls["rtsp"]).port
        for _ in range(400):
            held.enter_context(socket.create_connection(("127.0.0.1", port), 10))
        process = publisher.mediamtx()
        process.kill()
        process.wait(10)
        for _ in range(50):  # the place that it had is taken too
            held.enter_context(socket.create_connection(("127.0.0.1", port), 10))
        running.line("event", code="mediamtx_restarted")
        running.line(
            "event", 10, code="mediamtx_ready"
        )  # after 20 s idle connections are cut, which would be a cure too


async def test_frames_stay_closed_behind_mediamtx(beside: Publisher) -> None:
    """It hands the packets on as they are. If it took them apart and made its own, it would strip the delimiters."""
    direct, behind = Recorder(), Recorder()
    async with connected(beside.urls["rtsp"]) as near, connected(beside.behind()) as far:
        near.received, far.received = direct, behind
        await far.play()
        await far.pictures(5)
        await near.play()
        pictures = await far.pictures(60)
        await near.pictures(60)

    for picture in pictures:
        kinds = picture.kinds("h264")
        assert kinds[-1] == 9, f"a picture of NAL units {kinds} is not closed by a delimiter: MediaMTX remuxes"
    assert behind.gaps == 0
    keyframe = next(i for i, payload in enumerate(behind.payloads) if payload in direct.payloads and len(payload) > 99)
    there = direct.payloads.index(behind.payloads[keyframe])
    common = min(len(behind.payloads) - keyframe, len(direct.payloads) - there)
    assert common > 60
    assert behind.payloads[keyframe : keyframe + common] == direct.payloads[there : there + common]
    assert max(map(len, behind.payloads)) <= 1430


def test_the_latency_behind_mediamtx_is_the_relays(beside: Publisher) -> None:
    with Watcher(opencv(beside.urls["rtsp"])) as near, Watcher(opencv(beside.behind())) as far:
        near.first()
        far.first()
        time.sleep(1.0)
        # A frame that waits for the next would do so in every window; a busy machine is late in some.
        for _ in range(4):
            start = time.monotonic()
            time.sleep(1.5)
            direct, behind = (statistics.median(w.latencies_ms(start, time.monotonic())) for w in (near, far))
            print(f"p50 direct {direct:.1f} ms, behind MediaMTX {behind:.1f} ms")
            if behind <= direct + NOISE_MS:
                return
        raise AssertionError(f"behind MediaMTX {behind:.1f} ms, direct {direct:.1f} ms")


def test_an_encoder_that_dies_ends_no_session_behind_it(beside: Publisher) -> None:
    url = beside.behind()
    with Watcher(opencv(url)) as first, Watcher(ffmpeg(url)) as second:
        for watcher in (first, second):
            watcher.first()
        encoders(beside.running)[0].kill()
        died = time.monotonic()
        assert "SIGKILL" in beside.running.line("event", code="encoder_restarted")["text"]
        for watcher in (first, second):
            watcher.past(died + 2.0)
            numbers = {sighting.code.frame for sighting in watcher.between(died + 0.5, died + 3.0) if sighting.code}
            assert len(numbers) > 15, f"{watcher.name} saw {len(numbers)} moving pictures"


def test_its_viewers_are_listed_with_what_they_got(beside: Publisher) -> None:
    with Watcher(opencv(beside.behind())), StatusTap(beside.urls["websocket"]) as tap:
        listed = viewer(beside, "rtsp")  # one: our own MediaMTX, which pulls from us, is no viewer
        assert listed["address"].startswith("127.0.0.1:")
        assert "Lavf" in listed["agent"]
        tap.until(CameraStatus, lambda status: any(v.transport == "rtsp" for v in status.viewers))


def test_what_it_does_not_need_is_closed(beside: Publisher) -> None:
    """RTSP, WebRTC and HLS, and the API on this machine alone; no RTMP, SRT, metrics or playback."""
    sockets = beside.mediamtx().net_connections("inet")
    listening = {c.laddr for c in sockets if c.status == psutil.CONN_LISTEN}
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert len({address.port for address in listening}) == 4


def test_no_secret_lies_about(classic: Publisher) -> None:
    assert TOKEN not in " ".join(classic.mediamtx().cmdline())
    assert TOKEN not in " ".join(f"{k}={v}" for k, v in classic.mediamtx().environ().items())
    assert TOKEN not in classic.running.words
    assert not Path(classic.mediamtx().cmdline()[-1]).exists(), (
        "its configuration, which holds the token, has been read"
    )


# ------------------------------------------------------------ classic


def test_in_the_classic_topology_it_serves_everything(classic: Publisher) -> None:
    assert classic.ready["server"] == "mediamtx"
    with Watcher(opencv(with_password(classic.urls["rtsp"], TOKEN))) as watcher:
        first = watcher.first()
        assert "Lavf" in viewer(classic, "rtsp")["agent"]
        watcher.until(lambda s: s.code and first.code and s.code.time_us > first.code.time_us + 1_000_000, 10)


@pytest.mark.parametrize(("password", "code"), [(TOKEN, 0), ("wrong", 1), (None, 1)])
def test_rtsp_viewers_need_the_token(classic: Publisher, password: str | None, code: int) -> None:
    url = classic.urls["rtsp"]
    done = probe(with_password(url, password) if password else url)
    assert bool(done.returncode) == bool(code), done.stderr
    if code:
        assert "401" in done.stderr


async def test_the_password_is_asked_for_by_digest_alone(classic: Publisher) -> None:
    async with connected(classic.urls["rtsp"]) as client:
        answer = await client.ask("DESCRIBE")
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Digest")


def test_browsers_need_the_token(classic: Publisher) -> None:
    hls, whep = f"{classic.urls['hls']}/index.m3u8", f"{classic.urls['webrtc']}/whep"
    assert [fetched(hls, password) for password in (None, "wrong", TOKEN)] == [401, 401, 200]
    no_offer = b"v=0\r\n"
    assert [fetched(whep, password, no_offer) for password in (None, "wrong", TOKEN)] == [401, 401, 400]


def test_the_end_of_the_publisher_is_its_end(tmp_path: Path) -> None:
    with publishing("--server", "mediamtx", *WEB) as running:
        publisher = Publisher(running)
        mediamtx = publisher.mediamtx()
        assert running.end() == 130
        assert not mediamtx.is_running()
        assert running.left_behind() == []
