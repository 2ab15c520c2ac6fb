"""The usual publisher: OpenCV pictures in BGR, written into FFmpeg's stdin, which pushes them to an RTSP server.

`python -m zlfeed.bench.programs.plain_publisher FFMPEG URL WIDTH HEIGHT FPS BITRATE GOP CODEC PIXELS`
runs until it is ended. PIXELS bgr24 is the plain way; yuv420p converts the picture first, and draws on that.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from zlfeed import timecode
from zlfeed.publisher.camera.pacing import Metronome
from zlfeed.publisher.camera.pattern import Pattern
from zlfeed.publisher.picture.overlay import Overlay

_GREEN = (0, 255, 0)
_ENCODERS = {"h264": "libx264", "h265": "libx265"}

Picture = npt.NDArray[np.uint8]


def argv(ffmpeg: str, url: str, size: str, fps: float, bitrate: int, gop: int, codec: str, pixels: str) -> list[str]:
    """The command that tutorials give; at 640x480, 30 fps, 800 kbit/s and bgr24 word for word."""
    rate, buffer = f"{bitrate // 1000}k", f"{bitrate // 4000}k"
    return [
        ffmpeg, "-f", "rawvideo", "-vcodec", "rawvideo", "-pix_fmt", pixels, "-s", size, "-r", f"{fps:g}", "-i", "-",
        "-c:v", _ENCODERS[codec], "-preset", "ultrafast", "-tune", "zerolatency",
        "-g", str(gop), "-b:v", rate, "-maxrate", rate, "-bufsize", buffer,
        "-f", "rtsp", "-rtsp_transport", "tcp", url,
    ]  # fmt: skip


def draw_on_bgr(picture: Picture, code: timecode.Timecode) -> None:
    """The wall clock and the timecode strip on a BGR picture, in place: what Overlay and timecode.draw do on I420."""
    height, width = picture.shape[:2]
    rows = timecode.strip_height(height)
    clock = time.strftime("%H:%M:%S", time.localtime(code.time_us // 1_000_000))
    text = f"{clock}.{code.time_us // 1000 % 1000:03d}"
    cv2.putText(picture, text, (8, rows + height // 16), cv2.FONT_HERSHEY_SIMPLEX, height / 600, _GREEN, 2)
    edges = np.arange(timecode.CELLS + 1) * width // timecode.CELLS
    # Greys that come out as the strip's luma values (BT.601, limited range).
    one, zero = (round((luma - 16) * 255 / 219) for luma in (timecode.ONE_LUMA, timecode.ZERO_LUMA))
    grey = np.where(timecode.encode_bits(code), one, zero).astype(np.uint8)
    picture[:rows] = np.repeat(grey, np.diff(edges))[:, None]


def _camera(width: int, height: int, fps: float) -> Callable[[], tuple[Picture, timecode.Timecode]]:
    """A camera as OpenCV gives it: the test picture in BGR at its tick, when it counts as captured."""
    pattern = Pattern(width, height)
    planes = np.empty((height * 3 // 2, width), np.uint8)
    metronome = Metronome(time.monotonic(), fps)

    def read() -> tuple[Picture, timecode.Timecode]:
        number, due = metronome.next(time.monotonic())
        pattern.draw(planes, number, number / fps)
        picture: Any = cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420)
        if (ahead := due - time.monotonic()) > 0:
            time.sleep(ahead)
        return picture, timecode.Timecode(time.time_ns() // 1000, number)

    return read


def main() -> None:
    """Publishes until FFmpeg or we are ended."""
    ffmpeg, url, *numbers, codec, pixels = sys.argv[1:]
    width, height, bitrate, gop = (int(numbers[i]) for i in (0, 1, 3, 4))
    fps = float(numbers[2])
    command = argv(ffmpeg, url, f"{width}x{height}", fps, bitrate, gop, codec, pixels)
    read = _camera(width, height, fps)
    overlay = Overlay(width, height)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as encoder:
        assert encoder.stdin is not None
        try:
            while True:
                picture, code = read()
                if pixels == "yuv420p":
                    planes: Any = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
                    overlay.draw(planes, "bench", code.time_us)
                    timecode.draw(planes, width, height, code)
                    encoder.stdin.write(planes.tobytes())
                else:
                    draw_on_bgr(picture, code)
                    encoder.stdin.write(picture.tobytes())
        except BrokenPipeError:
            sys.exit("FFmpeg ended")
        finally:
            encoder.terminate()


if __name__ == "__main__":
    main()
