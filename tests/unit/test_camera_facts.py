"""Which mode of a camera serves a wish."""

from __future__ import annotations

import pytest

from zlfeed.publisher.camera.facts import Mode, choose, nearest_size

C920 = [
    Mode(640, 480, "YUYV", (30.0, 24.0, 15.0)),
    Mode(1280, 720, "YUYV", (10.0, 7.5, 5.0)),
    Mode(1920, 1080, "YUYV", (5.0,)),
    Mode(640, 480, "MJPG", (30.0,)),
    Mode(1280, 720, "MJPG", (30.0,)),
    Mode(1920, 1080, "MJPG", (30.0,)),
    Mode(1920, 1080, "H264", (30.0,)),
]
"""A Logitech C920, as v4l2-ctl --list-formats-ext shows it."""


@pytest.mark.parametrize(
    ("size", "fps", "chosen"),
    [
        ((640, 480), 30.0, "YUYV 640x480"),  # uncompressed where it reaches the rate
        ((1280, 720), 30.0, "MJPG 1280x720"),  # else what reaches it
        ((1280, 720), 10.0, "YUYV 1280x720"),
        ((1280, 720), 60.0, "MJPG 1280x720"),  # nothing does: the faster one
        ((1920, 1080), 29.97, "MJPG 1920x1080"),
        ((700, 500), 30.0, "MJPG 1280x720"),  # the smallest that covers it
        ((4000, 3000), 30.0, "MJPG 1920x1080"),  # the largest
        ((320, 200), 30.0, "YUYV 640x480"),
    ],
)
def test_the_mode_that_serves_a_wish(size: tuple[int, int], fps: float, chosen: str) -> None:
    best = choose(C920, size, fps)[0]
    assert f"{best.format} {best.width}x{best.height}" == chosen


def test_the_other_format_is_tried_next() -> None:
    assert [mode.format for mode in choose(C920, (640, 480), 30.0)] == ["YUYV", "MJPG"]


def test_a_camera_that_tells_no_rates_is_believed() -> None:
    assert choose([Mode(640, 480, "YUYV"), Mode(640, 480, "MJPG", (30.0,))], (640, 480), 30.0)[0].format == "YUYV"


def test_a_camera_without_a_readable_format() -> None:
    assert choose([Mode(640, 480, "H264", (30.0,))], (640, 480), 30.0) == []
    assert nearest_size([Mode(640, 480, "H264")], (10, 10)) == (640, 480)
