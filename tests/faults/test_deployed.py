"""As it is deployed: the publisher on one machine, its viewers on another, and only PI_VPN_IP set on both.

Two network namespaces with a cable between them are the machines; only root can make them.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import figures
from tests.support.commands import Running
from tests.support.watching import Player, Watcher, opencv

pytestmark = [pytest.mark.needs("ip", "ffmpeg", "ffprobe"), pytest.mark.timeout(180)]
PI, VIEWER = "10.9.0.2", "10.9.0.1"
SET = {"PI_VPN_IP": PI}
ROOT = Path(__file__).parents[2]


def ip(*arguments: str) -> None:
    """Runs `ip`; what it cannot do here skips the test."""
    done = subprocess.run(["ip", *arguments], check=False, capture_output=True, text=True, timeout=20)
    if done.returncode:
        pytest.skip(f"ip {' '.join(arguments)} is not possible here: {done.stderr.strip()}")


@contextlib.contextmanager
def two_machines() -> Iterator[tuple[str, str]]:
    """The names of two namespaces: the Pi's and the viewer's."""
    if os.geteuid() != 0:
        pytest.skip("only root can make network namespaces")
    pi, viewer = f"zlf-pi-{os.getpid()}", f"zlf-viewer-{os.getpid()}"
    try:
        for name in (pi, viewer):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("link", "add", "cable0", "netns", pi, "type", "veth", "peer", "name", "cable1", "netns", viewer)
        for name, end, address in ((pi, "cable0", PI), (viewer, "cable1", VIEWER)):
            ip("-n", name, "address", "add", f"{address}/24", "dev", end)
            ip("-n", name, "link", "set", end, "up")
        yield pi, viewer
    finally:
        for name in (pi, viewer):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True, timeout=20)


def inside(machine: str) -> tuple[str, ...]:
    """A command's beginning that runs it there."""
    return ("ip", "netns", "exec", machine)


def test_every_url_that_is_shown_plays_on_the_other_machine(tmp_path: Path) -> None:
    web = shutil.which("mediamtx") is not None
    with two_machines() as (pi, viewer):
        publish = Running("publish", "--json", "--camera", "test", wrapper=inside(pi), env=SET)
        with publish:
            urls = publish.line("ready")["urls"]
            assert all(f"//{PI}:" in url for url in urls.values())
            assert set(urls) == {"rtsp", "websocket", "page", *(("webrtc", "hls") if web else ())}
            token = tmp_path / "token"
            token.write_text(Path(publish.env["XDG_STATE_HOME"], "zlfeed", "token").read_text())
            with_token = ("--token-file", str(token))

            own = Running("receive", "--headless", "--json", *with_token, wrapper=inside(viewer), env=SET)
            with own:
                second = own.line("second", state="live")
                second = own.line("second")
                assert second["latency_ms"] is not None, "PI_VPN_IP leads to the status server too"
            watch = Running("monitor", "--once", "--json", *with_token, wrapper=inside(viewer), env=SET)
            with watch:
                assert watch.line("status")["state"] == "live"
                assert watch.wait() == 0
            player = opencv(urls["rtsp"].replace("://", f"://viewer:{token.read_text().strip()}@"))
            with Watcher(Player("OpenCV", [*inside(viewer), *player.command])) as stranger:
                stranger.past(stranger.first().at + 1.0)
            figures.record(
                "on two machines (network namespaces), only PI_VPN_IP set",
                f"receive: latency p50 {second['latency_ms']['p50']:.1f} ms; monitor and OpenCV: work",
            )
            if web and shutil.which("chromium"):
                browsers(urls, token.read_text().strip(), viewer)
            publish.process.terminate()
            assert publish.wait() == 143


def browsers(urls: dict[str, str], token: str, viewer: str) -> None:
    """Chromium on the viewer's machine plays MediaMTX's pages and ours."""
    kinds = {"page": "our page", "webrtc": "the WEBRTC page", "hls": "the HLS page"}
    pages = [urls[kind].replace("://", f"://viewer:{token}@") for kind in kinds]
    command = [*inside(viewer), sys.executable, "-m", "tests.support.video_page", "2", *pages]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    for kind, line in zip(kinds, done.stdout.splitlines(), strict=True):
        shown = json.loads(line)
        assert shown["format"] in ("I420", "NV12")
        assert len(shown["ages_ms"]) > 10
        assert shown["complaints"] == []
        figures.record(
            f"on two machines: {kinds[kind]}",
            f"plays; capture → shown p50 {statistics.median(shown['ages_ms']):.0f} ms",
        )
