"""The FFmpeg child: one frame in, one frame out, and whatever may become of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
import pytest

from zlfeed.errors import EncoderError
from zlfeed.publisher.camera import FrameInfo
from zlfeed.publisher.encode import encoder as encoder_module
from zlfeed.publisher.encode import ffmpeg as ffmpeg_module
from zlfeed.publisher.encode.encoder import EncodedFrame, Encoder
from zlfeed.publisher.encode.ffmpeg import EncoderSettings, find_ffmpeg, version_of
from zlfeed.rtsp.codecs import CODECS
from zlfeed.rtsp.nal import split

pytestmark = pytest.mark.timeout(60)
LIMIT_S = 20.0
WIDTH, HEIGHT = 320, 240


def settings(
    fps: float = 30, codec: str = "h264", encoder: str = "auto", gop: int = 10, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> EncoderSettings:
    return EncoderSettings(*size, fps, 300_000, gop, codec, encoder)


def noise(number: int, width: int = WIDTH, height: int = HEIGHT) -> npt.NDArray[np.uint8]:
    """An I420 picture with detail, another for each number."""
    return np.random.default_rng(number).integers(0, 256, (height * 3 // 2, width), dtype=np.uint8)


class Rig:
    """An encoder and what came out of it."""

    def __init__(self, program: Path, wanted: EncoderSettings, *, warm: bool = False) -> None:
        self.frames: list[EncodedFrame] = []
        self.encoder = Encoder(program, wanted, lambda _encoder, frame: self.frames.append(frame), warm=warm)
        self._number = 0

    async def write(self, *, timeout_s: float = 5.0) -> bool:
        """Writes the next picture, as the capture thread does; whether it was taken."""
        number, self._number = self._number, self._number + 1
        size = self.encoder.settings
        frame = FrameInfo(number, 1_000_000 + number, time.monotonic_ns())
        return await asyncio.to_thread(self.encoder.write, noise(number, size.width, size.height), frame, timeout_s)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running(program: Path, wanted: EncoderSettings, *, warm: bool = False) -> AsyncIterator[Rig]:
    rig = Rig(program, wanted, warm=warm)
    await rig.encoder.start()
    try:
        yield rig
    finally:
        await asyncio.wait_for(rig.encoder.stop(), LIMIT_S)


@pytest.fixture(scope="module")
def program() -> Path:
    return find_ffmpeg(None)


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a program of a shell script."""

    def make(script: str) -> Path:
        path = tmp_path / "fake-ffmpeg"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return make


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


# ------------------------------------------------------------ at work


@pytest.mark.parametrize(
    ("fps", "codec"),
    [(30, "h264"), (29.97, "h264"), (30000 / 1001, "h264"), (5, "h264"), (23.976, "h265"), (60, "h265")],
)
async def test_each_frame_comes_out_once_in_order_and_at_once(program: Path, fps: float, codec: str) -> None:
    async with running(program, settings(fps, codec)) as rig:
        for number in range(45):
            assert await rig.write()
            # The next frame is not needed for this one to come out.
            await rig.until(lambda: len(rig.frames) > number)  # noqa: B023 - called at once
        assert rig.encoder.pending == 0
    assert [frame.source.frame.seq for frame in rig.frames] == list(range(45))
    assert [frame.source.frame.captured_us for frame in rig.frames] == [1_000_000 + n for n in range(45)]
    assert [number for number, frame in enumerate(rig.frames) if frame.keyframe] == [0, 10, 20, 30, 40]
    assert all(frame.encoded_ns > frame.source.started_ns for frame in rig.frames)


@pytest.mark.parametrize("codec", ["h264", "h265"])
async def test_the_first_frame_can_be_decoded_with_the_parameter_sets_that_are_known(program: Path, codec: str) -> None:
    async with running(program, settings(codec=codec)) as rig:
        await rig.write()
        await rig.until(lambda: bool(rig.frames))
        info = rig.encoder.stream
    assert info is not None
    assert (info.width, info.height) == (WIDTH, HEIGHT)
    kinds = CODECS[codec]
    units = split(info.extradata) + split(rig.frames[0].data)
    assert any(kinds.is_parameter_set(unit) for unit in units)
    assert any(kinds.is_keyframe(unit) for unit in units)


