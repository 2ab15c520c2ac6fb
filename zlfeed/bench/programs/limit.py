"""The limit: encode and decode in one process, with no transport between them. Needs PyAV (pip install av).

`python -m zlfeed.bench.programs.limit WIDTH HEIGHT FPS BITRATE GOP CODEC SECONDS`
The same picture, drawn upon alike, encoded with the same settings, decoded with one thread and converted to BGR as
OpenCV hands it out.
"""

from __future__ import annotations

import importlib
import sys
import time
from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from zlfeed import timecode
from zlfeed.bench.programs.speech import say
from zlfeed.bench.programs.viewing import Recorder, finish
from zlfeed.metrics import percentile
from zlfeed.publisher.camera.pacing import Metronome
from zlfeed.publisher.camera.pattern import Pattern
from zlfeed.publisher.picture.overlay import Overlay


def _codecs(av: Any, width: int, height: int, fps: float, bitrate: int, gop: int, codec: str) -> tuple[Any, Any]:
    encoder = av.CodecContext.create({"h264": "libx264", "h265": "libx265"}[codec], "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate = Fraction(fps).limit_denominator(1001)
    encoder.time_base = 1 / encoder.framerate
    encoder.bit_rate, encoder.gop_size, encoder.max_b_frames = bitrate, gop, 0
    encoder.thread_count = 0  # as many as x264 finds right, which is what the ffmpeg program asks for
    encoder.options = {
        "preset": "ultrafast", "tune": "zerolatency", "maxrate": str(bitrate), "bufsize": str(bitrate // 4),
    } | ({"x265-params": "log-level=error"} if codec == "h265" else {})  # fmt: skip
    decoder = av.CodecContext.create({"h264": "h264", "h265": "hevc"}[codec], "r")
    decoder.thread_count = 1
    return encoder, decoder


def main() -> None:
    """Encodes and decodes at the pace of a camera, and says what it took."""
    width, height, bitrate, gop = (int(sys.argv[i]) for i in (1, 2, 4, 5))
    fps, codec, seconds = float(sys.argv[3]), sys.argv[6], float(sys.argv[7])
    av = importlib.import_module("av")
    encoder, decoder = _codecs(av, width, height, fps, bitrate, gop, codec)
    pattern, overlay = Pattern(width, height), Overlay(width, height)
    planes = np.empty((height * 3 // 2, width), np.uint8)
    recorder = Recorder(seconds)
    metronome = Metronome(time.monotonic(), fps)
    stages: dict[str, list[float]] = {name: [] for name in ("draw", "encode", "decode", "convert")}
    going = True
    while going:
        number, due = metronome.next(time.monotonic())
        pattern.draw(planes, number, number / fps)
        time.sleep(max(0.0, due - time.monotonic()))
        began = time.monotonic_ns()
        code = timecode.Timecode(time.time_ns() // 1000, number)
        overlay.draw(planes, "bench", code.time_us)
        timecode.draw(planes, width, height, code)
        marks = [began, time.monotonic_ns()]
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = number
        packets = encoder.encode(frame)
        marks.append(time.monotonic_ns())
        decoded = [picture for packet in packets for picture in decoder.decode(packet)]
        marks.append(time.monotonic_ns())
        images = [cv2.cvtColor(picture.to_ndarray(), cv2.COLOR_YUV2BGR_I420) for picture in decoded]
        marks.append(time.monotonic_ns())
        for image in images:
            going = recorder.take(image)
        for name, start, end in zip(stages, marks, marks[1:], strict=False):
            stages[name].append((end - start) / 1e6)
    say("stages", **{name: percentile(values, 50) for name, values in stages.items()})
    finish(**recorder.report())


if __name__ == "__main__":
    main()
