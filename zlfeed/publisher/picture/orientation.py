"""Mirrored, flipped and turned pictures: a camera that hangs upside down, or on its side. Pure."""

from __future__ import annotations

from typing import Literal, get_args

import cv2

from zlfeed.publisher.picture.i420 import Plane, split

Orientation = Literal["normal", "mirror", "flip", "rotate-90", "rotate-180", "rotate-270"]
"""mirror: left and right change places; flip: top and bottom do; rotations are clockwise."""
ORIENTATIONS: tuple[Orientation, ...] = get_args(Orientation)

_FLIPS = {"mirror": 1, "flip": 0, "rotate-180": -1}
_ROTATIONS = {"rotate-90": cv2.ROTATE_90_CLOCKWISE, "rotate-270": cv2.ROTATE_90_COUNTERCLOCKWISE}


def turned_size(width: int, height: int, orientation: Orientation) -> tuple[int, int]:
    """The size that a picture of `width` x `height` pixels has then."""
    return (height, width) if orientation in _ROTATIONS else (width, height)


def turn(frame: Plane, width: int, height: int, orientation: Orientation, into: Plane) -> None:
    """Writes an I420 frame of `width` x `height` (both even), turned, into another that is as large when turned."""
    targets = split(into, *turned_size(width, height, orientation))
    for plane, target in zip(split(frame, width, height), targets, strict=True):
        if orientation in _FLIPS:
            cv2.flip(plane, _FLIPS[orientation], dst=target)
        elif orientation in _ROTATIONS:
            cv2.rotate(plane, _ROTATIONS[orientation], dst=target)
        else:
            target[:] = plane