async def test_a_burst_of_frames_comes_out_whole(program: Path) -> None:
    async with running(program, settings(size=(1280, 720))) as rig:
        assert all([await rig.write() for _ in range(20)])
        await rig.until(lambda: len(rig.frames) == 20)
    assert [frame.source.frame.seq for frame in rig.frames] == list(range(20))


@pytest.mark.parametrize("codec", ["h264", "h265"])
async def test_a_warm_encoder_begins_with_a_keyframe_that_is_its_first_real_frame(program: Path, codec: str) -> None:
    async with running(program, settings(codec=codec), warm=True) as rig:
        assert await rig.encoder.warm_up(LIMIT_S)
        assert rig.frames == []
        await rig.write()
        await rig.write()
        await rig.until(lambda: len(rig.frames) == 2)
    assert [frame.source.frame.seq for frame in rig.frames] == [0, 1]
    # By the NAL units themselves: NUT's flag calls any I picture a keyframe.
    keyframes = [any(map(CODECS[codec].is_keyframe, split(frame.data))) for frame in rig.frames]
    assert keyframes == [True, False]


# ------------------------------------------------------------ in trouble


async def test_killed_it_says_so_and_takes_no_more(program: Path) -> None:
    async with running(program, settings()) as rig:
        await rig.write()
        await rig.until(lambda: bool(rig.frames))
        os.kill(rig.encoder.pid, signal.SIGKILL)
        said = await asyncio.wait_for(rig.encoder.wait(), LIMIT_S)
        assert "was killed by SIGKILL" in said
        assert rig.encoder.ended
        assert not await rig.write()
    assert not children()


async def test_stopped_dead_it_refuses_frames_in_time_and_is_ended_by_force(program: Path) -> None:
    async with running(program, settings(size=(1280, 720))) as rig:
        await rig.write()
        await rig.until(lambda: bool(rig.frames))
        os.kill(rig.encoder.pid, signal.SIGSTOP)
        began = time.monotonic()
        while await rig.write(timeout_s=0.3):
            assert time.monotonic() - began < LIMIT_S
        assert rig.encoder.pending or rig.encoder.failed
        assert rig.encoder.stalled(began) is None
        if rig.encoder.pending:
            assert "no frame for 1.5 s" in str(rig.encoder.stalled(began + LIMIT_S + 2))
    assert not children()


async def test_half_a_frame_is_the_end_of_an_encoder(
    fake: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What reads 100 KB and no more leaves a frame of 1.4 MB in the pipe unfinished.
    monkeypatch.setattr(encoder_module, "START_S", 0.5)
    async with running(fake("head -c 100000 >/dev/null; exec sleep 60"), settings(size=(1280, 720))) as rig:
        assert not await rig.write(timeout_s=0.5)
        assert rig.encoder.failed
        assert "in the middle of a frame" in rig.encoder.failed
        assert not await rig.write()


async def test_closing_it_frees_a_writer_that_waits(fake: Callable[[str], Path]) -> None:
    async with running(fake("exec sleep 60"), settings(size=(1280, 720))) as rig:
        writing = asyncio.create_task(rig.write(timeout_s=LIMIT_S))
        await asyncio.sleep(0.2)
        assert not writing.done()
        await rig.encoder.stop()
        assert not await asyncio.wait_for(writing, 5)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'all is lost' >&2; exit 3", ["ended with code 3", "all is lost"]),
        ("exit 0", ["ended with code 0"]),
        ("kill -SEGV $$", ["SIGSEGV"]),
        ("echo 'Usage: something-else [FILE]'; exec sleep 60", ["cannot be understood", "no NUT file id"]),
        ("head -c 100000 /dev/zero; exec sleep 60", ["cannot be understood"]),
        ("exec >&-; exec sleep 60", ["closed its output"]),
        ("echo 'rtsp://user:secret@host/x: refused' >&2; exit 1", ["rtsp://***@host/x"]),
    ],
)
async def test_a_program_that_is_no_encoder_is_told_by_what_it_does(
    fake: Callable[[str], Path], script: str, words: list[str]
) -> None:
    async with running(fake(script), settings()) as rig:
        said = await asyncio.wait_for(rig.encoder.wait(), LIMIT_S)
        assert all(word in said for word in words), said
        assert not await rig.write(timeout_s=0.2)
    assert rig.frames == []
    assert not children()


