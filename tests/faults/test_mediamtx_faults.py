"""MediaMTX is killed or hangs, once and for good, beside the relay and before it."""

from __future__ import annotations

import shutil
import socket
import stat
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from tests.faults.kit import BUSY, children, wait_until
from tests.support import figures, video_page
from tests.support.browser import Page, browsing
from tests.support.commands import Running, publishing, receiving
from tests.support.standin_ffmpeg import tapped
from tests.support.status_tap import StatusTap
from tests.support.watching import Watcher, gstreamer, opencv
from zlfeed import certificates
from zlfeed.model import CameraInfo, CameraStatus
from zlfeed.tls import Pair

pytestmark = [pytest.mark.needs("mediamtx", "ffmpeg"), pytest.mark.timeout(180)]
WEB = ("--webrtc-port", "0", "--hls-port", "0", "--size", "320x240")
LIMIT_S = 20.0
WAS = {"kill": "killed", "hang": "stopped"}
DOES = {"kill": "kill −9 MediaMTX", "hang": "MediaMTX hangs (SIGSTOP)"}


def mediamtx(publisher: Running) -> psutil.Process:
    """The publisher's MediaMTX; on a trial there is none other."""
    wait_until(lambda: children(publisher, "mediamtx"))
    return children(publisher, "mediamtx")[0]


def harm(process: psutil.Process, fault: str) -> float:
    """Does it; when, monotonic s."""
    process.kill() if fault == "kill" else process.suspend()
    return time.monotonic()


