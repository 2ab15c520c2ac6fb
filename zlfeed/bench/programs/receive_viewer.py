"""The reader of `zlfeed receive`: `python -m zlfeed.bench.programs.receive_viewer URL TRANSPORT SECONDS OPENINGS`.

It is the receiver's own thread and its own way to open a stream, with a note taken of each picture's age. Ages are by
this machine's clock, which is the publisher's too; so there is no status link, and a stream of any server can be read.
"""

from __future__ import annotations

import random
import sys
import threading
import time

from zlfeed import logs
from zlfeed.bench.figures import LOOK_LIMIT_S
from zlfeed.bench.programs.viewing import Recorder, finish
from zlfeed.opencv import load_cv2
from zlfeed.receiver import backends
from zlfeed.receiver.reader import NoClock, Picture, Reader, available
from zlfeed.receiver.target import Target, parse

_TIMEOUT_S = 5.0
_SWITCH_INTERVAL_S = 0.0005
"""As `zlfeed receive` has it."""


def look(target: Target, transport: str, seconds: float) -> Recorder:
    """One opening: runs a Reader until the recorder has enough, or for half a minute longer than that."""
    over = threading.Event()
    recorder = Recorder(seconds)

    def on_picture(picture: Picture) -> None:
        if not over.is_set() and not recorder.note(picture.code, picture.in_hand_us):
            over.set()

    plan = backends.plan("ffmpeg", target, available(load_cv2()))
    reader = Reader(
        target, plan, transport=transport, timeout_s=_TIMEOUT_S, clock=NoClock(),
        on_event=lambda _event: None, on_picture=on_picture,
    )  # fmt: skip
    reader.start()
    over.wait(seconds + 2 * LOOK_LIMIT_S)
    reader.stop(_TIMEOUT_S)
    return recorder


def main() -> None:
    """Looks, and says what it saw."""
    url, transport, seconds, openings = sys.argv[1:]
    logs.setup("text", "warning")
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    load_cv2()
    target = parse(url, rtsp_port=8554, stream_name="live")
    if not int(openings):
        finish(**look(target, transport, float(seconds)).report())
        return
    reports = []
    for _ in range(int(openings)):
        time.sleep(random.uniform(0.3, 1.3))
        reports.append(look(target, transport, 0).report())
    finish(openings=reports)


if __name__ == "__main__":
    main()
