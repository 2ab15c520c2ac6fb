"""Measures encoders as zlfeed runs them, on a real clip, and prints the tables of docs/encoders.md.

`python scripts/encoders.py CLIP [--bitrate 400k] [--frames 240] [--rounds 3]`: each frame goes in when the one before
has come out. Of several rounds, in which the cases follow one another, each figure is the middle one.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from zlfeed.config import parse_bitrate
from zlfeed.metrics import percentile
from zlfeed.publisher.encode.encoders import EncoderKind, kind_of
from zlfeed.publisher.encode.ffmpeg import EncoderSettings, encode_argv, find_ffmpegs, version_of
from zlfeed.publisher.encode.nut import NutDemuxer, Packet
from zlfeed.publisher.picture.i420 import Plane

_HELD_S = 0.5


@dataclass(frozen=True)
class Case:
    """One way to encode: an encoder, options in place of ours, a keyframe interval, the buffer in seconds."""

    encoder: str
    codec: str
    swap: tuple[str, str] = ("", "")
    gop: int = 25
    buffer_s: float = 0.25

    @property
    def preset(self) -> str:
        kind = kind_of(self.encoder, self.codec)
        return self.swap[1] or next((b for a, b in zip(kind.options, kind.options[1:], strict=False) if a in
                                     ("-preset", "-cpu-used")), "")  # fmt: skip


@dataclass(frozen=True)
class Figures:
    """What came of it. Times in ms; `cpu_ms` is of all threads, a frame; `largest` in bytes."""

    p50: float
    p99: float
    cpu_ms: float
    held: int
    kbps: float
    largest: int
    psnr: float
    ssim: float


def cases() -> Iterator[Case]:
    """The presets, the keyframe intervals and the buffers that are compared."""
    for preset in ("ultrafast", "superfast", "veryfast"):
        yield Case("libx264", "h264", ("ultrafast", preset))
    for gop in (5, 50, 250):
        yield Case("libx264", "h264", gop=gop)
    for buffer_s in (0.1, 0.5, 1.0):
        yield Case("libx264", "h264", buffer_s=buffer_s)
    for preset in ("ultrafast", "superfast"):
        yield Case("libx265", "h265", ("ultrafast", preset))
    for preset in ("12", "10", "8"):
        yield Case("libsvtav1", "av1", ("12", preset))
    yield Case("libaom-av1", "av1")


def read_clip(path: Path, most: int) -> tuple[list[Plane], float]:
    """The clip's frames as I420, and its rate."""
    capture = cv2.VideoCapture(str(path))
    fps = capture.get(cv2.CAP_PROP_FPS)
    frames: list[Plane] = []
    while len(frames) < most:
        got, picture = capture.read()
        if not got:
            break
        rows, columns = (side // 2 * 2 for side in picture.shape[:2])
        frames.append(np.asarray(cv2.cvtColor(picture[:rows, :columns], cv2.COLOR_BGR2YUV_I420), np.uint8))
    if not frames:
        sys.exit(f"{path} holds no picture that can be decoded")
    return frames, fps


async def measure(program: Path, case: Case, frames: Sequence[Plane], settings: EncoderSettings) -> Figures:
    """Encodes the frames one by one."""
    kind = kind_of(case.encoder, case.codec)
    wanted = replace(settings, codec=case.codec, encoder=case.encoder, gop=case.gop)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = await asyncio.create_subprocess_exec(
        *_argv(program, wanted, kind, case), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin
    assert process.stdout
    demuxer, packets, raw = NutDemuxer(), list[Packet](), bytearray()
    came = asyncio.Event()

    async def read() -> None:
        assert process.stdout
        while data := await process.stdout.read(1 << 18):
            raw.extend(data)
            packets.extend(demuxer.feed(data))
            came.set()

    reading = asyncio.create_task(read())
    times, held = [], 0
    for number, frame in enumerate(frames):
        began = time.perf_counter()
        process.stdin.write(frame.tobytes())
        while len(packets) <= number - held:
            came.clear()
            try:
                await asyncio.wait_for(came.wait(), 5.0 if not packets else _HELD_S)
            except TimeoutError:
                held += 1
        times.append((time.perf_counter() - began) * 1000)
    process.stdin.close()
    await reading
    await process.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    psnr, ssim = await asyncio.to_thread(_quality, program, bytes(raw), frames, wanted)
    sizes = [len(packet.data) for packet in packets]
    steady = times[10:]
    return Figures(
        statistics.median(steady), percentile(steady, 99) or 0, cpu * 1000 / len(frames), held,
        sum(sizes) * 8 / 1000 / (len(frames) / settings.fps), max(sizes[1:]), psnr, ssim,
    )  # fmt: skip


def _argv(program: Path, settings: EncoderSettings, kind: EncoderKind, case: Case) -> list[str]:
    argv = encode_argv(program, settings, warm=False)
    if case.swap[0]:
        where = argv.index("-c:v")
        argv[argv.index(case.swap[0], where)] = case.swap[1]
    if kind.limits == "vbv":
        argv[argv.index("-bufsize") + 1] = str(round(settings.bitrate * case.buffer_s))
    return argv


def _quality(program: Path, nut: bytes, frames: Sequence[Plane], settings: EncoderSettings) -> tuple[float, float]:
    """PSNR in dB and SSIM of the decoded frames against the clip's, all planes."""
    with tempfile.TemporaryDirectory() as folder:
        encoded, plain = Path(folder, "encoded.nut"), Path(folder, "plain.yuv")
        encoded.write_bytes(nut)
        plain.write_bytes(b"".join(frame.tobytes() for frame in frames))
        said = []
        even = "settb=1/1000,setpts=N*10"  # by number: the two have other time bases
        for measure_by in ("psnr", "ssim"):
            done = subprocess.run(
                [
                    program, "-hide_banner", "-i", encoded, "-f", "rawvideo", "-pix_fmt", "yuv420p",
                    "-s", f"{settings.width}x{settings.height}", "-r", str(settings.rate), "-i", plain,
                    "-lavfi", f"[0:v]{even}[a];[1:v]{even}[b];[a][b]{measure_by}", "-f", "null", "-",
                ],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            said.append(done.stderr)
    psnr = re.search(r"PSNR.*average:([\d.]+)", said[0])
    ssim = re.search(r"SSIM.*All:([\d.]+)", said[1])
    assert psnr
    assert ssim
    return float(psnr[1]), float(ssim[1])


def middle(rounds: Sequence[Figures]) -> Figures:
    """Each figure's median."""
    columns = zip(*map(astuple, rounds), strict=True)
    p50, p99, cpu_ms, held, kbps, largest, psnr, ssim = (statistics.median(column) for column in columns)
    return Figures(p50, p99, cpu_ms, round(held), kbps, round(largest), psnr, ssim)


async def run(clip: Path, bitrate: int, most: int, rounds: int) -> None:
    """Measures all cases with each FFmpeg, and prints a table for each."""
    frames, fps = read_clip(clip, most)
    height, width = frames[0].shape[0] * 2 // 3, frames[0].shape[1]
    settings = EncoderSettings(width, height, fps, bitrate, 25)
    print(f"{clip.name}: {width}×{height} at {fps:g} fps, {len(frames)} frames, {bitrate // 1000} kbit/s")
    for program in find_ffmpegs(None):
        print(f"\nFFmpeg {(await version_of(program)).split()[2]}\n")
        print(
            "| encoder | preset | GOP | buffer | p50 ms | p99 ms | held | CPU ms | kbit/s | largest KB | PSNR | SSIM |"
        )
        print("|---|---|---|---|---|---|---|---|---|---|---|---|")
        found: dict[Case, list[Figures]] = {}
        for _ in range(rounds):
            for case in cases():
                found.setdefault(case, []).append(await measure(program, case, frames, settings))
        for case, figures in found.items():
            f = middle(figures)
            buffer = f"{case.buffer_s:g} s" if kind_of(case.encoder, case.codec).limits == "vbv" else "–"
            print(
                f"| {case.encoder} | {case.preset} | {case.gop} | {buffer} | {f.p50:.1f} | {f.p99:.1f} | {f.held} | "
                f"{f.cpu_ms:.1f} | {f.kbps:.0f} | {f.largest / 1000:.1f} | {f.psnr:.2f} | {f.ssim:.4f} |", flush=True
            )  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--bitrate", type=parse_bitrate, default=400_000)
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    asyncio.run(run(given.clip, given.bitrate, given.frames, given.rounds))
