"""The page that a publisher serves, in a real browser: over a real MediaMTX, without one, and its door."""

from __future__ import annotations

import json
import signal
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import figures, video_page
from tests.support.browser import Page, browsing
from tests.support.commands import Running, publishing
from zlfeed import timecode
from zlfeed.model import CameraStatus, HistoryPoint, Ping, ViewerReport, WebrtcOffer, Welcome
from zlfeed.timecode import Timecode
from zlfeed.wire.convert import decode, encode

pytestmark = [pytest.mark.needs("chromium", "ffmpeg"), pytest.mark.timeout(180)]
FIGURES = "document.getElementById('figures').textContent"
NOTICE = "document.getElementById('notice').textContent"
VISIBILITY = (
    "Object.defineProperty(document, 'visibilityState', {{value: '{}', configurable: true}}), "
    "document.dispatchEvent(new Event('visibilitychange'))"
)
"""As when another tab is chosen, and this one again."""
STILL = "!document.getElementById('still').hidden && document.getElementById('still').naturalWidth"


@pytest.fixture(scope="module")
def embedded() -> Iterator[str]:
    """The page of a publisher with two cameras and no MediaMTX."""
    with publishing("--camera", "one=test", "--camera", "two=test", "--size", "640x480") as feed:
        urls = {ready["camera"]: ready["urls"] for ready in (feed.line("ready"), feed.line("ready"))}
        yield urls["one"]["page"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with browsing() as found:
        yield found


@pytest.fixture
def page(browser: Page) -> Page:
    """The one browser's page, and nothing that it complained of before."""
    browser.open("about:blank")
    browser.complaints.clear()
    return browser


# ---------------------------------------------------------------- with MediaMTX


@pytest.mark.needs("mediamtx")
def test_it_plays_says_how_late_that_is_and_tells_the_publisher(page: Page) -> None:
    with publishing("--server", "auto", "--webrtc-port", "0", "--hls-port", "0") as feed:
        page.open(feed.line("ready")["urls"]["page"])
        page.until(video_page.PLAYS)
        shown = video_page.watch(page, 3.0)
        assert shown.unread == 0
        said = page.until(f"{FIGURES}.match(/([0-9]+) ms ± ([0-9.]+)/)?.slice(1).map(Number)")
        report = None
        while report is None or report["fps"] < 10:  # this machine may be busy
            (viewer,) = feed.line("second")["viewers"] or [{"report": None}]
            report = viewer["report"]
        assert (viewer["transport"], viewer["agent"]) == ("webrtc", "zlfeed page")
        assert viewer["address"].startswith("127.0.0.1:")
        assert abs(report["latency_p50_ms"] - statistics.median(shown.ages_ms)) < 100
        assert 0 <= said[1] < 100
        assert page.run(NOTICE) == ""
        assert not page.complaints
        figures.record("Chromium plays our page", f"capture → shown {figures.spread(shown.ages_ms)}")


@pytest.mark.needs("mediamtx")
def test_where_the_port_for_webrtc_is_taken_it_says_so(page: Page) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with publishing("--server", "auto", "--webrtc-port", port, "--hls-port", "0") as feed:
            page.open(feed.line("ready")["urls"]["page"])
            page.until(STILL)
            page.until(f"{NOTICE} === 'Small pictures: MediaMTX serves no WebRTC here; its port was taken.'")


@pytest.mark.needs("mediamtx")
def test_whoever_leaves_or_whose_token_is_changed_sees_no_more(page: Page, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first-token\n")
    ports = (f"--{name}-port=0" for name in ("rtsp", "websocket", "webrtc", "hls"))
    options = ("--camera", "test", "--token-file", str(token), "--host", "127.0.0.1", *ports)
    with Running("publish", "--json", *options) as feed:
        urls = feed.line("ready")["urls"]
        page.open(urls["page"])
        page.until("!document.getElementById('door').hidden")
        assert page.run("document.getElementById('refused').textContent") == ""
        video_page.fill(page, "wrong-token")
        page.until("document.getElementById('refused').textContent.includes('not the right one')")
        video_page.fill(page, "first-token")
        page.until(video_page.PLAYS)
        assert page.run("document.getElementById('door').hidden")

        page.open("about:blank")
        while feed.line("second")["viewers"]:
            pass
        page.open(urls["page"])
        page.until(video_page.PLAYS)  # it has kept the token

        token.write_text("second-token\n")
        feed.process.send_signal(signal.SIGHUP)
        page.until("!document.getElementById('door').hidden")
        while feed.line("second")["viewers"]:
            pass


# ---------------------------------------------------------------- without


def test_without_mediamtx_it_shows_small_pictures_and_says_why(page: Page, embedded: str) -> None:
    page.open(embedded)
    assert page.until(STILL) == 640
    sources = {page.run("document.getElementById('still').src")}
    page.until(f"!{json.dumps(list(sources))}.includes(document.getElementById('still').src)")
    page.until(f"/small pictures, up to 5 a second · [0-9]+ ms old/.test({FIGURES})")
    assert "without MediaMTX (zlfeed mediamtx install)" in page.run(NOTICE)
    assert not page.complaints

    page.run(VISIBILITY.format("hidden"))
    time.sleep(0.5)  # what is on its way
    before = page.run("document.getElementById('still').src")
    time.sleep(0.5)
    assert page.run("document.getElementById('still').src") == before, "small pictures cost the publisher work"
    page.run(VISIBILITY.format("visible"))
    page.until(f"document.getElementById('still').src !== {json.dumps(before)}")


def test_each_camera_has_its_address_and_its_key(page: Page, embedded: str) -> None:
    page.open(embedded + "two")
    page.until(STILL)
    assert page.run("[...document.querySelectorAll('nav a')].map((tab) => tab.textContent)") == ["one", "two"]
    assert page.run("document.querySelector('nav [aria-current]').textContent") == "two"
    page.run("window.same = true, dispatchEvent(new KeyboardEvent('keydown', {key: '1'}))")
    current = "document.querySelector('nav [aria-current]').textContent"
    page.until(f"location.pathname === '/one' && {current} === 'one' && {STILL}")
    page.run("document.querySelectorAll('nav a')[1].click()")
    page.until(f"location.pathname === '/two' && {current} === 'two' && {STILL}")
    page.run("history.back()")
    page.until(f"location.pathname === '/one' && {current} === 'one' && {STILL}")
    assert page.run("window.same"), "it is the same page still: full screen stays"
    page.open(embedded + "three")
    page.until(f"{NOTICE} === 'There is no camera three here.'")


def test_it_comes_back_by_itself_with_the_publisher(page: Page) -> None:
    options = ("--server", "embedded", "--size", "320x240")
    with publishing(*options) as feed:
        url = feed.line("ready")["urls"]["page"]
        page.open(url)
        page.until(STILL)
        feed.process.kill()
        feed.process.wait()
    page.until(f"/^No contact with the publisher: .* Trying again in [0-9.]+ s/.test({NOTICE})")
    before = page.run("document.getElementById('still').src")
    with publishing(*options, "--websocket-port", url.rstrip("/").rpartition(":")[2]) as feed:
        feed.line("ready")
        page.until(f"document.getElementById('still').src !== {json.dumps(before)} && !{NOTICE}.includes('contact')")


# ---------------------------------------------------------------- what its script reads


def test_its_script_reads_strips_as_we_do(page: Page, embedded: str) -> None:
    page.open(embedded)
    codes = [Timecode(0x0123456789AB, 0xCDEF), Timecode((1 << 48) - 1, 0), Timecode(0, 65535)]
    for width, height in ((320, 240), (640, 480), (1270, 714)):
        for code in codes:
            picture = np.zeros((height * 3 // 2, width), np.uint8)
            timecode.draw(picture, width, height, code)
            first, last = page.run(f"import('/-/strip.js').then((strip) => strip.rows({height}))")
            assert read(page, picture[first:last]) == {"timeUs": code.time_us, "frame": code.frame}
            picture[:, : width // 8] ^= 0xFF
            assert read(page, picture[first:last]) is None
    now = 1_764_000_000_123_456
    unwrap = f"import('/-/strip.js').then(({{unwrap}}) => unwrap({now % (1 << 48)}, {now + 5_000_000}))"
    assert page.run(unwrap) == now


def read(page: Page, rows: np.ndarray[Any, Any]) -> Any:
    """What strip.js reads in grey rows: a browser has them as RGBA."""
    pixels = np.repeat(rows, 4, axis=1).reshape(-1).tolist()
    return page.run(f"import('/-/strip.js').then(({{read}}) => read(Uint8Array.from({pixels}), {rows.shape[1]}))")


def test_its_script_says_and_hears_the_protocol(page: Page, embedded: str) -> None:
    page.open(embedded)
    report = ViewerReport(
        camera="günther", fps=29.97, latency_p50_ms=25.5, missed=2**40, session="a", latency_buckets=(0, 300, 1)
    )
    for message, body in (
        (report, {"camera": "günther", "fps": 29.97, "latency_p50_ms": 25.5, "missed": 2**40, "session": "a",
                  "latency_buckets": [0, 300, 1]}),
        (Ping(3, -1_764_000_000_123_456), {"id": 3, "t0_us": -1_764_000_000_123_456}),
        (WebrtcOffer("one", 1, "v=0\r\n" * 400), {"camera": "one", "id": 1, "sdp": "v=0\r\n" * 400}),
    ):  # fmt: skip
        name = {ViewerReport: "viewer_report", Ping: "ping", WebrtcOffer: "webrtc_offer"}[type(message)]
        said = script(page, "encode", json.dumps({"version": 1, name: body}))
        assert decode(bytes(said.values())) == message
    welcome = Welcome(
        "pi", "1.0", history=(HistoryPoint("one", 1_764_000_000_123_456, fps=30.0),), time_us=5, uptime_s=1.5
    )
    heard = script(page, "decode", f"Uint8Array.from({list(encode(welcome))})")["welcome"]
    assert (heard["publisher"], heard["uptime_s"], heard["cameras"]) == ("pi", 1.5, [])
    assert heard["history"][0]["time_us"] == 1_764_000_000_123_456
    assert heard["history"][0].get("latency_p50_ms") is None
    status = CameraStatus("one", 1, frames_dropped={"slow": 3}, is_connected=True, fps=29.0)
    heard = script(page, "decode", f"Uint8Array.from({list(encode(status))})")["camera_status"]
    assert (heard["frames_dropped"], heard["is_connected"], heard["fps"]) == ({"slow": 3}, True, 29.0)


def script(page: Page, function: str, argument: str) -> Any:
    """What wire.js makes of an Envelope."""
    return page.run(
        "Promise.all([import('/-/wire.js'), fetch('/-/protocol.json').then((found) => found.json())])"
        f".then(([wire, {{messages}}]) => wire.{function}(messages, 'Envelope', {argument}))"
    )


def test_its_script_counts_pictures_and_nothing_that_it_cannot_know(page: Page, embedded: str) -> None:
    page.open(embedded)
    found = page.run(
        """
        import('/-/figures.js').then(({Figures, latencyWords}) => {
          const figures = new Figures(), missed = [figures.missed], seconds = [];
          const see = (ms, frame, latency) => figures.add(ms, {frame, timeUs: ms * 1000}, latency);
          figures.begin(0);
          figures.add(10);  // without a strip
          missed.push(figures.missed);
          see(50, 65534, 20); see(100, 2, 30); see(150, 3, 40);
          missed.push(figures.missed);
          seconds.push(figures.second(200), figures.second(1000), figures.second(2000));
          figures.begin(9000);
          see(9010, 300, 50);
          missed.push(figures.missed);
          const said = (p50, error) => latencyWords({p50, p95: 300}, error);
          const words = [said(25.4, 0.52), said(125, 112), said(-155, 212)];
          return {missed, seconds, words};
        })
        """
    )
    assert found["missed"] == [None, None, 3, 3], "nothing is missed while nobody looks"
    assert found["seconds"] == [
        None,
        {"fps": 4, "p50": 30, "p95": 40, "freezeMs": 50},
        {"fps": 0, "p50": None, "p95": None, "freezeMs": None},
    ]
    assert found["words"] == [["25 ms", "± 0.5, p95 300 ms"], ["125 ms", "± 112, p95 300 ms"], ["under 57 ms", ""]]


def test_its_script_knows_the_publishers_time(page: Page, embedded: str) -> None:
    page.open(embedded)
    made = page.run(
        """
        import('/-/clock.js').then(({Clock}) => {
          const clock = new Clock(), unknown = clock.at(0);
          clock.add(0, 1_000_500, 1_000_500, 4_000);
          const rough = clock.at(4_000);
          clock.add(10_000, 1_011_000, 1_011_000, 12_000);
          const fine = clock.at(12_000), later = clock.at(10_012_000);
          clock.add(20_000_000, 3_620_000_500, 3_620_000_500, 20_001_000);
          const coarse = new Clock(1000);
          coarse.add(0, 500, 500, 0);
          return {unknown, rough, fine, later, stepped: clock.at(20_001_000), coarse: coarse.at(0)};
        })
        """
    )
    assert made["unknown"] is None
    assert made["rough"] == {"offset": 998_500, "error": 2_000}
    assert made["fine"] == {"offset": 1_000_000, "error": 1_000}
    assert made["later"]["error"] == pytest.approx(1_500)
    assert made["coarse"] == {"offset": 500, "error": 1_000}, "a clock that tells milliseconds knows no better"
    assert made["stepped"] == {"offset": 3_600_000_000, "error": 500}, "an hour's step is believed at once"
