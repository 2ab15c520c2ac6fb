"""Another RTSP server's stream as a camera, read by OpenCV's FFmpeg."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import cv2

from zlfeed.errors import CameraError
from zlfeed.publisher.camera.live import LiveSource
from zlfeed.publisher.camera.records import Request

_OPTIONS = "rtsp_transport;tcp|probesize;32|analyzeduration;0|max_delay;0|reorder_queue_size;0"
_OPEN_TIMEOUT_MS, _READ_TIMEOUT_MS = 6000, 3000


def open_stream(request: Request) -> LiveSource:
    """Opens the URL that is asked for, with as little delay as FFmpeg allows. Raises CameraError."""
    url = request.spec.target
    where = urlsplit(url).hostname or url
    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", _OPTIONS)
    capture = cv2.VideoCapture(
        url,
        cv2.CAP_FFMPEG,
        [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            _OPEN_TIMEOUT_MS,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            _READ_TIMEOUT_MS,
            # Each further decoder thread holds back a picture.
            cv2.CAP_PROP_N_THREADS,
            1,
        ],
    )
    if not capture.isOpened():
        raise CameraError(
            f"the stream {request.spec.text} cannot be opened: check that {where} answers, and the path and password"
        )
    return LiveSource(
        capture,
        size=request.size,
        fps=request.fps,
        reported_fps=0.0,  # What FFmpeg gives for RTSP is a guess, often twice the truth.
        describe=lambda columns, rows, _: f"{request.spec.text} {columns}x{rows}",
        no_picture=lambda: CameraError(f"the stream {request.spec.text} has ended or gives no picture"),
    )
