"""A camera that the system knows as a video device, read by OpenCV."""

from __future__ import annotations

import sys
from collections.abc import Callable

import cv2

from zlfeed.errors import CameraError
from zlfeed.publisher.camera import v4l2
from zlfeed.publisher.camera.holders import holders_text
from zlfeed.publisher.camera.live import Capture, LiveSource
from zlfeed.publisher.camera.records import Request

_DEFAULT_SIZE = (640, 480)
_DEFAULT_FPS = 30.0
_BUFFERS = 2
"""With one, the driver has nowhere to put the next picture while this one is read; OpenCV's four may be that old."""


def open_device(request: Request) -> LiveSource:
    """Opens the device that is asked for. Raises CameraError that says why not."""
    target = request.spec.target
    if sys.platform.startswith("linux"):
        path = v4l2.device_path(target)
        card = v4l2.query(path)
        return read_device(request, lambda: cv2.VideoCapture(path, cv2.CAP_V4L2), path, card)
    backend = cv2.CAP_DSHOW if sys.platform == "win32" else cv2.CAP_ANY
    where = int(target) if target.isdigit() else target
    return read_device(request, lambda: cv2.VideoCapture(where, backend), f"camera {target}", "")


def read_device(request: Request, open_capture: Callable[[], Capture], path: str, card: str) -> LiveSource:
    """Sets the capture up and reads its first picture. `card` is the camera's own name, "" if unknown."""

    def nothing() -> CameraError:
        # Whoever has it open need not be the reason (a sound server opens cameras too, and does not read them).
        if others := holders_text(path):
            return CameraError(
                f"the camera {path} gives no picture while {others} has it open: end that, or name another one"
            )
        return CameraError(
            f"the camera {path} gives no picture: unplug it and plug it in again, or name another with --camera"
        )

    capture = open_capture()
    if not capture.isOpened():
        raise nothing()
    width, height = request.size or _DEFAULT_SIZE
    # MJPG before the size: OpenCV tries YUYV first, which USB 2 carries at 10 fps in 720p where MJPG has 30. A camera
    # without MJPG keeps what it has.
    for prop, value in (
        (cv2.CAP_PROP_FOURCC, float(cv2.VideoWriter.fourcc(*"MJPG"))),
        (cv2.CAP_PROP_FRAME_WIDTH, float(width)),
        (cv2.CAP_PROP_FRAME_HEIGHT, float(height)),
        (cv2.CAP_PROP_FPS, request.fps or _DEFAULT_FPS),
        (cv2.CAP_PROP_BUFFERSIZE, float(_BUFFERS)),
    ):
        capture.set(prop, value)
    fourcc = fourcc_text(capture.get(cv2.CAP_PROP_FOURCC))

    def describe(columns: int, rows: int, fps: float | None) -> str:
        name = f"{card} ({path})" if card else path
        return " ".join(filter(None, (name, f"{columns}x{rows}", fourcc, f"at {fps:g} fps" if fps else "")))

    return LiveSource(
        capture,
        size=request.size,
        fps=request.fps,
        reported_fps=capture.get(cv2.CAP_PROP_FPS),
        describe=describe,
        no_picture=nothing,
    )


def fourcc_text(value: float) -> str:
    """A pixel format's four letters, e.g. "MJPG"; "" when it is none."""
    if not 0 < value < 1 << 32:
        return ""
    letters = int(value).to_bytes(4, "little").decode("latin-1").strip()
    return letters if letters.isprintable() and letters.isascii() else ""
