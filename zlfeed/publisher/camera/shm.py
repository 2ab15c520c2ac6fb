"""A ring of frames in memory that two processes share; one writes, one reads, neither waits.

Frame n lies in slot n mod 4. Each slot has a sequence lock, a counter that is odd (2n+1) while frame n is being
written and even (2n+2) once it is whole; a reader that was lapped while it copied finds another number afterwards and
throws its copy away. The order of the writes is carried by the pipe on which the frame is announced (a system call on
either side is a barrier), so the counter only has to catch the lapping, three frames later.

The memory has no name that could be left behind: a memfd on Linux, an unlinked file on other POSIX systems, a section
that goes with its last handle on Windows.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import uuid

import numpy as np

from zlfeed.publisher.picture.i420 import Plane

SLOTS = 4
_PAGE = 4096


def _stride(width: int, height: int) -> int:
    frame = width * height * 3 // 2
    return (frame + _PAGE - 1) // _PAGE * _PAGE


class SharedHandle:
    """The parent's end of memory whose size only the child will know; `text` is what the child is told."""

    def __init__(self) -> None:
        self.fd: int | None = None
        if sys.platform == "win32":
            self.text = f"zlfeed-{uuid.uuid4()}"
            return
        if hasattr(os, "memfd_create"):
            self.fd = os.memfd_create("zlfeed-camera", os.MFD_CLOEXEC)
        else:
            with tempfile.TemporaryFile() as file:
                self.fd = os.dup(file.fileno())
        self.text = str(self.fd)

    def close(self) -> None:
        """Closes the descriptor; mappings stay."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


class FrameRing:
    """The ring, seen from either process. Frames are I420, uint8 of shape (height·3/2, width)."""

    def __init__(self, handle: str, width: int, height: int, *, create: bool) -> None:
        """Maps the memory behind `handle` (SharedHandle.text); the writer says `create`. Raises OSError."""
        self._shape = (height * 3 // 2, width)
        stride = _stride(width, height)
        size = _PAGE + SLOTS * stride
        if sys.platform == "win32":
            self._memory = mmap.mmap(-1, size, tagname=handle)
        else:
            if create:
                os.ftruncate(int(handle), size)
            self._memory = mmap.mmap(int(handle), size)
        self._locks = np.frombuffer(self._memory, np.uint64, SLOTS)
        self._slots = [
            np.frombuffer(self._memory, np.uint8, width * height * 3 // 2, _PAGE + i * stride).reshape(self._shape)
            for i in range(SLOTS)
        ]

    def begin(self, seq: int) -> Plane:
        """Opens the slot of frame `seq` for writing, and gives it."""
        self._locks[seq % SLOTS] = 2 * seq + 1
        return self._slots[seq % SLOTS]

    def commit(self, seq: int) -> None:
        """Says that frame `seq` is whole."""
        self._locks[seq % SLOTS] = 2 * seq + 2

    def copy(self, seq: int, into: Plane) -> bool:
        """Copies frame `seq` into `into`; False when it was overwritten, before or meanwhile, and `into` is worthless.

        Raises ValueError when `into` has another shape.
        """
        if into.shape != self._shape:
            raise ValueError(f"the frame has the shape {self._shape}, and {into.shape} was given for it")
        lock, whole = seq % SLOTS, 2 * seq + 2
        if self._locks[lock] != whole:
            return False
        np.copyto(into, self._slots[lock])
        return bool(self._locks[lock] == whole)

    def close(self) -> None:
        """Gives the memory back. No array of begin() may be in use."""
        del self._locks, self._slots
        self._memory.close()
