"""The camera in a process of its own, seen from the parent."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque

import numpy as np
import numpy.typing as npt

from zlfeed.errors import CameraError
from zlfeed.publisher.camera.records import Failure, Request, Unpacker
from zlfeed.publisher.camera.shm import FrameRing, SharedHandle
from zlfeed.publisher.camera.source import CameraSpec, FrameInfo, Opened
from zlfeed.publisher.camera.waiting import Readable

_READ_SIZE = 1 << 16
_LOG_LINES = 40


class CameraProcess:
    """A camera that delivers its newest picture. Made by start(); used from one thread, stop() from any.

    `captured` counts the pictures that the camera gave, `dropped` those that were passed over for a newer one.
    """

    opened: Opened

    def __init__(self, spec: CameraSpec, size: tuple[int, int] | None, fps: float | None) -> None:
        """Starts the child and asks it to open the camera; start() also waits for its first picture."""
        self.spec = spec
        self.captured = 0
        self.dropped = 0
        self._delivered = 0
        self._opened: Opened | None = None
        self._ring: FrameRing | None = None
        self._newest: FrameInfo | None = None
        self._failure: str | None = None
        self._ended = False
        self._stopping = False
        self._using = threading.Lock()
        self._unpacker = Unpacker()
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._handle = SharedHandle()
        try:
            self._child = subprocess.Popen(
                # -P: whatever lies in the folder where the user stands is no module of ours.
                [sys.executable, "-P", "-m", _WORKER, str(os.getpid()), self._handle.text],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if Readable.many else subprocess.DEVNULL,
                bufsize=0,
                pass_fds=() if self._handle.fd is None else (self._handle.fd,),
                start_new_session=True,
            )
        except BaseException:
            self._handle.close()
            raise
        self.pid = self._child.pid
        assert self._child.stdin
        assert self._child.stdout
        self._stdin = self._child.stdin
        self._records = self._child.stdout.fileno()
        self._readable = Readable([pipe.fileno() for pipe in (self._child.stdout, self._child.stderr) if pipe])
        with contextlib.suppress(BrokenPipeError):  # It ended at once; why is told when its pipe is read.
            self._stdin.write(Request(spec, size, fps).to_line())

    @classmethod
    def start(
        cls, spec: CameraSpec, *, size: tuple[int, int] | None, fps: float | None, timeout_s: float = 10.0
    ) -> CameraProcess:
        """Opens the camera and waits for its first picture, which next_frame() then gives.

        Raises CameraError, a sentence with the cure, when there is none within `timeout_s`; nothing is left running.
        On Linux the child dies with the *thread* that calls this (prctl(2), PR_SET_PDEATHSIG): call it from the one
        that reads the frames.
        """
        camera = cls(spec, size, fps)
        try:
            camera._await_first_picture(timeout_s)
        except BaseException:
            camera.stop()
            raise
        return camera

    def next_frame(self, into: npt.NDArray[np.uint8], timeout_s: float) -> FrameInfo | None:
        """Copies the newest picture that was not given before into `into`, I420 of shape (height·3/2, width).

        Waits for one up to `timeout_s` seconds, then gives None. Raises CameraError when the camera process ended,
        reports an error, or was stopped.
        """
        deadline = time.monotonic() + timeout_s
        with self._using:
            self._pump(0)
            while True:
                if self._stopping:
                    raise CameraError(f"the camera {self.spec.text} was stopped")
                if (frame := self._newest) is not None and self._ring is not None:
                    self._newest = None
                    if self._ring.copy(frame.seq, into):
                        self._delivered += 1
                        self.dropped = self.captured - self._delivered
                        return frame
                if self._failure is not None:
                    raise CameraError(self._failure)
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._pump(left)

    def stop(self) -> None:
        """Ends the child: asks, then SIGTERM, then SIGKILL, within about a second; reaped. May be called twice."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._stdin.close()
        if not self._ends_within(0.4):
            self._child.terminate()
            if not self._ends_within(0.2):
                self._child.kill()
                # Only a process stuck inside the kernel outlives this; it ends when its driver lets go.
                self._ends_within(0.5)
        # The child's end of the pipe is closed now, so a next_frame() in another thread is on its way out.
        with self._using:
            for pipe in (self._child.stdout, self._child.stderr):
                if pipe:
                    pipe.close()
            if self._ring is not None:
                self._ring.close()
                self._ring = None
            self._handle.close()

    def _ends_within(self, seconds: float) -> bool:
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _await_first_picture(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while self._newest is None:
            if self._failure is not None:
                raise CameraError(self._failure)
            left = deadline - time.monotonic()
            if left <= 0:
                did = "did not open" if self._opened is None else "opened, but gave no picture"
                raise CameraError(
                    f"the camera {self.spec.text} {did} within {timeout_s:g} s: "
                    "unplug it and plug it in again, or name another with --camera"
                )
            self._pump(left)

    def _pump(self, timeout_s: float) -> None:
        """Waits up to `timeout_s` for the child to say something, and takes in all of it."""
        if self._ended or self._stopping:
            return
        for fd in self._readable.wait(timeout_s):
            data = os.read(fd, _READ_SIZE)
            if fd != self._records:
                self._log.extend(data.decode("utf-8", "replace").splitlines())
                if not data:
                    self._readable.forget(fd)
            elif data:
                self._take_in(data)
            else:
                self._ended = True
                if self._failure is None:
                    self._failure = self._last_words()

    def _take_in(self, data: bytes) -> None:
        for record in self._unpacker.feed(data):
            if isinstance(record, FrameInfo):
                self._newest = record
                self.captured = record.seq + 1
            elif isinstance(record, Opened):
                self._opened = self.opened = record
                self._ring = FrameRing(self._handle.text, record.width, record.height, create=False)
                self._handle.close()
            elif isinstance(record, Failure):
                self._failure = record.text

    def _last_words(self) -> str:
        """Why the child ended without a word of its own."""
        how = "ended"
        if self._ends_within(0.5) and (code := self._child.returncode):
            how = f"was ended by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        said = next((line for line in reversed(self._log) if line.strip()), "")
        return f"the process of the camera {self.spec.text} {how}" + (f": {said.strip()}" if said else "")


_WORKER = "zlfeed.publisher.camera.worker"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
