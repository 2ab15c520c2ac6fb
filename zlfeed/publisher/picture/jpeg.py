"""JPEG of what is on its way to the encoder: small for a preview, in full size for a snapshot. Pure, but not quick.

Scaling and encoding a frame takes some milliseconds, so it is done in a thread that no frame waits for.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from zlfeed.publisher.picture.i420 import Plane, even, split

_QUALITIES = (88, 75, 55, 30)
_MIN_SIDE = 2


@dataclass(frozen=True, slots=True)
class Jpeg:
    """An encoded picture and its size in pixels."""

    data: bytes
    width: int
    height: int


def encode(frame: Plane, *, at_most_wide: int | None = None, at_most_bytes: int) -> Jpeg:
    """An I420 frame of shape (height·3/2, width) as JPEG, scaled down to `at_most_wide` pixels where it is wider.

    The quality is the best of a few whose result has `at_most_bytes`; the lowest one's when none has.
    """
    width, height = frame.shape[1], frame.shape[0] * 2 // 3
    if at_most_wide is not None and width > at_most_wide:
        frame, width, height = _scaled(frame, width, height, at_most_wide)
    picture = cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_I420)
    for quality in _QUALITIES:
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if data.size <= at_most_bytes:
            break
    return Jpeg(data.tobytes(), width, height)


def _scaled(frame: Plane, width: int, height: int, at_most_wide: int) -> tuple[Plane, int, int]:
    # Plane by plane: converting the whole frame first would cost several times as much.
    small_width = max(_MIN_SIDE, even(at_most_wide))
    small_height = max(_MIN_SIDE, even(height * small_width / width + 1))
    small: Plane = np.empty((small_height * 3 // 2, small_width), np.uint8)
    for plane, target in zip(split(frame, width, height), split(small, small_width, small_height), strict=True):
        cv2.resize(plane, target.shape[::-1], dst=target, interpolation=cv2.INTER_AREA)
    return small, small_width, small_height
