"""One encoder at work and a warm spare: crashes, stalls, changes and keyframes under a running feed."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from zlfeed.errors import EncoderError
from zlfeed.publisher.camera import FrameInfo
from zlfeed.publisher.encode.encoder import EncodedFrame, Encoder
from zlfeed.publisher.encode.encoding import Encoding
from zlfeed.publisher.encode.ffmpeg import EncoderSettings, find_ffmpeg

pytestmark = pytest.mark.timeout(60)
LIMIT_S = 25.0
SETTINGS = EncoderSettings(320, 240, 30, 300_000, 300)


class Rig:
    """An Encoding that is fed as the capture thread feeds it."""

    def __init__(self, program: Path) -> None:
        self.frames: list[tuple[Encoder, EncodedFrame]] = []
        self.restarts: list[str] = []
        self.encoding = Encoding(
            program, lambda encoder, frame: self.frames.append((encoder, frame)), self.restarts.append
        )
        self.feeding = True
        self._numbers = itertools.count()
        self._noise = np.random.default_rng(1).integers(0, 256, 1 << 22, dtype=np.uint8)

    def write(self) -> bool:
        """The next raw frame into the encoder of the moment."""
        encoder = self.encoding.current
        if encoder is None:
            return False
        number = next(self._numbers)
        start = number * 777 % 10_000
        raw = self._noise[start : start + encoder.settings.frame_bytes].copy()
        return encoder.write(raw, FrameInfo(number, number, time.monotonic_ns()), 2.0)

    async def feed(self) -> None:
        """About 30 frames a second until cancelled."""
        while True:
            if self.feeding:
                await asyncio.to_thread(self.write)
            await asyncio.sleep(1 / 30)

    @property
    def numbers(self) -> list[int]:
        return [frame.source.frame.seq for _, frame in self.frames]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                await asyncio.sleep(0.01)

    async def more(self, count: int = 10) -> None:
        """Waits for that many encoded frames."""
        goal = len(self.frames) + count
        await self.until(lambda: len(self.frames) >= goal)

    async def spare(self) -> None:
        """Waits until the spare is warm."""
        await self.until(lambda: self.encoding._spare is not None)

    def pid(self) -> int:
        assert self.encoding.current is not None
        return self.encoding.current.pid


@contextlib.asynccontextmanager
async def encoding(program: Path, *, feed: bool = True) -> AsyncIterator[Rig]:
    rig = Rig(program)
    rig.encoding.want(SETTINGS)
    tasks = [asyncio.create_task(rig.encoding.run())]
    if feed:
        tasks.append(asyncio.create_task(rig.feed()))
    try:
        yield rig
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), LIMIT_S)
    assert not psutil.Process().children(recursive=True)


@pytest.fixture(scope="module")
def program() -> Path:
    return find_ffmpeg(None)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_when_the_encoder_fails_the_spare_goes_on_with_a_keyframe(program: Path, number: int) -> None:
    async with encoding(program) as rig:
        await rig.more()
        await rig.spare()
        before = rig.encoding.current
        os.kill(rig.pid(), number)
        await rig.until(lambda: rig.frames[-1][0] is not before)
        await rig.more()
        assert len(rig.restarts) == 1
        first = next(frame for encoder, frame in rig.frames if encoder is not before)
        assert first.keyframe
        assert rig.numbers == sorted(set(rig.numbers))
        # What the failed one had taken with it is counted, and nothing else is missing.
        missing = rig.numbers[-1] + 1 - len(rig.numbers)
        assert missing <= rig.encoding.frames_lost + 3
        # And there is another spare.
        await rig.spare()


async def test_when_both_fail_a_new_one_is_started(program: Path) -> None:
    async with encoding(program) as rig:
        await rig.more()
        await rig.spare()
        for process in psutil.Process().children(recursive=True):
            process.kill()
        await rig.until(lambda: bool(rig.restarts))
        await rig.more(30)
        assert rig.numbers == sorted(set(rig.numbers))


async def test_a_wanted_keyframe_comes_out_of_turn_and_no_frame_is_lost(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with encoding(program) as rig:
        await rig.more()
        await rig.spare()
        await rig.until(lambda: bool(rig.frames))
        keyframes = sum(frame.keyframe for _, frame in rig.frames)
        rig.encoding.want_keyframe()
        await rig.until(lambda: sum(frame.keyframe for _, frame in rig.frames) > keyframes)
        # But not again and again: with its interval not over yet, the one at work stays.
        monkeypatch.setattr("zlfeed.publisher.encode.encoding.KEYFRAME_INTERVAL_S", 3600.0)
        await rig.spare()
        at_work = rig.encoding.current
        rig.encoding.want_keyframe()
        await rig.more()
        assert rig.encoding.current is at_work
        assert rig.restarts == []
        assert rig.numbers == list(range(len(rig.numbers)))


async def test_another_bitrate_takes_over_without_losing_a_frame(program: Path) -> None:
    async with encoding(program) as rig:
        await rig.more()
        wanted = dataclasses.replace(SETTINGS, bitrate=150_000)
        rig.encoding.want(wanted)
        await rig.until(lambda: rig.frames[-1][0].settings == wanted)
        await rig.more()
        assert rig.restarts == []
        assert rig.numbers == list(range(len(rig.numbers)))


async def test_a_change_before_the_first_frame_is_made_too(program: Path) -> None:
    # The camera turns out to be of another size than the slate that was to be shown first.
    async with encoding(program, feed=False) as rig:
        await rig.until(lambda: rig.encoding.current is not None)
        wanted = dataclasses.replace(SETTINGS, width=640)
        rig.encoding.want(wanted)
        await rig.until(lambda: rig.encoding.current is not None and rig.encoding.current.settings == wanted)
        feeding = asyncio.create_task(rig.feed())
        await rig.more()
        feeding.cancel()
        assert rig.restarts == []


async def test_a_camera_that_was_silent_for_long_is_no_stall(program: Path) -> None:
    async with encoding(program) as rig:
        await rig.more()
        pid = rig.pid()
        rig.feeding = False
        await asyncio.sleep(2.5)
        rig.feeding = True
        await rig.more()
        assert rig.restarts == []
        assert rig.pid() == pid


async def test_an_ffmpeg_that_is_slow_to_start_is_waited_for(program: Path, tmp_path: Path) -> None:
    # As on a small or busy machine, where it takes seconds to load.
    script = tmp_path / "ffmpeg"
    script.write_text(f'#!/bin/sh\nsleep 3\nexec {program} "$@"\n')
    script.chmod(0o755)
    rig = Rig(script)
    rig.encoding.want(dataclasses.replace(SETTINGS, width=1280, height=720))
    tasks = [asyncio.create_task(rig.encoding.run()), asyncio.create_task(rig.feed())]
    try:
        await rig.more()
        assert rig.restarts == []
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), LIMIT_S)


async def test_when_the_first_encoder_gives_nothing_that_is_an_error(tmp_path: Path) -> None:
    script = tmp_path / "ffmpeg"
    script.write_text("#!/bin/sh\necho no luck >&2\nexit 1\n")
    script.chmod(0o755)
    rig = Rig(script)
    rig.encoding.want(SETTINGS)
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(rig.encoding.run(), LIMIT_S)
    (error,) = caught.value.exceptions
    assert isinstance(error, EncoderError)
    assert "no luck" in str(error)
