"""`zlfeed` with one kind of camera more, which does as a file says: `--camera NAME=ordered`.

The file is called NAME and lies in the folder ZLFEED_TEST_ORDERS. Orders: `give WxH` (30 pictures a second),
`give WxH strictly` (cannot be opened at another rate), `silence` (open, but no picture until the order changes),
`raise`, `hang` (blocks for ever), `stubborn` (the same, with the interpreter's lock held and deaf to SIGTERM), `refuse`
(cannot be opened).
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from tests.support.commands import PUBLISH, Running
from zlfeed.errors import CameraError
from zlfeed.publisher.camera import source
from zlfeed.publisher.camera.records import Request
from zlfeed.publisher.camera.source import Opened, Stamp
from zlfeed.publisher.picture.i420 import Plane

LUMA = 180
"""How bright its pictures are; a slate is dark."""
_FPS = 30.0
_ROOT = Path(__file__).parents[2]


def is_picture(luma: float) -> bool:
    """Whether a picture of that mean brightness is the camera's, and no slate."""
    return luma > LUMA / 2


class Cameras:
    """The orders given to a publisher's cameras."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def order(self, camera: str, order: str) -> float:
        """Has a camera do something else from now on; when that was, monotonic s."""
        new = self.folder / f".{camera}"
        new.write_text(order)
        new.replace(self.folder / camera)
        return time.monotonic()

    def publishing(self, *arguments: str, env: Mapping[str, str] | None = None) -> Running:
        """A publisher of such cameras."""
        own = {"ZLFEED_TEST_ORDERS": str(self.folder), "ZLFEED_TEST_SOURCES": "1", "PYTHONPATH": str(_ROOT)}
        return Running(*PUBLISH, *arguments, program=("-m", __spec__.name), env={**own, **(env or {})})


class Ordered:
    """The source in the camera's process."""

    def __init__(self, request: Request) -> None:
        self._file = Path(os.environ["ZLFEED_TEST_ORDERS"]) / request.spec.name
        order = self._obey()
        if order.endswith("strictly") and request.fps not in (None, _FPS):
            raise CameraError(f"the camera {self._file.name} has {_FPS:g} fps only")
        size = re.search(r"(\d+)x(\d+)", order)
        width, height = (int(size[1]), int(size[2])) if size else (320, 240)
        self.opened = Opened(width, height, _FPS, f"ordered camera {width}x{height}")
        self._next = time.monotonic()
        self._count = 0

    def read(self, into: Plane) -> Stamp:
        while not self._obey().startswith("give"):
            time.sleep(0.01)
        self._next = max(self._next + 1 / _FPS, time.monotonic())
        time.sleep(max(0.0, self._next - time.monotonic()))
        self._count += 1
        into[:] = 128
        into[: self.opened.height] = LUMA
        into[self.opened.height // 2 : self.opened.height * 3 // 4, : self._count * 4 % self.opened.width] = LUMA + 40
        return Stamp(time.time_ns() // 1000, time.monotonic_ns())

    def _obey(self) -> str:
        order = self._file.read_text()
        match order:
            case "refuse" | "raise":
                raise CameraError(f"the camera {self._file.name} was told to {order}")
            case "hang":
                threading.Event().wait()
            case "stubborn":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                re.match("(a*)*b", "a" * 60)
        return order


def main() -> None:
    """`zlfeed …`, knowing the kind `ordered`."""
    known = source._kind
    target = f"{__spec__.name}:Ordered"

    def kind(source: str) -> tuple[str, str]:
        return ("module", target) if source == "ordered" else known(source)

    source._kind = kind

    from zlfeed import cli

    sys.argv[0] = "zlfeed"
    cli.main()


if __name__ == "__main__":
    main()