class Breakable:
    """A MediaMTX program whose next starts can be made to fail."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "breakable-mediamtx"
        self._broken = folder / "broken"
        real = shutil.which("mediamtx")
        self.path.write_text(
            "#!/bin/sh\n"
            f'if [ "$1" != --version ] && [ -e "{self._broken}" ]; then\n'
            f'  [ "$(cat "{self._broken}")" = hang ] && exec sleep 1000\n  exit 1\nfi\nexec "{real}" "$@"\n'
        )
        self.path.chmod(self.path.stat().st_mode | stat.S_IXUSR)

    def breaks(self, fault: str) -> None:
        """From now on it crashes or hangs at the start."""
        self._broken.write_text(fault)

    def mended(self) -> None:
        """From now on it is MediaMTX again."""
        self._broken.unlink()


_SHOWN = """
(() => {
  const [video, still, notice] = ['video', 'still', 'notice'].map((id) => document.getElementById(id));
  return [notice.textContent, still.hidden ? '' : still.src, video.getVideoPlaybackQuality().totalVideoFrames];
})()
"""
_WELL = "document.getElementById('notice').textContent === '' && document.getElementById('still').hidden"


class Looked(NamedTuple):
    """When our page showed small pictures, and when it had its picture by WebRTC again; monotonic s."""

    small: float | None
    picture: float


def look(page: Page) -> Looked:
    """Looks at our page, which plays, until it has lost its picture and has it again."""
    deadline, lost, small, frames = time.monotonic() + LIMIT_S, False, None, 0
    while time.monotonic() < deadline:
        before, (notice, still, frames) = frames, page.run(_SHOWN)
        now = time.monotonic()
        if notice:
            lost = True
        elif lost and not still and frames > before:
            return Looked(small, now)
        if lost and still and small is None:
            small = now
        time.sleep(0.05)
    raise AssertionError("the page does not show the picture again" if lost else "the page has not lost its picture")


@pytest.mark.needs("chromium")
def test_beside_the_relay_rtsp_viewers_notice_nothing_and_browsers_are_back() -> None:
    with publishing("--server", "auto", *WEB) as publisher, browsing() as page, browsing() as other:
        urls = publisher.line("ready")["urls"]
        with Watcher(opencv(urls["rtsp"])) as viewer:
            viewer.first()
            for fault, words in DOES.items():
                page.open(urls["page"])
                page.until(f"{video_page.PLAYS} && {_WELL}")
                moment = harm(mediamtx(publisher), fault)
                looked = look(page)
                publisher.line("event", code="mediamtx_ready")
                other.open(urls["webrtc"])
                other.until(video_page.PLAYS)
                viewer.past(moment + 1.0)
                gap, missed = viewer.gap_ms(moment, time.monotonic()), viewer.missed(moment, time.monotonic())
                small = f"small pictures after {looked.small - moment:.1f} s, " if looked.small else ""
                figures.record(
                    f"{words}, --server auto",
                    f"RTSP viewers missed {missed} frames (longest gap {gap:.0f} ms); an open page shows {small}"
                    f"the picture by WebRTC after {looked.picture - moment:.1f} s",
                )
                assert missed <= BUSY
                assert viewer.alive


def test_frames_that_are_missing_for_long_cost_no_session_behind_mediamtx(tmp_path: Path) -> None:
    """MediaMTX drops a silent source and all its readers after 10 s; sender reports keep them."""
    program, orders = tapped(tmp_path, shutil.which("ffmpeg") or "")
    with publishing("--server", "mediamtx", "--ffmpeg-path", str(program), *WEB) as publisher:
        urls = publisher.line("ready")["urls"]
        with Watcher(gstreamer(urls["rtsp"])) as viewer:
            viewer.first()
            orders.write_text("all")
            silent = time.monotonic()
            time.sleep(13.0)
            orders.unlink()
            spoken = time.monotonic()
            viewer.past(spoken + 1.0)
            gap = viewer.gap_ms(silent - 1.0, time.monotonic()) / 1000
            assert viewer.alive
            figures.record(
                "no frames for 13 s, --server mediamtx",
                f"the viewer behind MediaMTX keeps its session; it saw nothing for {gap:.1f} s",
            )


def state_of_mediamtx(status: CameraStatus) -> str:
    return next(part.state for part in status.parts if part.name == "mediamtx")


def back_at_the_receiver(receiver: Running, moment: float) -> float:
    """Waits until a receiver is live again after a fault; its longest freeze since then, s."""
    freezes: list[float] = []
    while True:
        second = receiver.line("second")
        freezes.append(second["longest_freeze_ms"] or 0.0)
        if second["state"] == "live" and second["frames"] > 15 and time.monotonic() > moment + 1.5:
            return max(freezes) / 1000


@pytest.mark.timeout(420)
@pytest.mark.parametrize("fault", DOES)
def test_before_the_relay_it_is_back_or_the_relay_stands_in(fault: str, tmp_path: Path) -> None:
    program = Breakable(tmp_path)
    # For a figure all is as users have it; for a test the minutes of trial before the way back are made short.
    shorter = "" if figures.wanted() else "import zlfeed.publisher.front as f; f.TRIAL_S = f.RETRY_S = 1; "
    patch = f"{shorter}from zlfeed.cli import main; main()"
    options = ("--server", "mediamtx", "--mediamtx-path", str(program.path), *WEB)
    with publishing(*options, program=("-c", patch)) as publisher:
        urls = publisher.line("ready")["urls"]
        with receiving(urls) as receiver, StatusTap(urls["websocket"]) as monitor:
            receiver.line("second", state="live")
            moment = harm(mediamtx(publisher), fault)
            publisher.line("event", code="mediamtx_ready")
            freeze = back_at_the_receiver(receiver, moment)
            figures.record(f"{DOES[fault]}, --server mediamtx", f"picture back after {freeze:.1f} s")

            program.breaks(fault)
            moment = harm(mediamtx(publisher), fault)
            noticed_us = publisher.line("event", code="fallback")["time_us"]
            shown, _ = monitor.until(CameraStatus, lambda status: status.server == "embedded (fallback)", after=moment)
            listed, info = monitor.until(CameraInfo, lambda info: "webrtc" not in info.urls, after=moment)
            assert info.urls["rtsp"] == urls["rtsp"]
            assert "hls" not in info.urls
            _, status = monitor.until(
                CameraStatus, lambda status: state_of_mediamtx(status) == "given_up", after=moment
            )
            assert [part.last_error for part in status.parts if part.name == "mediamtx"] != [None]
            freeze = back_at_the_receiver(receiver, moment)
            assert publisher.line("second")["server"] == "embedded (fallback)"
            figures.record(
                f"{DOES[fault]} for good, --server mediamtx",
                f"the relay stands in at the same URL, picture back after {freeze:.1f} s; on the monitor "
                f"{(shown.wall_us - noticed_us) / 1000:.0f} ms later, "
                f"its pages off the list {listed.at - moment:.1f} s after the fault",
            )

            program.mended()
            mended = time.monotonic()
            publisher.line("event", 200, code="mediamtx_back")
            waited = time.monotonic() - mended
            words = publisher.line("event", 60, code="mediamtx_ready")["text"]
            monitor.until(CameraInfo, lambda info: "webrtc" in info.urls and "hls" in info.urls, after=mended)
            publisher.line("second", server="mediamtx")
            receiver.line("second")
            assert receiver.line("second")["frames"] > 0
            freeze = back_at_the_receiver(receiver, mended + waited)
            figures.record(
                f"MediaMTX is well again after it was {WAS[fault]}, --server mediamtx",
                f"has its port back {waited:.0f} s later: {words}; a receiver saw nothing for {freeze:.1f} s",
            )


def test_with_tls_the_relay_stands_in_at_both_ports(tmp_path: Path) -> None:
    """Before the relay, with a certificate: rtsp:// and rtsps:// play on at the same URLs."""
    files = Pair(tmp_path / "cert.pem", tmp_path / "key.pem")
    certificates.make(files, ["127.0.0.1"])
    program = Breakable(tmp_path)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        secure_port = sock.getsockname()[1]
    tls = ("--tls-cert", str(files.cert), "--tls-key", str(files.key), "--rtsps-port", str(secure_port))
    options = ("--server", "mediamtx", "--mediamtx-path", str(program.path), *tls, *WEB)

    def plays(url: str) -> bool:
        command = ["ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=width", url]
        return "width=320" in subprocess.run(command, check=False, timeout=30, capture_output=True, text=True).stdout

    with publishing(*options) as publisher:
        plain = publisher.line("ready")["urls"]["rtsp"]
        secure = f"rtsps://127.0.0.1:{secure_port}/{plain.rpartition('/')[2]}"
        assert plays(plain)
        assert plays(secure)
        program.breaks("kill")
        harm(mediamtx(publisher), "kill")
        publisher.line("event", code="fallback")
        assert plays(plain)
        assert plays(secure)
