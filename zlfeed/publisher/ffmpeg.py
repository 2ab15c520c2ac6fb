"""Where FFmpeg is, and how it is told to encode: one raw frame in, one encoded frame out, at once."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from zlfeed.errors import EncoderError

_LIST_TIMEOUT_S = 15.0

# FFmpeg's name of an encoder → what makes it emit each frame as soon as it has it (design 1).
_LOW_DELAY: dict[str, tuple[str, ...]] = {
    "libx264": ("-preset", "ultrafast", "-tune", "zerolatency"),
    "libx265": (
        *("-preset", "ultrafast", "-tune", "zerolatency", "-forced-idr", "1"),
        # A keyframe that was asked for must be one to begin with, whatever was before: IDR, not an I picture or CRA.
        *("-x265-params", "log-level=error:repeat-headers=1:open-gop=0"),
    ),
    "libsvtav1": ("-preset", "12", "-svtav1-params", "pred-struct=1:rc=2:rtc=1"),
}
_DEFAULT = {"h264": "libx264", "h265": "libx265", "av1": "libsvtav1"}


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

    @property
    def frame_bytes(self) -> int:
        """Size of a raw I420 frame."""
        return self.width * self.height * 3 // 2

    @property
    def name(self) -> str:
        """FFmpeg's name of the encoder."""
        return _DEFAULT[self.codec] if self.encoder == "auto" else self.encoder

    @property
    def rate(self) -> Fraction:
        """Frames per second as FFmpeg takes it; the index of a frame is its time times this."""
        return Fraction(self.fps).limit_denominator(1001)


def find_ffmpeg(asked: Path | None) -> Path:
    """The FFmpeg program: as asked, else on PATH, else the one in the imageio-ffmpeg wheel. Raises EncoderError."""
    if asked is not None:
        found = shutil.which(str(asked))
        if found is None:
            raise EncoderError(f"there is no program at --ffmpeg-path {asked}: give the path of an ffmpeg executable")
        return Path(found)
    if found := shutil.which("ffmpeg"):
        return Path(found)
    try:
        import imageio_ffmpeg

        return Path(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError, OSError):
        raise EncoderError(
            "there is no FFmpeg here: install it (Debian: apt install ffmpeg), or name it with --ffmpeg-path"
        ) from None


async def check_encoder(ffmpeg: Path, settings: EncoderSettings) -> None:
    """Raises EncoderError when this FFmpeg cannot run or lacks the encoder."""
    try:
        process = await asyncio.create_subprocess_exec(
            str(ffmpeg), "-hide_banner", "-h", f"encoder={settings.name}",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
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
    text = out.decode("utf-8", "replace")
    if f"Encoder {settings.name} " not in text:
        # FFmpeg answers with "Encoder another …", for a codec's name, or with "Codec '…' is not recognized".
        known = any(word in text for word in ("Encoder ", "Codec '"))
        if not known:
            raise EncoderError(f"{ffmpeg} is not FFmpeg: name the program with --ffmpeg-path")
        cure = "choose another with --encoder, or another FFmpeg with --ffmpeg-path"
        raise EncoderError(f"{ffmpeg} has no encoder {settings.name}: {cure}")


def encode_argv(ffmpeg: Path, settings: EncoderSettings, *, warm: bool) -> list[str]:
    """The command line: raw I420 on stdin, NUT on stdout, messages on stderr.

    The input keeps FFmpeg's probing defaults: with -fflags nobuffer the first frame would be swallowed. The buffer
    of a quarter of a second bounds how long one frame may occupy the link. A `warm` encoder gets one frame that
    nobody sees, so that it has all set up; its second frame, the first that counts, is a keyframe again.
    """
    s = settings
    again = ("-force_key_frames", "expr:eq(n,1)") if warm else ()
    return [
        str(ffmpeg), "-hide_banner", "-loglevel", "warning", "-nostats",
        "-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", f"{s.width}x{s.height}",
        "-framerate", str(s.rate), "-i", "pipe:0",
        "-an", "-c:v", s.name, *_LOW_DELAY.get(s.name, ()),
        "-pix_fmt", "yuv420p", "-b:v", str(s.bitrate), *_limits(s),
        "-g", str(s.gop), *again, "-bf", "0", "-fps_mode", "passthrough",
        "-f", "nut", "-write_index", "0", "-flush_packets", "1", "pipe:1",
    ]  # fmt: skip


def _limits(settings: EncoderSettings) -> tuple[str, ...]:
    """What keeps the rate constant. SVT-AV1 has a mode for that (rc=2) and refuses these beside it in FFmpeg 5."""
    if settings.name == "libsvtav1":
        return ()
    return "-maxrate", str(settings.bitrate), "-bufsize", str(settings.bitrate // 4)
