"""One camera process, seen from the parent.

What the hop costs, captured there → in hand here, by scripts/bench_camera.py on two busy x86 cores: p50 0.34 and p95
0.76 ms at 640x480, 0.73 and 2.0 ms at 1920x1080. At 640x480 the wake-up by the pipe takes 0.08 of it, the copy 0.09 ms.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import zlfeed
from zlfeed.errors import CameraEnded, CameraError
from zlfeed.publisher.camera.csi_ways import PICAMERA2, find_python
from zlfeed.publisher.camera.records import ControlSet, End, Failure, Note, Request, Unpacker, set_line
from zlfeed.publisher.camera.shm import FrameRing, SharedHandle
from zlfeed.publisher.camera.source import CameraSpec, FrameInfo, Opened
from zlfeed.publisher.camera.waiting import Readable
from zlfeed.publisher.picture.i420 import Plane

_WORKER = "zlfeed.publisher.camera.worker"
_ELSEWHERE = f"import sys; sys.path.append(sys.argv.pop(1)); from {_WORKER} import main; main()"
"""The same in another Python, which finds us behind its own packages."""
_READ_SIZE = 1 << 16
_LOG_LINES = 40
_ANSWERS = 256
_MAX_NOTES = 32


class _Worker:
    """A camera process that loads what it needs and then waits to be told what to open."""

    def __init__(self, kind: str) -> None:
        """Raises OSError."""
        self.handle = SharedHandle()
        try:
            self.process = subprocess.Popen(
                [*_program(kind), str(os.getpid()), self.handle.text, kind],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if Readable.many else subprocess.DEVNULL,
                bufsize=0,
                pass_fds=() if self.handle.fd is None else (self.handle.fd,),
                start_new_session=True,
            )
        except OSError:
            self.handle.close()
            raise

    def discard(self) -> None:
        """Ends it; nobody needs it."""
        self.process.kill()
        self.process.communicate()
        self.handle.close()


def _program(kind: str) -> list[str]:
    """What reads such a camera."""
    # -P: whatever lies in the folder where the user stands is no module of ours.
    if kind == PICAMERA2 and (found := find_python()) and found.python != sys.executable:
        return [found.python, "-P", "-c", _ELSEWHERE, str(Path(zlfeed.__file__).parent.parent)]
    return [sys.executable, "-P", "-m", _WORKER]


def _take(spec: CameraSpec) -> _Worker:
    """A process for this camera, one that was started ahead if there is one. Raises OSError."""
    ready = _ahead.get(spec.kind, [])
    if spec.backend != PICAMERA2:
        return ready.pop() if ready else _Worker(spec.kind)
    if ready:  # it was not known yet that another Python reads it
        ready.pop().discard()
    return _Worker(PICAMERA2)


_ahead: dict[str, list[_Worker]] = {}
"""Processes that load while their publisher does, by kind."""


@contextlib.contextmanager
def started_ahead(kinds: Iterable[str]) -> Iterator[None]:
    """Has a process ready for the first camera of each of these kinds; from the thread that lives longest.

    A publisher is as long at loading itself as its camera process is: one after the other they kept viewers waiting.
    What nobody has taken by the end is ended.
    """
    with contextlib.suppress(OSError):  # the camera itself says so
        for kind in kinds:
            _ahead.setdefault(kind, []).append(_Worker(kind))
    try:
        yield
    finally:
        for workers in _ahead.values():
            while workers:
                workers.pop().discard()


def end_ahead(kind: str) -> None:
    """Ends a process of that kind that nobody has taken: its camera is not to be opened, and none is to be at it."""
    if ready := _ahead.get(kind):
        ready.pop().discard()


class CameraChild:
    """The process that reads one source, its record pipe and its frames. stop() from any thread, the rest from one."""

    def __init__(self, spec: CameraSpec) -> None:
        """Starts the process, which makes itself ready and waits for open(). Raises CameraError."""
        self.spec = spec
        self.opened: Opened | None = None
        self.asked = False
        """Whether it was asked to open a camera, which it does once."""
        self.captured = 0
        self.dropped = 0
        self.notes: deque[str] = deque(maxlen=_MAX_NOTES)
        self._end: str | None = None
        self.answers: deque[ControlSet] = deque(maxlen=_ANSWERS)
        """What came of set_control(), oldest first; taken away by whom it concerns."""
        self._delivered = 0
        self._ring: FrameRing | None = None
        self._newest: FrameInfo | None = None
        self._failure: str | None = None
        self._ended = False
        self._stopping = False
        self._using = threading.Lock()
        self._unpacker = Unpacker()
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        try:
            worker = _take(spec)
        except OSError as error:
            raise CameraError(f"no process could be started for the camera {spec.text}: {error.strerror}") from None
        self._handle, self._process = worker.handle, worker.process
        self.pid = self._process.pid
        assert self._process.stdin
        assert self._process.stdout
        self._stdin = self._process.stdin
        self._records = self._process.stdout.fileno()
        self._readable = Readable([pipe.fileno() for pipe in (self._process.stdout, self._process.stderr) if pipe])

    def open(self, request: Request) -> None:
        """Asks the process to open what `request` names; waits for nothing."""
        self.spec = request.spec
        self.asked = True
        with contextlib.suppress(BrokenPipeError):  # It ended at once; why is told when its pipe is read.
            self._stdin.write(request.to_line())

    def set_control(self, name: str, value: str) -> None:
        """Asks for one of the camera's controls to be set; what came of it will be in `answers`."""
        with contextlib.suppress(OSError, ValueError):  # It has ended, which is told when its pipe is read.
            self._stdin.write(set_line(name, value))

    def ready(self, timeout_s: float) -> bool:
        """Waits for the first picture, with `opened`; False at the time-out. Raises CameraError like next_frame()."""
        deadline = time.monotonic() + timeout_s
        with self._using:
            while self._newest is None:
                self._raise_if_over()
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._pump(left)
        return True

    def next_frame(self, into: Plane, timeout_s: float) -> FrameInfo | None:
        """Copies the newest picture into `into`; see CameraProcess.next_frame()."""
        deadline = time.monotonic() + timeout_s
        with self._using:
            self._pump(0)
            while True:
                if (frame := self._newest) is not None and self._ring is not None:
                    self._newest = None
                    if self._ring.copy(frame.seq, into):
                        self._delivered += 1
                        self.dropped = self.captured - self._delivered
                        return frame
                self._raise_if_over()
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._pump(left)

    def stop(self) -> None:
        """Ends the process: asks, then SIGTERM, then SIGKILL, within about a second; reaped. May be called twice."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._stdin.close()
        if not self._ends_within(0.25):
            self._process.terminate()
            if not self._ends_within(0.15):
                self._process.kill()
                # Only a process stuck inside the kernel outlives this; it ends when its driver lets go.
                self._ends_within(0.5)
        # Its end of the pipe is closed now, so a next_frame() in another thread is on its way out.
        with self._using:
            for pipe in (self._process.stdout, self._process.stderr):
                if pipe:
                    pipe.close()
            if self._ring is not None:
                self._ring.close()
                self._ring = None
            self._newest = None
            self._handle.close()

    def _ends_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _raise_if_over(self) -> None:
        if self._stopping:
            raise CameraError(f"the camera {self.spec.text} was stopped")
        if self._end is not None:
            raise CameraEnded(self._end)
        if self._failure is not None:
            raise CameraError(self._failure)

    def _pump(self, timeout_s: float) -> None:
        """Waits up to `timeout_s` for the process to say something, and takes in all of it."""
        if self._ended or self._stopping:
            return
        # The records last: their end asks for the last words.
        for fd in sorted(self._readable.wait(timeout_s), key=lambda fd: fd == self._records):
            data = os.read(fd, _READ_SIZE)
            if fd != self._records:
                self._log.extend(data.decode("utf-8", "replace").splitlines())
                if not data:
                    self._readable.forget(fd)
            elif data:
                try:
                    self._take_in(data)
                except (OSError, ValueError) as error:
                    self._failure = f"the pictures of the camera {self.spec.text} cannot be taken over: {error}"
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
                self.opened = record
                self._ring = FrameRing(self._handle.text, record.width, record.height, create=False)
                self._handle.close()
            elif isinstance(record, ControlSet):
                self.answers.append(record)
            elif isinstance(record, Note):
                self.notes.append(record.text)
            elif isinstance(record, End):
                self._end = record.text
            elif isinstance(record, Failure):
                self._failure = record.text

    def _last_words(self) -> str:
        """Why the process ended without a word of its own."""
        how = "ended"
        if self._ends_within(0.5) and (code := self._process.returncode):
            how = f"was ended by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        said = next((line for line in reversed(self._log) if line.strip()), "")
        return f"the process of the camera {self.spec.text} {how}" + (f": {said.strip()}" if said else "")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
