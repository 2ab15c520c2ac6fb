"""Turned pictures: all three planes, every orientation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from zlfeed.publisher.picture.i420 import Plane, split
from zlfeed.publisher.picture.orientation import ORIENTATIONS, Orientation, turn, turned_size

WIDTH, HEIGHT = 8, 4


def frame(width: int = WIDTH, height: int = HEIGHT) -> Plane:
    return np.arange(width * height * 3 // 2, dtype=np.uint8).reshape(height * 3 // 2, width)


def turned(source: Plane, width: int, height: int, orientation: Orientation) -> Plane:
    across, down = turned_size(width, height, orientation)
    into = np.full((down * 3 // 2, across), 255, np.uint8)
    turn(source, width, height, orientation, into)
    return into


EXPECTED: dict[str, Callable[[Plane], Plane]] = {
    "normal": lambda plane: plane,
    "mirror": lambda plane: plane[:, ::-1],
    "flip": lambda plane: plane[::-1],
    "rotate-90": lambda plane: np.rot90(plane, -1),
    "rotate-180": lambda plane: np.rot90(plane, 2),
    "rotate-270": np.rot90,
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_each_plane_is_turned(orientation: Orientation) -> None:
    result = split(turned(frame(), WIDTH, HEIGHT, orientation), *turned_size(WIDTH, HEIGHT, orientation))
    for plane, before in zip(result, split(frame(), WIDTH, HEIGHT), strict=True):
        np.testing.assert_array_equal(plane, EXPECTED[orientation](before))


def test_every_orientation_is_tested() -> None:
    assert set(EXPECTED) == set(ORIENTATIONS)


@pytest.mark.parametrize(("first", "second"), [("rotate-90", "rotate-270"), ("mirror", "mirror"), ("flip", "flip")])
def test_there_and_back(first: Orientation, second: Orientation) -> None:
    source = np.random.default_rng(1).integers(0, 255, (48 * 3 // 2, 64), np.uint8)
    once = turned(source, 64, 48, first)
    np.testing.assert_array_equal(turned(once, *turned_size(64, 48, first), second), source)
