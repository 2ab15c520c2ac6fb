"""An encoder put to the test: a few frames, one at a time, by what it gives back and when."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zlfeed.errors import EncoderError
from zlfeed.metrics import percentile
from zlfeed.publisher.camera import FrameInfo
from zlfeed.publisher.encode.encoder import START_S, EncodedFrame, Encoder
from zlfeed.publisher.encode.ffmpeg import EncoderSettings
from zlfeed.publisher.picture.i420 import Plane

FRAMES = 24
"""At the rate at which they are encoded, not that of a camera: some tens of milliseconds beside FFmpeg's start."""
_NEXT_S = 0.15
"""A frame that is not back by then is followed by the next: it may be held back until then."""
_LAST_S = 1.0
"""The last ones have this long: on a busy machine that they are late does not mean that they are held back."""
_MOST_HELD = 10
_ENOUGH, _LONG_S = 12, 1.5
"""So many frames are enough of an encoder that takes long."""
_PATIENCE_S = 4.0
"""With so many inside and none coming out: on a small or busy machine FFmpeg takes seconds to load."""
_WARM_UP = 3
"""The first frames are not typical: caches are cold."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it. `works`: frames came out, of the right codec. `why` says why they did not.

    `held` is how many frames stay inside: one goes in and one comes out when it is 0. `p50_ms` and `p95_ms` are from
    the raw frame's first byte in to the encoded one's last byte out, None when too few came.
    `lasting`: it would be the same again. `other_codec`: it encodes, but not what was asked for.
    """

    encoder: str
    program: str
    works: bool
    held: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    why: str = ""
    lasting: bool = True
    other_codec: bool = False

    def keeps_pace(self, fps: float) -> bool:
        """Whether it encodes at that rate with something to spare."""
        return self.works and self.p95_ms is not None and self.p95_ms < 600 / fps

    def swift(self, fps: float) -> bool:
        """Whether it is so quick that no other could be better by much: a quarter of a frame's time, nothing held."""
        return self.works and not self.held and self.p95_ms is not None and self.p95_ms < 250 / fps


def order(trials: list[Trial], fps: float) -> list[Trial]:
    """Those that work, best first: that hold no frame back, that keep pace, by latency."""

    def merit(trial: Trial) -> tuple[bool, bool, float]:
        return trial.held > 0, not trial.keeps_pace(fps), trial.p50_ms or 1e9

    return sorted((trial for trial in trials if trial.works), key=merit)


async def attempt(program: Path, settings: EncoderSettings) -> Trial:
    """Encodes a few frames as `settings` say, with `program`; never raises."""
    taken: list[EncodedFrame] = []
    news = asyncio.Event()

    def on_frame(_encoder: Encoder, frame: EncodedFrame) -> None:
        taken.append(frame)
        news.set()

    def failed(why: str, *, lasting: bool = True, other_codec: bool = False) -> Trial:
        return Trial(settings.name, str(program), False, why=why, lasting=lasting, other_codec=other_codec)

    try:
        encoder = Encoder(program, settings, on_frame)
        await encoder.start()
    except EncoderError as error:
        return failed(str(error))
    try:
        written = typical = 0
        began = time.monotonic()
        for raw in _pictures(settings.width, settings.height):
            if written == FRAMES or (written >= _ENOUGH and time.monotonic() > began + _LONG_S):
                break
            if written - len(taken) >= _MOST_HELD:
                inside = written - len(taken)
                await _until(news, lambda: written - len(taken) < inside or encoder.ended, _PATIENCE_S)  # noqa: B023
                if written - len(taken) == inside:
                    break
            typical = typical or (written + _WARM_UP if taken else 0)
            frame = FrameInfo(written, time.time_ns() // 1000, time.monotonic_ns())
            if not await asyncio.to_thread(encoder.write, raw, frame, START_S):
                break
            written += 1
            await _until(news, lambda: len(taken) >= written or encoder.ended, _NEXT_S)  # noqa: B023
        await _until(news, lambda: len(taken) >= written or encoder.ended, _LAST_S)
        if encoder.ended or encoder.failed or not taken:
            if encoder.other_codec:
                return failed(encoder.failed or "", other_codec=True)
            words = await encoder.wait() if encoder.ended else encoder.failed or "FFmpeg encoded nothing"
            return failed(_cause(encoder.log_lines()) or words, lasting=encoder.ended)
    finally:
        await asyncio.shield(encoder.stop(force=True))
    times = [(f.encoded_ns - f.source.started_ns) / 1e6 for f in taken if f.source.frame.seq >= typical]
    return Trial(settings.name, str(program), True, written - len(taken), percentile(times, 50), percentile(times, 95))


def _cause(lines: Sequence[str]) -> str:
    """FFmpeg's first complaint, which is the cause; what follows is only what becomes of it."""
    first = next((line for line in lines if "deprecated" not in line), "")
    return re.sub(r"^(\[[^\]]*\]\s*)+", "", first).rstrip(".")


async def _until(news: asyncio.Event, met: Callable[[], bool], limit_s: float) -> None:
    """Waits until it is met, looking whenever a frame came, up to `limit_s` seconds."""
    deadline = time.monotonic() + limit_s
    while not met() and (left := deadline - time.monotonic()) > 0:
        news.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(news.wait(), min(left, 0.05))


def _pictures(width: int, height: int) -> Iterator[Plane]:
    """Pictures with detail that moves, I420 of shape (height·3/2, width)."""
    rows, columns = np.mgrid[0:height, 0:width]
    rng = np.random.default_rng(1)
    luma = ((rows * 2 + columns) % 192 + 32).astype(np.uint8)
    luma += rng.integers(0, 24, luma.shape, dtype=np.uint8)
    picture = np.full((height * 3 // 2, width), 128, np.uint8)
    step = 0
    while True:
        picture[:height] = np.roll(luma, (step * 2, step * 3), (0, 1))
        yield picture.copy()
        step += 1