@pytest.mark.parametrize(
    ("codec", "encoder", "words"),
    [("h264", "libx265", "--codec h265"), ("h265", "libx264", "--codec h264"), ("h264", "mpeg4", "--encoder")],
)
async def test_an_encoder_of_another_codec_is_told_from_its_output(
    program: Path, codec: str, encoder: str, words: str
) -> None:
    async with running(program, settings(codec=codec, encoder=encoder)) as rig:
        await rig.write()
        said = await asyncio.wait_for(rig.encoder.wait(), LIMIT_S)
        assert f"{encoder} is no {codec} encoder" in said
        assert words in said
        assert not await rig.write()
    assert rig.frames == []


async def test_ffmpeg_s_own_words_are_passed_on(program: Path) -> None:
    async with running(program, settings(encoder="nosuch")) as rig:
        await rig.write()
        said = await asyncio.wait_for(rig.encoder.wait(), LIMIT_S)
    assert "nosuch" in said


async def test_a_program_that_is_not_there_or_no_program_is_said(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("hello")
    for path, words in ((tmp_path / "nothing", "No such file"), (text, "Permission denied")):
        rig = Rig(path, settings())
        try:
            await rig.encoder.start()
            said = await asyncio.wait_for(rig.encoder.wait(), LIMIT_S)
        except EncoderError as error:
            said = str(error)
        finally:
            await rig.encoder.stop()
        assert f"{path} cannot be run: {words}" in said
    assert not children()


def open_fds() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
async def test_twenty_encoders_leave_no_process_no_file_and_no_thread_behind(program: Path) -> None:
    async def one(number: int) -> None:
        async with running(program, settings()) as rig:
            if number % 3:
                await rig.write()
            if number % 3 == 2:
                os.kill(rig.encoder.pid, signal.SIGKILL)

    await one(0)
    before = open_fds()
    for number in range(20):
        await one(number)
    assert not children()
    assert open_fds() == before


# ------------------------------------------------------------ before it starts


@pytest.mark.parametrize("script", ["echo hello", "exit 1", "echo 'unknown option' >&2; exit 2"])
async def test_a_program_that_is_not_ffmpeg_is_named(fake: Callable[[str], Path], script: str) -> None:
    path = fake(script)
    with pytest.raises(EncoderError, match="is not FFmpeg") as caught:
        await version_of(path)
    assert str(path) in str(caught.value)
    assert "--ffmpeg-path" in str(caught.value)


async def test_a_program_that_does_not_answer_is_given_up(
    fake: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffmpeg_module, "_LIST_TIMEOUT_S", 0.5)
    with pytest.raises(EncoderError, match="did not answer"):
        await version_of(fake("exec sleep 60"))
    assert not children()


def test_ffmpeg_is_the_one_named_else_that_on_path_else_the_bundled_one(
    tmp_path: Path, fake: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = fake("exit 0")
    assert find_ffmpeg(own) == own
    with pytest.raises(EncoderError, match=r"--ffmpeg-path .*nothing"):
        find_ffmpeg(tmp_path / "nothing")
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    bundled = find_ffmpeg(None)
    assert bundled.parent != folder
    (folder / "ffmpeg").symlink_to(own)
    assert find_ffmpeg(None) == folder / "ffmpeg"
