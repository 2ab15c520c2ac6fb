"""Children that die with us, even when we are killed: prctl(2) PR_SET_PDEATHSIG, on Linux."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

# The child asks for it itself and then becomes the program: nothing of ours runs between fork and exec, where a
# process with threads may run next to nothing. The kernel keeps the wish across exec. It is the *thread* that forked
# whose end counts; ours is the one of the event loop.
_SHIM = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
if os.getppid() != int(sys.argv[1]): os._exit(1)
try: os.execv(sys.argv[2], sys.argv[2:])
except OSError as error: sys.exit(f"{sys.argv[2]} cannot be run: {error.strerror}")
"""


def with_parent(argv: Sequence[str]) -> list[str]:
    """`argv` (its first an absolute path) such that the program is killed when the thread that starts it ends.

    Elsewhere than on Linux it is `argv` as it was.
    """
    if sys.platform != "linux":
        return list(argv)
    return [sys.executable, "-I", "-S", "-c", _SHIM, str(os.getpid()), *argv]
