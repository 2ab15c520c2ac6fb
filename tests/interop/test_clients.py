"""Players that know nothing of zlfeed watch a feed: each must decode moving pictures."""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.kit import BUSY, wait_until
from tests.support.commands import Running, publishing
from tests.support.players import LIMIT_S, hashes, watch
from tests.support.watching import Watcher, ffmpeg, gstreamer, opencv

pytestmark = pytest.mark.timeout(90)
PICTURES = 45
"""More than the GOP that a player gets at once."""


class Feed:
    """A running publisher and the line that says where it is."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.ready: dict[str, Any] = running.line("ready")
        self.url: str = self.ready["urls"]["rtsp"]

    def next_second(self) -> dict[str, Any]:
        """The next `second` line that comes from now on."""
        known = len(self.running.out)
        wait_until(lambda: any('"second"' in line for line in self.running.out[known:]))
        return next(line for line in map(json.loads, self.running.out[known:]) if line["type"] == "second")

    def viewers_since(self, line: int) -> list[dict[str, Any]]:
        """The viewers in all `second` lines from that line of its output on."""
        seconds = [line for line in map(json.loads, self.running.out[line:]) if line["type"] == "second"]
        return [viewer for second in seconds for viewer in second["viewers"]]


@pytest.fixture(scope="module")
def h264() -> Iterator[Feed]:
    with publishing() as running:
        yield Feed(running)


@pytest.fixture(scope="module")
def h265() -> Iterator[Feed]:
    with publishing("--codec", "h265", "--size", "640x360") as running:
        yield Feed(running)


@pytest.fixture(scope="module")
def plain() -> Iterator[Feed]:
    with publishing("--no-closed-frames", "--gop", "15", "--size", "1280x720", "--bitrate", "2M") as running:
        yield Feed(running)


def must_move(player: str, feed: Feed, count: int = PICTURES) -> None:
    """Decodes pictures; all but a few (a player may show one twice) must differ from one another."""
    done = watch(player, feed.url, count)
    seen = hashes(done.stdout)
    assert len(seen) >= count - 1, f"{len(seen)} pictures\n{done.stdout[-500:]}\n{done.stderr[-2000:]}"
    assert len(set(seen)) >= count * 0.8


@pytest.mark.parametrize(
    "player",
    [
        pytest.param("ffmpeg-tcp", marks=pytest.mark.needs("ffmpeg")),
        pytest.param("ffmpeg-udp", marks=pytest.mark.needs("ffmpeg")),
        pytest.param("ffmpeg", marks=pytest.mark.needs("ffmpeg")),
        pytest.param("opencv-tcp"),
        pytest.param("opencv-udp"),
        pytest.param("gstreamer-tcp", marks=pytest.mark.needs("gst-launch-1.0")),
        pytest.param("gstreamer-udp", marks=pytest.mark.needs("gst-launch-1.0")),
        pytest.param("gstreamer", marks=pytest.mark.needs("gst-launch-1.0")),
        pytest.param("mpv-tcp", marks=pytest.mark.needs("mpv")),
        pytest.param("mpv-udp", marks=pytest.mark.needs("mpv")),
    ],
)
def test_h264_moves(player: str, h264: Feed) -> None:
    must_move(player, h264)


@pytest.mark.parametrize(
    "player",
    [
        pytest.param("ffmpeg-tcp", marks=pytest.mark.needs("ffmpeg")),
        pytest.param("opencv"),
        pytest.param("gstreamer-udp", marks=pytest.mark.needs("gst-launch-1.0")),
    ],
)
def test_h265_moves(player: str, h265: Feed) -> None:
    must_move(player, h265)


@pytest.mark.parametrize(
    "player",
    [
        pytest.param("ffmpeg-udp", marks=pytest.mark.needs("ffmpeg")),
        pytest.param("opencv"),
        pytest.param("gstreamer-tcp", marks=pytest.mark.needs("gst-launch-1.0")),
    ],
)
def test_frames_that_are_not_closed_move_too(player: str, plain: Feed) -> None:
    must_move(player, plain)


@pytest.mark.needs("ffmpeg", "gst-launch-1.0")
def test_three_who_watch_for_seconds_see_the_same_frames_and_every_one_that_was_sent(h264: Feed) -> None:
    with Watcher(ffmpeg(h264.url)) as first, Watcher(opencv(h264.url)) as second, Watcher(gstreamer(h264.url)) as third:
        watchers = (first, second, third)
        for watcher in watchers:
            watcher.first()
        before = h264.next_second()
        start = time.monotonic() + 0.5
        for watcher in watchers:
            watcher.past(start + 4.0)
        seen = [[sighting.code.frame for sighting in w.between(start, start + 4.0) if sighting.code] for w in watchers]
        after = h264.next_second()
    # What all three could see: from the last one's first frame to the first one's last.
    begin, end = max(frames[0] for frames in seen), min(frames[-1] for frames in seen)
    common = [[frame for frame in frames if begin <= frame <= end] for frames in seen]
    assert common[0] == common[1] == common[2]
    # Far from 120, for a busy machine may not capture 30 a second.
    assert len(common[0]) > 40
    # What the publisher itself left out, for want of time: the numbers of those frames are missing, no others.
    left_out = sum(after["frames_dropped"].values()) - sum(before["frames_dropped"].values())
    assert (end - begin + 1) - len(common[0]) <= left_out


@pytest.mark.needs("ffprobe")
def test_ffprobe_knows_codec_size_and_profile(h264: Feed, h265: Feed) -> None:
    for feed, codec, size in ((h264, "h264", (640, 480)), (h265, "hevc", (640, 360))):
        (stream,) = probe(feed.url)["streams"]
        assert stream["codec_name"] == codec
        assert (stream["width"], stream["height"]) == size
        assert stream["pix_fmt"] == "yuv420p"
        assert stream["has_b_frames"] == 0


@pytest.mark.needs("ffprobe")
def test_to_ffprobe_every_packet_is_one_picture_and_they_are_a_frame_apart(h264: Feed) -> None:
    found = probe(h264.url, "-show_packets", "-read_intervals", "%+#60")
    assert len(found["packets"]) == 60
    # FFmpeg labels a picture with the time of the delimiter before it, which belongs to the picture before: the first
    # has no time, and the others have their predecessor's.
    times = [float(packet["pts_time"]) for packet in found["packets"][1:]]
    # Those of the GOP so far are drawn together to 1 ms; the live ones behind it are about 1/30 s apart, more where
    # the machine has no time for every frame.
    steps = [b - a for a, b in itertools.pairwise(times)]
    assert all(step > 0 for step in steps)
    assert 0.02 < sum(steps[-25:]) / 25 < 0.25
    keyframes = [packet["flags"].startswith("K") for packet in found["packets"]]
    assert keyframes[0]
    assert sum(keyframes) >= 2


def probe(url: str, *options: str) -> dict[str, Any]:
    argv = ["ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-show_streams", "-of", "json", *options, url]
    done = subprocess.run(argv, capture_output=True, timeout=LIMIT_S, check=True, stdin=subprocess.DEVNULL)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.needs("ffmpeg")
def test_whoever_watched_was_listed_with_transport_and_player(h264: Feed) -> None:
    known = len(h264.running.out)
    for player in ("ffmpeg-tcp", "ffmpeg-udp"):
        # Long enough to be seen by a look once a second.
        must_move(player, h264, 90)
    viewers = h264.viewers_since(known)
    seen = {(viewer["transport"], viewer["agent"].split("/")[0].rstrip("0123456789.")) for viewer in viewers}
    assert {("tcp", "Lavf"), ("udp", "Lavf")} <= seen
    assert all(viewer["frames_dropped"] <= BUSY for viewer in viewers)
    latest = h264.running.line("second")
    while latest["viewers"]:
        latest = h264.running.line("second")


@pytest.mark.needs("ffmpeg")
def test_many_players_at_once(h264: Feed) -> None:
    argv = ["ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-i", h264.url]
    out = ["-frames:v", "30", "-fps_mode", "passthrough", "-f", "framemd5", "-"]
    players = [
        subprocess.Popen([*argv, *out], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) for _ in range(6)
    ]
    try:
        for player in players:
            text, _ = player.communicate(timeout=LIMIT_S)
            assert len(set(hashes(text))) == 30
    finally:
        for player in players:
            player.kill()
            player.communicate()
