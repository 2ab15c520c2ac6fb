"""Where FFmpeg is, and how it is told to encode: one raw frame in, one encoded frame out, at once."""

from __future__ import annotations

import asyncio
import contextlib
import glob
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from zlfeed.errors import EncoderError
from zlfeed.publisher.encode.encoders import DEVICE, EncoderKind, default_name, kind_of

_LIST_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """What an encoder is asked for. `fps` is the nominal rate; `gop` in frames; `bitrate` in bit/s."""

    width: int
    height: int
    fps: float
    bitrate: int
    gop: int
    codec: str = "h264"
    encoder: str = "auto"
    preset: str = ""
    """As the encoder calls it; empty: ours."""
    program: Path | None = None
    """An FFmpeg of its own; None: the usual one."""

    @property
    def frame_bytes(self) -> int:
        """Size of a raw I420 frame."""
        return self.width * self.height * 3 // 2

    @property
    def name(self) -> str:
        """FFmpeg's name of the encoder."""
        return default_name(self.codec) if self.encoder == "auto" else self.encoder

    @property
    def rate(self) -> Fraction:
        """Frames per second as FFmpeg takes it; the index of a frame is its time times this."""
        return Fraction(self.fps).limit_denominator(1001)


def find_ffmpegs(asked: Path | None) -> list[Path]:
    """The FFmpeg programs, the usual one first: as asked, else that on PATH and that in the imageio-ffmpeg wheel.

    Raises EncoderError when there is none.
    """
    if asked is not None:
        found = shutil.which(str(asked))
        if found is None:
            raise EncoderError(f"there is no program at --ffmpeg-path {asked}: give the path of an ffmpeg executable")
        return [Path(found)]
    programs = []
    if on_path := shutil.which("ffmpeg"):
        programs.append(Path(on_path))
    with contextlib.suppress(ImportError, RuntimeError, OSError):
        import imageio_ffmpeg

        programs.append(Path(imageio_ffmpeg.get_ffmpeg_exe()))
    if not programs:
        raise EncoderError(
            "there is no FFmpeg here: install it (Debian: apt install ffmpeg), or name it with --ffmpeg-path"
        )
    return programs


def find_ffmpeg(asked: Path | None) -> Path:
    """The usual FFmpeg program. Raises EncoderError."""
    return find_ffmpegs(asked)[0]


async def version_of(ffmpeg: Path) -> str:
    """What the program says of itself: its version and those of its libraries. Raises EncoderError."""
    text = await _ask(ffmpeg, "-version")
    if not text.startswith("ffmpeg version "):
        raise EncoderError(f"{ffmpeg} is not FFmpeg: name the program with --ffmpeg-path")
    return text


async def _ask(ffmpeg: Path, *question: str) -> str:
    """What FFmpeg answers on stdout. Raises EncoderError when it cannot be run or does not answer."""
    try:
        process = await asyncio.create_subprocess_exec(
            str(ffmpeg), "-hide_banner", *question,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise EncoderError(f"{ffmpeg} cannot be run: {os.strerror(error.errno or 0)}") from None
    try:
        async with asyncio.timeout(_LIST_TIMEOUT_S):
            out, _ = await process.communicate()
    except TimeoutError:
        raise EncoderError(f"{ffmpeg} did not answer within {_LIST_TIMEOUT_S:g} s: is it FFmpeg?") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return out.decode("utf-8", "replace")


def encode_argv(ffmpeg: Path, settings: EncoderSettings, *, warm: bool) -> list[str]:
    """The command line: raw I420 on stdin, NUT on stdout, messages on stderr.

    The input keeps FFmpeg's probing defaults: with -fflags nobuffer the first frame would be swallowed. The buffer
    of a quarter of a second bounds how long one frame may occupy the link. A `warm` encoder gets one frame that
    nobody sees, so that it has all set up; its second frame, the first that counts, is a keyframe again.
    """
    s = settings
    kind = kind_of(s.name, s.codec)
    again = ("-force_key_frames", "expr:eq(n,1)") if warm else ()
    limits = ("-maxrate", str(s.bitrate), "-bufsize", str(s.bitrate // 4)) if kind.limits == "vbv" else ()
    return [
        str(ffmpeg), "-hide_banner", "-loglevel", "warning", "-nostats", *_with_device(kind.before, kind),
        "-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", f"{s.width}x{s.height}",
        "-framerate", str(s.rate), "-i", "pipe:0", *kind.filters,
        "-an", "-c:v", s.name, *kind.with_preset(s.preset),
        *(("-pix_fmt", kind.pixels) if kind.pixels else ()), "-b:v", str(s.bitrate), *limits,
        "-g", str(s.gop), *again, "-bf", "0", "-fps_mode", "passthrough",
        "-f", "nut", "-write_index", "0", "-flush_packets", "1", "pipe:1",
    ]  # fmt: skip


def device_of(kind: EncoderKind) -> str | None:
    """The device that a hardware encoder would use here, None when there is none; "" for one that needs none."""
    if not kind.hardware:
        return ""
    if kind.needs == sys.platform:
        return kind.needs
    return next(iter(sorted(glob.glob(kind.needs))), None)


def _with_device(arguments: tuple[str, ...], kind: EncoderKind) -> list[str]:
    return [word.replace(DEVICE, device_of(kind) or kind.needs) for word in arguments]
