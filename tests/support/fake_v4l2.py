"""A USB camera that is none: fake_v4l2.c in LD_PRELOAD answers the ioctls of everything that opens its path."""

from __future__ import annotations

import mmap
import os
import subprocess
from enum import IntEnum
from pathlib import Path

import cv2
import numpy as np

_SOURCE = Path(__file__).with_suffix(".c")
PATH = "/dev/video97"


class State(IntEnum):
    """What can be told and asked, in the order of the C program's."""

    PLUGGED = 0
    BUSY = 1
    AGE_MS = 2
    YUYV_STREAMS = 3
    FOURCC = 4
    BUFFERS = 5
    WIDTH = 6
    HEIGHT = 7
    FPS = 8
    BRIGHTNESS = 9
    WB_AUTO = 10
    WB = 11
    LINE_HZ = 12
    EXPOSURE_AUTO = 13
    EXPOSURE = 14


_FRESH = {
    State.PLUGGED: 1, State.AGE_MS: 20, State.YUYV_STREAMS: 1, State.WIDTH: 640, State.HEIGHT: 480, State.FPS: 30,
    State.FOURCC: int.from_bytes(b"YUYV", "little"), State.BRIGHTNESS: 128, State.WB_AUTO: 1, State.WB: 4000,
    State.LINE_HZ: 2, State.EXPOSURE_AUTO: 3, State.EXPOSURE: 250,
}  # fmt: skip


class FakeCamera:
    """The camera's state, and the variables with which a program sees it."""

    def __init__(self, folder: Path) -> None:
        """Compiles the library into `folder`."""
        library, state, picture = (folder / name for name in ("fake_v4l2.so", "state", "picture.jpg"))
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-o", library, _SOURCE, "-ldl"], check=True)
        state.write_bytes(bytes(4 * len(State)))
        cv2.imwrite(str(picture), np.full((720, 1280, 3), 90, np.uint8))
        with state.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 4 * len(State))
        self.env = {
            "LD_PRELOAD": str(library), "FAKE_V4L2": PATH, "FAKE_V4L2_STATE": str(state),
            "FAKE_V4L2_JPEG": str(picture),
        }  # fmt: skip
        self.refresh()

    def refresh(self) -> None:
        """As delivered, and plugged in."""
        for at in State:
            self[at] = _FRESH.get(at, 0)

    def __getitem__(self, at: State) -> int:
        return int.from_bytes(self._memory[4 * at : 4 * at + 4], "little", signed=True)

    def __setitem__(self, at: State, value: int) -> None:
        self._memory[4 * at : 4 * at + 4] = value.to_bytes(4, "little", signed=True)

    @property
    def format(self) -> str:
        """The pixel format that was set last."""
        return self[State.FOURCC].to_bytes(4, "little").decode()

    def environ(self) -> dict[str, str]:
        """The whole environment of such a program."""
        return {**os.environ, **self.env}
