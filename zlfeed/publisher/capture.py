"""The capture thread: newest camera frame → wall clock and timecode drawn on it → encoder; a slate while there is none.

It owns the camera's process and touches neither sockets nor the event loop; what it notices it tells its Listener,
whose methods are called in this thread.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from zlfeed import logs, timecode
from zlfeed.errors import CameraError
from zlfeed.publisher.camera import CameraProcess, CameraSpec, FrameInfo, Opened
from zlfeed.publisher.camera.v4l2 import device_path
from zlfeed.publisher.overlay import Overlay, slate
from zlfeed.retry import backoff

log = logs.get(__name__)

OPEN_TIMEOUT_S = 10.0
SILENCE_S = 2.0
"""A camera that gives no frame for this long (or five frame intervals, if longer) is closed and opened again."""
SLATE_AFTER_S = 0.5
SLATE_INTERVAL_S = 0.15
SLATE_SIZE = (640, 480)
"""While no camera has ever said its size, and none was asked for."""
WRITE_TIMEOUT_S = 2.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """What to capture and what to draw. `size` and `fps` None: as the source has them."""

    spec: CameraSpec
    size: tuple[int, int] | None
    fps: float | None
    draw_timecode: bool = True
    draw_overlay: bool = True


class FrameSink(Protocol):
    """Where the frames go: the encoder of the moment."""

    def write(self, raw: npt.NDArray[np.uint8], frame: FrameInfo, timeout_s: float) -> bool:
        """Takes a raw I420 frame, or says False."""


class Listener(Protocol):
    """Who wants to know; called in the capture thread, must not block for long."""

    def camera_opened(self, opened: Opened) -> None: ...

    def camera_lost(self, reason: str) -> None: ...

    def slate_shown(self, width: int, height: int) -> None:
        """There has been no camera yet, and slates of this size begin."""

    def sink(self, width: int, height: int) -> FrameSink | None:
        """The encoder for frames of this size, None while there is none."""


class Capture:
    """One camera's capture thread. `error` is why the first opening failed, when `retry_first` is off."""

    def __init__(self, settings: CaptureSettings, listener: Listener, *, retry_first: bool) -> None:
        self.error: CameraError | None = None
        self.restarts = 0
        self.connected = False
        self.dropped: dict[str, int] = {"newer_frame": 0, "encoder_busy": 0, "no_encoder": 0}
        self._settings = settings
        self._listener = listener
        self._retry_first = retry_first
        self._stop = threading.Event()
        self._camera: CameraProcess | None = None
        self._captured_before = 0
        self._dropped_before = 0
        self._delays: Iterator[float] = backoff()
        self._turn_at = 0.0
        self._number = -1
        self._last_seq = -1
        self._size: tuple[int, int] | None = None
        self._overlay: Overlay | None = None
        self._lost_at: float | None = None
        self._next_slate = 0.0
        self._thread = threading.Thread(target=self._run, name=f"capture-{settings.spec.name}", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Asks the thread to end; the camera is closed by it."""
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """Waits for the thread; whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def captured(self) -> int:
        """Frames the camera gave, over all its openings."""
        camera = self._camera
        return self._captured_before + (camera.captured if camera else 0)

    def drops(self) -> dict[str, int]:
        """Frames that did not reach the encoder, by reason."""
        camera = self._camera
        passed_over = self._dropped_before + (camera.dropped if camera else 0)
        return {**self.dropped, "newer_frame": passed_over}

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    self._open_and_read()
                except CameraError as error:
                    failure = error
                except Exception as error:
                    # Whatever it was, the picture is gone and viewers must see that; the next attempt may go well.
                    log.exception("capture_failed")
                    failure = CameraError(f"reading the camera {self._settings.spec.text} failed: {error}")
                else:
                    continue
                if not self._lose(failure):
                    return
        finally:
            self._close(self._camera)

    def _open_and_read(self) -> None:
        self._wait_for_turn()
        camera = self._camera = self._camera or self._standby()
        camera.open()
        deadline = time.monotonic() + OPEN_TIMEOUT_S
        while not camera.ready(_POLL_S):
            if self._stop.is_set():
                return
            if time.monotonic() > deadline:
                raise camera.not_in_time(OPEN_TIMEOUT_S)
            self._slate_if_due()
        self._begin(camera.opened)
        opened = camera.opened
        raw = np.empty((opened.height * 3 // 2, opened.width), dtype=np.uint8)
        silence_s = max(SILENCE_S, 5 / opened.fps if opened.fps else 0.0)
        last = time.monotonic()
        while not self._stop.is_set():
            frame = camera.next_frame(raw, _POLL_S)
            now = time.monotonic()
            if frame is not None:
                last = now
                self._feed(raw, self._numbered(frame))
            elif now - last > silence_s:
                raise CameraError(f"the camera {self._settings.spec.text} gave no picture for {silence_s:g} s")
            elif now - last > max(SLATE_AFTER_S, silence_s / 4):
                self._slate_if_due()

    def _begin(self, opened: Opened) -> None:
        self._size = (opened.width, opened.height)
        self._overlay = Overlay(opened.width, opened.height)
        self._delays = backoff()
        self._lost_at = None
        self._last_seq = -1
        self.connected = True
        self._listener.camera_opened(opened)

    def _lose(self, error: CameraError) -> bool:
        """Notes the loss and waits before the next attempt; False when there is to be none."""
        was_open, self.connected = self.connected, False
        if self._lost_at is None:
            self._lost_at = time.time()
        if self._size is None and not self._retry_first:
            self._close(self._camera)
            self.error = error
            self._listener.camera_lost(str(error))
            return False
        if was_open:
            self.restarts += 1
        if self._size is None:
            self._size = self._settings.size or SLATE_SIZE
            self._listener.slate_shown(*self._size)
        # Told before it is closed: a blocked driver takes a second to end.
        self._listener.camera_lost(str(error))
        self._turn_at = time.monotonic() + next(self._delays)
        lost, self._camera = self._camera, None
        with contextlib.suppress(CameraError):  # the next attempt tries again, and says why it fails
            self._camera = self._standby()
        self._close(lost)
        return True

    def _standby(self) -> CameraProcess:
        """A process that makes itself ready to open the camera, which takes longer than many a camera's opening."""
        return CameraProcess(self._settings.spec, self._settings.size, self._settings.fps)

    def _wait_for_turn(self) -> None:
        """Waits until the camera may be tried again, or its device is plugged in again."""
        node = _node(self._settings.spec)
        gone = False
        while time.monotonic() < self._turn_at and not self._stop.wait(0.05):
            self._slate_if_due()
            if node is None:
                continue
            if gone and os.path.exists(node):
                # Those who may open it are told a moment after it appears: the next attempts are to be soon.
                self._delays = backoff()
                return
            gone = gone or not os.path.exists(node)

    def _close(self, camera: CameraProcess | None) -> None:
        self.connected = False
        if camera is None:
            return
        # A blocked driver takes a second to end; viewers get their slate meanwhile.
        stopping = threading.Thread(target=camera.stop, name="camera-stop")
        stopping.start()
        while stopping.is_alive():
            stopping.join(0.05)
            if not self._stop.is_set():
                self._slate_if_due()
        self._captured_before += camera.captured
        self._dropped_before += camera.dropped
        if camera is self._camera:
            self._camera = None

    def _numbered(self, frame: FrameInfo) -> FrameInfo:
        """The frame with a number that goes on over camera restarts and slates; passed-over frames leave a gap."""
        self._number += max(1, frame.seq - self._last_seq) if self._last_seq >= 0 else 1
        self._last_seq = frame.seq
        return FrameInfo(self._number, frame.captured_us, frame.captured_ns)

    def _slate_if_due(self) -> None:
        """Viewers see that the camera is lost, since when, and that the rest is alive."""
        now = time.monotonic()
        if self._size is None or now < self._next_slate:
            return
        self._next_slate = now + SLATE_INTERVAL_S
        since = time.strftime("%H:%M:%S", time.localtime(self._lost_at or time.time()))
        width, height = self._size
        raw = slate(width, height, [self._settings.spec.name, f"no picture since {since}"])
        self._number += 1
        self._feed(raw, FrameInfo(self._number, time.time_ns() // 1000, time.monotonic_ns()))

    def _feed(self, raw: npt.NDArray[np.uint8], frame: FrameInfo) -> None:
        height, width = raw.shape[0] * 2 // 3, raw.shape[1]
        sink = self._listener.sink(width, height)
        if sink is None:
            self.dropped["no_encoder"] += 1
            return
        if self._settings.draw_overlay and self._overlay is not None:
            self._overlay.draw(raw, self._settings.spec.name, frame.captured_us)
        if self._settings.draw_timecode and timecode.fits(width):
            timecode.draw(raw, width, height, timecode.Timecode(frame.captured_us, frame.seq))
        if not sink.write(raw, frame, WRITE_TIMEOUT_S):
            self.dropped["encoder_busy"] += 1


def _node(spec: CameraSpec) -> str | None:
    """The path that goes when the camera is unplugged, where there is one."""
    match spec.kind:
        case "device":
            return device_path(spec.target) if spec.target.isdigit() else spec.target
        case "file":
            return spec.target
        case _:
            return None
