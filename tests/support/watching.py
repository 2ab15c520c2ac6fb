"""Viewers that know nothing of zlfeed: FFmpeg, GStreamer and OpenCV decode, the timecode strip says what they saw."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import psutil

from zlfeed import timecode
from zlfeed.timecode import FRAME_MODULUS, Timecode

WIDTH, HEIGHT = 320, 240
"""What every viewer scales its pictures to; the strip can be read at any size."""

_OPENCV = """
import sys, cv2
capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
if not capture.isOpened():
    sys.exit("OpenCV cannot open it")
out = sys.stdout.buffer
while True:
    ok, picture = capture.read()
    if not ok:
        sys.exit("OpenCV lost it")
    out.write(cv2.resize(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (320, 240)).tobytes())
    out.flush()
"""
_OPENCV_OPTIONS = "rtsp_transport;tcp|probesize;32|analyzeduration;0|max_delay;0|reorder_queue_size;0"


class Player(NamedTuple):
    """A program that plays a URL, as grey pictures to its stdout."""

    name: str
    command: Sequence[str]


def ffmpeg(url: str) -> Player:
    """FFmpeg."""
    size = f"{WIDTH}x{HEIGHT}"
    command = [
        *("ffmpeg", "-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-probesize", "32", "-threads", "1"),
        *("-analyzeduration", "0", "-i", url, "-an", "-fps_mode", "passthrough", "-s", size, "-pix_fmt", "gray"),
        *("-f", "rawvideo", "-flush_packets", "1", "pipe:1"),
    ]
    return Player("FFmpeg", command)


def gstreamer(url: str) -> Player:
    """GStreamer."""
    grey = f"video/x-raw,format=GRAY8,width={WIDTH},height={HEIGHT}"
    parts = f"rtspsrc location={url} latency=0 protocols=tcp ! rtph264depay ! avdec_h264 ! videoconvert ! videoscale"
    command = ["gst-launch-1.0", "-q", *parts.split(), "!", grey, "!", "fdsink", "fd=1", "sync=false"]
    return Player("GStreamer", command)


def opencv(url: str) -> Player:
    """OpenCV: `cv2.VideoCapture` alone."""
    options = f"OPENCV_FFMPEG_CAPTURE_OPTIONS={_OPENCV_OPTIONS}"
    return Player("OpenCV", ["env", options, sys.executable, "-P", "-c", _OPENCV, url])


class Sighting(NamedTuple):
    """A picture in a viewer's hand: when (monotonic s), its strip if it had one, its mean brightness (0–255)."""

    at: float
    code: Timecode | None
    luma: float


class Watcher:
    """One viewer and all it has seen. It has one session: it never opens the URL again, and ends when that ends."""

    def __init__(self, player: Player) -> None:
        self.name = player.name
        self.sightings: list[Sighting] = []
        self._process = subprocess.Popen(
            player.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        self._words: deque[bytes] = deque(maxlen=64)
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._read, self._hear)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        alive = self.alive
        if alive:
            for child in psutil.Process(self._process.pid).children(recursive=True):
                child.kill()
            self._process.kill()
        self._process.wait(10)
        for thread in self._threads:
            thread.join(10)
        assert self._process.stdout
        assert self._process.stderr
        words = b"".join(self._words).decode(errors="replace")
        self._process.stdout.close()
        self._process.stderr.close()
        if error is not None:
            error.add_note(f"{self.name} saw {len(self.sightings)} pictures, alive: {alive}, and said: {words[-1000:]}")

    def _hear(self) -> None:
        """Takes what it says: with a full pipe to say it into, a player would stand still."""
        assert self._process.stderr
        while words := self._process.stderr.read(1 << 12):
            self._words.append(words)

    def _read(self) -> None:
        assert self._process.stdout
        size = WIDTH * HEIGHT
        picture = bytearray(size)
        view, filled = memoryview(picture), 0
        while got := self._process.stdout.readinto(view[filled:]):  # type: ignore[attr-defined]
            filled += got
            if filled == size:
                now, filled = time.monotonic(), 0
                grey = np.frombuffer(picture, np.uint8).reshape(HEIGHT, WIDTH)
                # Below the strip and the clock, above nothing: what the camera showed.
                self.sightings.append(Sighting(now, timecode.read(grey), float(grey[HEIGHT // 2 :].mean())))

    @property
    def alive(self) -> bool:
        """Whether its session goes on."""
        return self._process.poll() is None

    def until(self, seen: Callable[[Sighting], object], within_s: float, *, after: float = 0.0) -> Sighting:
        """The first picture since the moment `after` of which `seen` is true."""
        deadline = time.monotonic() + within_s
        index = 0
        while time.monotonic() < deadline:
            while index < len(self.sightings):
                sighting = self.sightings[index]
                index += 1
                if sighting.at >= after and seen(sighting):
                    return sighting
            assert self.alive, f"{self.name} ended"
            time.sleep(0.005)
        raise AssertionError(f"{self.name} saw no such picture within {within_s:g} s")

    def first(self, within_s: float = 20.0) -> Sighting:
        """Its first picture."""
        return self.until(lambda sighting: True, within_s)

    def past(self, moment: float, within_s: float = 15.0) -> None:
        """Waits for a picture later than `moment`."""
        self.until(lambda sighting: True, max(0.0, moment - time.monotonic()) + within_s, after=moment)

    def between(self, start: float, end: float) -> list[Sighting]:
        """What it saw from `start` to `end`."""
        return [sighting for sighting in tuple(self.sightings) if start <= sighting.at <= end]

    def latencies_ms(self, start: float, end: float) -> list[float]:
        """How old the pictures were that it saw from `start` to `end`; the publisher has this machine's clock."""
        now_us, now = time.time_ns() // 1000, time.monotonic()
        ages = []
        for sighting in self.between(start, end):
            if sighting.code:
                at_us = now_us - (now - sighting.at) * 1e6
                ages.append((at_us - timecode.unwrap(sighting.code.time_us, now_us)) / 1000)
        return ages

    def gap_ms(self, start: float, end: float) -> float:
        """The longest time between two pictures, the first of them at `start` at the earliest."""
        times = [sighting.at for sighting in self.between(start, end)]
        assert len(times) > 1, f"{self.name} saw {len(times)} pictures in {end - start:.1f} s"
        return max(later - earlier for earlier, later in itertools.pairwise(times)) * 1000

    def missed(self, start: float, end: float) -> int:
        """How many frames are missing between those seen from `start` to `end`, by their numbers."""
        numbers = [sighting.code.frame for sighting in self.between(start, end) if sighting.code]
        steps = [(later - earlier) % FRAME_MODULUS for earlier, later in itertools.pairwise(numbers)]
        return sum(step - 1 for step in steps if 1 < step < FRAME_MODULUS // 2)
