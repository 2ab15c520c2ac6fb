"""Pictures of any size onto I420 of one size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from zlfeed.publisher.camera.fit import Fitter, stream_size
from zlfeed.publisher.picture.i420 import Plane, split

GREEN = (0, 200, 0)


def fitted(picture: np.ndarray, width: int, height: int) -> Plane:
    into: Plane = np.full((height * 3 // 2, width), 99, np.uint8)
    Fitter(width, height).convert(picture, into)
    return into


def test_a_picture_that_fits_is_only_converted() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (48, 64, 3), np.uint8)
    assert np.array_equal(fitted(picture, 64, 48), cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420))


def test_an_odd_edge_is_cut_off() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (49, 65, 3), np.uint8)
    assert np.array_equal(fitted(picture, 64, 48), cv2.cvtColor(picture[:48, :64].copy(), cv2.COLOR_BGR2YUV_I420))
    assert stream_size(picture, None) == ((64, 48), ", cropped from 65x49")


@pytest.mark.parametrize(("shape", "size"), [((90, 160), (64, 64)), ((64, 20), (64, 48)), ((7, 5), (64, 48))])
def test_a_scaled_picture_keeps_its_shape(shape: tuple[int, int], size: tuple[int, int]) -> None:
    width, height = size
    picture = np.full((*shape, 3), GREEN, np.uint8)
    luma = split(fitted(picture, width, height), width, height).y
    lit = luma > 60
    rows, columns = lit.any(axis=1).sum(), lit.any(axis=0).sum()
    assert columns / rows == pytest.approx(shape[1] / shape[0], rel=0.1)
    assert rows == height or columns == width
    assert lit[height // 2, width // 2]
    assert stream_size(picture, size) == (size, f", scaled from {shape[1]}x{shape[0]}")


def test_a_size_that_changes_on_the_way_leaves_nothing_behind() -> None:
    fitter, into = Fitter(64, 64), np.empty((96, 64), np.uint8)
    fitter.convert(np.full((90, 160, 3), GREEN, np.uint8), into)
    fitter.convert(np.full((160, 90, 3), GREEN, np.uint8), into)
    assert (split(into, 64, 64).y[:, 0] == 16).all()


def test_a_grey_picture_is_taken_too() -> None:
    planes = split(fitted(np.full((48, 64), 255, np.uint8), 64, 48), 64, 48)
    assert (planes.y == 235).all()
    assert (planes.u == 128).all()
