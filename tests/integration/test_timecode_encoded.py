"""The timecode strip after a real encoder and a decoder that knows nothing of it: nothing may be unread."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from zlfeed import timecode
from zlfeed.publisher.camera import FrameInfo
from zlfeed.publisher.camera.pattern import Pattern
from zlfeed.publisher.encode.encoder import EncodedFrame, Encoder
from zlfeed.publisher.encode.ffmpeg import EncoderSettings, find_ffmpeg
from zlfeed.timecode import Timecode

FRAMES = 40
FIRST_US = 1_700_000_000_000_000
LIMIT_S = 40.0


@pytest.fixture(scope="module")
def program() -> Path:
    return find_ffmpeg(None)


async def encoded(program: Path, settings: EncoderSettings) -> tuple[bytes, list[EncodedFrame]]:
    """The test picture, 1/30 s a frame, through our encoder: parameter sets and frames, Annex B."""
    frames: list[EncodedFrame] = []
    encoder = Encoder(program, settings, lambda _encoder, frame: frames.append(frame))
    pattern = Pattern(settings.width, settings.height)
    raw = np.empty((settings.height * 3 // 2, settings.width), np.uint8)
    await encoder.start()
    try:
        async with asyncio.timeout(LIMIT_S):
            for number in range(FRAMES):
                pattern.draw(raw, number, number / 30)
                timecode.draw(raw, settings.width, settings.height, expected(number))
                frame = FrameInfo(number, expected(number).time_us, time.monotonic_ns())
                while not await asyncio.to_thread(encoder.write, raw, frame, LIMIT_S):
                    await asyncio.sleep(0.01)
            while len(frames) < FRAMES:
                await asyncio.sleep(0.01)
    finally:
        await encoder.stop()
    assert encoder.stream is not None
    return encoder.stream.extradata, frames


def expected(number: int) -> Timecode:
    return Timecode((FIRST_US + number * 33_333) % timecode.TIME_MODULUS, number)


async def decoded(program: Path, data: bytes, codec: str, size: tuple[int, int], scaler: str) -> list[timecode.Plane]:
    """Annex B through FFmpeg's decoder and, when it is another size, its scaler; luma only."""
    argv = [
        str(program), "-v", "error", "-f", {"h264": "h264", "h265": "hevc"}[codec], "-i", "pipe:0",
        "-vf", f"scale={size[0]}:{size[1]}:flags={scaler}", "-fps_mode", "passthrough",
        "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1",
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(*argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        async with asyncio.timeout(LIMIT_S):
            out, _ = await process.communicate(data)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return list(np.frombuffer(out, np.uint8).reshape(-1, size[1], size[0]))


@pytest.mark.parametrize(
    ("size", "kbps", "codec", "shown"),
    [
        ((320, 240), 100, "h264", (320, 240)),
        ((320, 240), 100, "h265", (320, 240)),
        ((640, 480), 800, "h264", (640, 480)),
        ((640, 480), 100, "h264", (800, 600)),
        ((640, 480), 100, "h265", (426, 320)),
        ((1280, 720), 400, "h264", (640, 360)),
        ((1920, 1080), 800, "h264", (1920, 1080)),
    ],
)
async def test_every_strip_is_read_and_says_which_frame_it_is(
    program: Path, size: tuple[int, int], kbps: int, codec: str, shown: tuple[int, int]
) -> None:
    settings = EncoderSettings(*size, 30, kbps * 1000, 30, codec)
    head, frames = await encoded(program, settings)
    # Each encoded frame is matched with the raw frame that it shows.
    assert [frame.source.frame.seq for frame in frames] == list(range(FRAMES))
    scaler = "bilinear" if shown[0] < size[0] else "bicubic"
    pictures = await decoded(program, head + b"".join(frame.data for frame in frames), codec, shown, scaler)
    assert [timecode.read(picture) for picture in pictures] == [expected(number) for number in range(FRAMES)]
