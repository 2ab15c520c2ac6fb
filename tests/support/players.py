"""Players that know nothing of zlfeed: each is asked for a number of decoded pictures and gives a hash of each."""

from __future__ import annotations

import os
import re
import subprocess
import sys

LIMIT_S = 30.0

_OPENCV = """
import hashlib, sys, cv2
capture = cv2.VideoCapture(sys.argv[1])
for _ in range(int(sys.argv[2])):
    ok, picture = capture.read()
    if not ok: sys.exit("no picture")
    print("picture", hashlib.md5(picture.tobytes()).hexdigest())
"""


def command(player: str, url: str, count: int) -> list[str]:
    """The command line that decodes `count` pictures of `url` and prints one line with a hash for each."""
    kind, _, transport = player.partition("-")
    match kind:
        case "ffmpeg":
            how = ["-rtsp_transport", transport] if transport else []
            out = ["-frames:v", str(count), "-fps_mode", "passthrough", "-f", "framemd5", "-"]
            return ["ffmpeg", "-nostdin", "-v", "error", *how, "-i", url, *out]
        case "opencv":
            return [sys.executable, "-P", "-c", _OPENCV, url, str(count)]
        case "gstreamer" if transport == "tls":
            source = ["rtspsrc", f"location={url}", "tls-validation-flags=0"]
            tail = f"! decodebin ! videoconvert ! identity eos-after={count} ! checksumsink"
            return ["gst-launch-1.0", "-q", *source, *tail.split()]
        case "gstreamer":
            source = ["rtspsrc", f"location={url}", *([f"protocols={transport}"] if transport else [])]
            tail = f"! decodebin ! videoconvert ! identity eos-after={count} ! checksumsink"
            return ["gst-launch-1.0", "-q", *source, *tail.split()]
        case "mpv":
            out = ["-o=-", "--of=framemd5", "--ovc=rawvideo", f"--frames={count}", "--no-audio"]
            how = [f"--rtsp-transport={transport}"] if transport else []
            return ["mpv", "--no-config", "--really-quiet", *how, url, *out]
    raise AssertionError(player)


def watch(player: str, url: str, count: int) -> subprocess.CompletedProcess[str]:
    """Runs a player to its end; it is killed when it takes too long."""
    kind, _, transport = player.partition("-")
    options = f"rtsp_transport;{transport}"
    chosen = {"OPENCV_FFMPEG_CAPTURE_OPTIONS": options} if kind == "opencv" and transport else {}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPENCV_", "PYTHON"))}
    return subprocess.run(
        command(player, url, count), capture_output=True, text=True, errors="replace", timeout=LIMIT_S,
        stdin=subprocess.DEVNULL, env=clean | chosen, check=False,
    )  # fmt: skip


def hashes(output: str) -> list[str]:
    """The pictures' hashes, in order."""
    return re.findall(r"\b(?:[0-9a-f]{32}|[0-9a-f]{40})\s*$", output, re.MULTILINE)
