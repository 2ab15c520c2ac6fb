"""How OpenCV is asked to open a stream: which backends, with what options.

What costs time with FFmpeg, as measured at 30 fps: each decoder thread beyond the first holds a picture back (33 ms),
and probing delays the opening by a second. `fflags;nobuffer` is left out on purpose: it throws away what was probed,
and then waits for the next keyframe.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from zlfeed.errors import UsageError
from zlfeed.receiver.target import Target

ORDER = ("ffmpeg", "gstreamer", "v4l2", "any")
"""The backends in the order in which `auto` tries them."""
OPTIONS_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"


@dataclass(frozen=True, slots=True)
class Plan:
    """The backends to try, in order, and for those passed over a word each."""

    backends: tuple[str, ...]
    passed_over: tuple[str, ...]


def plan(wanted: str, target: Target, has: Callable[[str], bool]) -> Plan:
    """The backends to try for `wanted`: one of ORDER, or auto.

    `has` tells whether this OpenCV has a backend (`any` it always has). Raises UsageError when the one that was named
    is lacking, or cannot open such a target.
    """
    backends: list[str] = []
    passed_over: list[str] = []
    for name in ORDER if wanted == "auto" else (wanted,):
        if name == "v4l2":
            passed_over.append(f"v4l2 opens devices, not {target.scheme}:// URLs")
        elif name != "any" and not has(name):
            passed_over.append(f"{name} is not in this build of OpenCV")
        else:
            backends.append(name)
    if not backends:
        raise UsageError(f"--backend {wanted}: {passed_over[0]}; use --backend ffmpeg, or leave it at auto")
    return Plan(tuple(backends), tuple(passed_over))


def ffmpeg_options(target: Target, transport: str) -> str:
    """The value of OPENCV_FFMPEG_CAPTURE_OPTIONS; `transport` is tcp or udp."""
    if target.scheme not in ("rtsp", "rtsps"):
        return ""  # HLS over HTTP paces itself, and needs its probing
    options = {
        "rtsp_transport": transport,
        "probesize": "32",
        "analyzeduration": "0",
        "max_delay": "0",
        "reorder_queue_size": "0",
    }
    return "|".join(f"{name};{value}" for name, value in options.items())


def set_options(target: Target, transport: str) -> None:
    """Hands ffmpeg_options() to OpenCV, which reads them at every opening. What the user has set is the user's."""
    os.environ.setdefault(OPTIONS_VARIABLE, ffmpeg_options(target, transport))


def source(backend: str, target: Target, transport: str) -> str:
    """What the backend is given to open: the URL with credentials, for GStreamer a pipeline. Never to be logged."""
    if backend != "gstreamer" or target.scheme not in ("rtsp", "rtsps"):
        return target.secret_url()
    # A URL alone would become a playbin with two seconds of buffer.
    location = target.secret_url().replace("\\", "\\\\").replace('"', '\\"')
    return (
        f'rtspsrc location="{location}" latency=0 protocols={transport} ! decodebin ! videoconvert '
        "! video/x-raw,format=BGR ! appsink sync=false drop=true max-buffers=2"
    )


def parameters(backend: str, timeout_ms: int) -> dict[str, int]:
    """The CAP_PROP_* settings at opening, by name. Time-outs are 30 s where they are not given."""
    limits = {"CAP_PROP_OPEN_TIMEOUT_MSEC": timeout_ms, "CAP_PROP_READ_TIMEOUT_MSEC": timeout_ms}
    return limits if backend == "gstreamer" else {**limits, "CAP_PROP_N_THREADS": 1}
