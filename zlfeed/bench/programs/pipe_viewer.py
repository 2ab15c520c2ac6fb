"""A player that writes raw pictures into a pipe: `python -m zlfeed.bench.programs.pipe_viewer W H SECONDS COMMAND…`.

COMMAND decodes a stream and writes I420 pictures of W x H pixels to its stdout; their strips are read here. The pipe is
part of what is measured.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys

import numpy as np

from zlfeed.bench.programs.viewing import Recorder, finish

_PIPE_BYTES = 1 << 20


def main() -> None:
    """Reads pictures until there are enough or the player ends."""
    width, height, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    # The bench ends us with SIGTERM; the player must not stay.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    picture = np.empty((height * 3 // 2, width), np.uint8)
    recorder = Recorder(seconds)
    player = subprocess.Popen(sys.argv[4:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0)
    try:
        assert player.stdout is not None
        _enlarge(player.stdout.fileno())
        view = picture.data.cast("B")
        while True:
            got = 0
            while got < len(view) and (count := player.stdout.readinto(view[got:])):  # type: ignore[attr-defined]
                got += count
            if got < len(view) or not recorder.take(picture[:height]):
                break
        finish(**recorder.report())
    finally:
        player.kill()
        player.wait()


def _enlarge(fd: int) -> None:
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


if __name__ == "__main__":
    main()
