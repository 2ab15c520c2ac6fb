"""How each viewer is started. Pure, but for the look at what is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

from zlfeed.bench.plan import Client, Format, Viewer
from zlfeed.bench.senders import program

Argv = tuple[tuple[str, ...], tuple[str, ...]]
"""The program's first words, and its arguments."""


def installed() -> list[Client]:
    """The clients that know nothing of zlfeed and are here; OpenCV and FFmpeg always are."""
    return ["opencv", "ffmpeg", *(["gstreamer"] if shutil.which("gst-launch-1.0") else [])]  # type: ignore[list-item]


def argv(viewer: Viewer, url: str, wanted: Format, seconds: float, ffmpeg: Path, *, openings: int = 0) -> Argv:
    """How to start a viewer of `url` for `seconds` after its warm-up, or for so many openings (OpenCV and receive)."""
    match viewer.client:
        case "receive":
            return program("receive_viewer"), (url, viewer.transport, f"{seconds:g}", str(openings))
        case "opencv":
            # OpenCV asks for TCP where it is not told otherwise.
            udp = "rtsp_transport;udp" if viewer.transport == "udp" else ""
            options = viewer.options or udp
            return program("opencv_viewer"), (url, f"{seconds:g}", str(openings), str(viewer.threads or 0), options)
        case "ffmpeg":
            # Flushed, or the last bytes of each picture wait in FFmpeg's output buffer for the next one.
            player = [
                str(ffmpeg), "-loglevel", "error", "-rtsp_transport", viewer.transport, "-i", url,
                "-an", "-fps_mode", "passthrough", "-pix_fmt", "yuv420p",
                "-f", "rawvideo", "-flush_packets", "1", "pipe:1",
            ]  # fmt: skip
        case "gstreamer":
            player = [
                "gst-launch-1.0", "-q", "rtspsrc", f"location={url}", "latency=0", f"protocols={viewer.transport}",
                "!", "decodebin", "!", "videoconvert", "!", "video/x-raw,format=I420", "!", "fdsink", "sync=false",
            ]  # fmt: skip
    size = (str(wanted.width), str(wanted.height), f"{seconds:g}")
    return program("pipe_viewer"), (*size, *player)


def limit_argv(wanted: Format, seconds: float, gop: int) -> Argv:
    """How to start the limit: a sender and a viewer in one."""
    numbers = (str(wanted.width), str(wanted.height), f"{wanted.fps:g}", str(wanted.bitrate), str(gop))
    return program("limit"), (*numbers, wanted.codec, f"{seconds:g}")
