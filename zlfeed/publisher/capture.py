"""The capture thread: newest camera frame → outlet → encoder; a slate while there is none, or none is to be seen.

It owns the camera's process and touches neither sockets nor the event loop; what it notices it tells its Listener,
whose methods are called in this thread.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, get_args

import numpy as np

from zlfeed import logs
from zlfeed.errors import CameraEnded, CameraError
from zlfeed.model import Control
from zlfeed.publisher.camera import CameraProcess, CameraSpec, FrameInfo, Opened
from zlfeed.publisher.camera.child import end_ahead
from zlfeed.publisher.camera.v4l2 import device_path, stable_link
from zlfeed.publisher.picture.i420 import Plane
from zlfeed.publisher.picture.outlet import FrameSink, Look, Outlet
from zlfeed.restart import Restarts

log = logs.get(__name__)

OPEN_TIMEOUT_S = 10.0
SILENCE_S = 2.0
"""A camera that gives no frame for this long (or five frame intervals, if longer) is closed and opened again."""
SLATE_AFTER_S = 0.5
"""Without a picture for this long, viewers see a slate."""
SLATE_INTERVAL_S = 0.15
SLATE_SIZE = (640, 480)
"""While no camera has ever said its size, and none was asked for."""
HEALTHY_S = 3.0
"""A camera that gave pictures for this long is tried again soon when it is lost."""
_POLL_S = 0.1


Privacy = Literal["off", "slate", "released"]
"""`slate`: viewers see a slate, the camera stays open. `released`: the same, and the camera is closed."""
PRIVACIES: tuple[Privacy, ...] = get_args(Privacy)


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """What to capture and how to show it. `size` and `fps` None: as the source has them."""

    spec: CameraSpec
    size: tuple[int, int] | None
    fps: float | None
    look: Look = field(default_factory=Look)
    privacy: Privacy = "off"
    controls: tuple[tuple[str, str], ...] = ()
    """What is to be set on the camera itself, by name: a value, or "default"."""

    @property
    def camera(self) -> tuple[object, ...]:
        """What needs the camera opened anew when it changes."""
        return (self.spec, self.size, self.fps, self.privacy == "released")


class Listener(Protocol):
    """Who wants to know; called in the capture thread, must not block for long."""

    def camera_opened(self, opened: Opened) -> None: ...

    def camera_lost(self, reason: str) -> None: ...

    def camera_note(self, text: str) -> None:
        """Something about the camera that people should know."""

    def camera_ended(self, text: str) -> None:
        """The camera has come to its end, as it was to; slates follow until the feed ends."""

    def slate_shown(self, width: int, height: int) -> None:
        """There has been no camera yet, and slates begin; they would like an encoder of this size."""

    def sink(self) -> FrameSink | None:
        """The encoder of the moment, None while there is none."""


class Capture:
    """One camera's capture thread. `error` is why the first opening failed, when `retry_first` is off."""

    def __init__(self, settings: CaptureSettings, listener: Listener, *, retry_first: bool) -> None:
        self.error: CameraError | None = None
        self.restarts = Restarts(budget=None, healthy_after_s=HEALTHY_S)
        self.connected = False
        self.privacy: Privacy = "off"
        """As it is in force."""
        self.opened: Opened | None = None
        """What the camera gave when it was opened last."""
        self.refusal: str | None = None
        """Why the camera did not open as it was ordered on trial."""
        self.control_refusal: str | None = None
        """Why the camera did not take a value that was to be set on it."""
        self.controls: tuple[Control, ...] = ()
        """What can be set on the camera, with the values as it said them last."""
        self.outlet = Outlet(settings.spec.name, listener.sink)
        self._settings = settings
        self._listener = listener
        self._retry_first = retry_first
        self._stop = threading.Event()
        self._camera: CameraProcess | None = None
        self._captured_before = 0
        self._dropped_before = 0
        self._turn_at = 0.0
        # Orders to open the camera anew are counted: given by any thread, taken and carried out by the capture thread.
        self._given = self._taken = self._done = 0
        self._trial = False
        self._made_for: tuple[object, ...] = ()
        self._begun = self._over = False
        self._steered: tuple[tuple[str, str], ...] = ()
        self._unanswered = 0
        self._pinned: CameraSpec | None = None
        self._lost_at: float | None = None
        self._private_since: float | None = None
        self._last_frame = 0.0
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

    def change(self, settings: CaptureSettings, *, reopen: bool = False, trial: bool = False) -> None:
        """From now on like this, with the camera opened anew where that is needed. From any thread.

        On `trial`, a camera that cannot be opened so is told in `refusal` besides being lost.
        """
        before, self._settings = self._settings, settings
        self.control_refusal = None
        # A camera whose controls are options of a program is opened anew for them.
        stiff = self.opened is not None and not self.opened.live_controls and settings.controls != before.controls
        if reopen or stiff or settings.camera != before.camera:
            self.refusal = None
            self._trial = trial
            self._given += 1

    @property
    def on_trial(self) -> bool:
        """Whether the camera is being opened anew, and gave pictures before."""
        return self._trial and self._done != self._given

    @property
    def reopening(self) -> bool:
        """Whether the camera is being opened anew because someone wants it so."""
        return self._done != self._given and self._lost_at is None

    @property
    def settled(self) -> bool:
        """Whether viewers get what is wanted."""
        settings = self._settings
        if self.privacy != settings.privacy:
            return False
        opened = settings.privacy == "released" or (self.connected and self._done == self._given and self._obeyed)
        return opened and (settings.privacy != "off" or self.outlet.turned == settings.look.orientation)

    @property
    def _obeyed(self) -> bool:
        """Whether the camera has what is to be set on it."""
        return self._steered == self._settings.controls and not self._unanswered

    @property
    def found(self) -> CameraSpec | None:
        """The camera that was opened; of `auto`, the one that was taken. None before."""
        return self._pinned

    @property
    def captured(self) -> int:
        """Frames the camera gave, over all its openings."""
        camera = self._camera
        return self._captured_before + (camera.captured if camera else 0)

    def drops(self) -> dict[str, int]:
        """Frames that did not reach the encoder, by reason."""
        camera = self._camera
        passed_over = self._dropped_before + (camera.dropped if camera else 0)
        return {**self.outlet.dropped, "newer_frame": passed_over}

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    if self._settings.privacy == "released":
                        self._stay_away()
                    else:
                        self._open_and_read()
                    if not self._stop.is_set() and self._settings.privacy != "released":
                        self._exchange()  # someone wants it opened anew
                except CameraEnded as end:
                    self._play_out(str(end))
                    continue
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
        if self._taken != self._given:
            self._turn_at = 0.0  # someone asks for it: at once, whatever failed before
        self._taken = self._given
        self._wait_for_turn()
        if self._interrupted():
            return
        if self._camera is not None and self._made_for != self._settings.camera:
            self._exchange()
        camera = self._camera = self._camera or self._standby()
        self.restarts.starting()
        self._steered, self._unanswered = self._settings.controls, 0
        camera.open(dict(self._steered))
        deadline = time.monotonic() + OPEN_TIMEOUT_S
        while not camera.ready(_POLL_S):
            if self._interrupted():
                return
            if camera.comparing:
                deadline = time.monotonic() + OPEN_TIMEOUT_S  # it has an end of its own
            if time.monotonic() > deadline:
                raise camera.not_in_time(OPEN_TIMEOUT_S)
            self._slate_if_due()
        self._pin(camera.live_spec)
        self._begin(camera.opened)
        opened = camera.opened
        raw = np.empty((opened.height * 3 // 2, opened.width), dtype=np.uint8)
        silence_s = max(SILENCE_S, 5 / opened.fps if opened.fps else 0.0)
        last = time.monotonic()
        while not self._interrupted():
            self._steer(camera)
            frame = camera.next_frame(raw, _POLL_S)
            now = time.monotonic()
            for note in camera.notes():
                self._listener.camera_note(note)
            if frame is not None:
                last = now
                self._show(raw, frame)
            elif now - last > silence_s:
                raise CameraError(f"the camera {self._settings.spec.text} gave no picture for {silence_s:g} s")
            elif self._settings.privacy != "off" or now - last > max(SLATE_AFTER_S, silence_s / 4):
                self._slate_if_due()

    def _steer(self, camera: CameraProcess) -> None:
        """Has set on the open camera what is to be set on it, and takes in what came of it."""
        wanted = self._settings.controls
        if wanted != self._steered and camera.opened.live_controls:
            before, now = dict(self._steered), dict(wanted)
            self._steered = wanted
            for name in {**before, **now}:
                if (value := now.get(name, "default")) != before.get(name, "default") or value == "default":
                    camera.set_control(name, value)
                    self._unanswered += 1
        for answer in camera.answered():
            if answer.value is not None:
                self.controls = tuple(
                    replace(control, value=answer.value) if control.name == answer.name else control
                    for control in self.controls
                )
            elif answer.refusal:
                self.control_refusal = answer.refusal
            self._unanswered = max(0, self._unanswered - 1)

    def _pin(self, spec: CameraSpec) -> None:
        """From now on it is this camera: found again when it is plugged in elsewhere, and no other in its place."""
        if spec.kind == "device":
            link = stable_link(device_path(spec.target))
            self._pinned = replace(spec, target=link) if link else spec
        elif spec.kind == "csi":
            self._pinned = spec

    def _play_out(self, end: str) -> None:
        """What was to be played once is over; viewers see that, until someone has the camera opened anew."""
        self.connected = False
        self._lost_at, self._over = time.time(), True
        self._next_slate = time.monotonic() + SLATE_AFTER_S
        self._listener.camera_ended(end)
        self._close(self._camera)
        while not self._interrupted() and not self._stop.wait(_POLL_S / 2):
            self._slate_if_due()
        self._over = False

    def _interrupted(self) -> bool:
        """Whether the camera is to be left as it is: for the end, or to be opened otherwise."""
        return self._stop.is_set() or self._taken != self._given

    def _begin(self, opened: Opened) -> None:
        self._begun = True
        self.outlet.begin()
        self.restarts.running(time.monotonic())
        self._lost_at = None
        self.opened = opened
        self.controls = tuple(opened.controls)
        self.connected = True
        self._done = self._taken
        self._listener.camera_opened(opened)

    def _show(self, raw: Plane, frame: FrameInfo) -> None:
        self._last_frame = time.monotonic()
        settings = self._settings
        if settings.privacy != "off":
            self._slate_if_due()
            return
        self.outlet.show(raw, frame, settings.look)
        self._note_privacy("off")

    def _stay_away(self) -> None:
        """The camera is nobody's; viewers get slates."""
        self._begin_slates()
        self._close(self._camera)
        end_ahead(self._settings.spec.kind)
        self.restarts.off()
        self._note_privacy("released")
        while self._settings.privacy == "released" and not self._stop.wait(_POLL_S / 2):
            self._slate_if_due()

    def _note_privacy(self, now: Privacy) -> None:
        self.privacy = now
        if now == "off":
            self._private_since = None

    def _lose(self, error: CameraError) -> bool:
        """Notes the loss and waits before the next attempt; False when there is to be none."""
        self.connected = False
        delay = self.restarts.failed(time.monotonic(), str(error))
        assert delay is not None, "without a budget it is never given up"
        if self._lost_at is None:
            self._lost_at = time.time()
        if not self._begun and not self._retry_first:
            self._close(self._camera)
            self.error = error
            self._listener.camera_lost(str(error))
            return False
        self._begin_slates()
        if self._trial and self._done != self._taken:
            self.refusal = str(error)
        # Told before it is closed: a blocked driver takes a second to end.
        self._listener.camera_lost(str(error))
        self._turn_at = time.monotonic() + delay
        self._exchange()
        return True

    def _exchange(self) -> None:
        """Closes the camera while the process that opens it next loads, which takes longer than many an opening."""
        before, self._camera = self._camera, None
        with contextlib.suppress(CameraError):  # the next attempt tries again, and says why it fails
            self._camera = self._standby()
        self._close(before)

    def _standby(self) -> CameraProcess:
        settings = self._settings
        self._made_for = settings.camera
        return CameraProcess(self._pinned or settings.spec, settings.size, settings.fps)

    def _begin_slates(self) -> None:
        """Sees that there is an encoder for slates although no camera has said its size yet."""
        if not self._begun:
            self._begun = True
            self._listener.slate_shown(*(self._settings.size or SLATE_SIZE))

    def _wait_for_turn(self) -> None:
        """Waits until the camera may be tried again, or its device is plugged in again."""
        node = _node(self._pinned or self._settings.spec)
        gone = False
        while time.monotonic() < self._turn_at and not self._stop.wait(0.05):
            if self._taken != self._given:
                return
            self._slate_if_due()
            if node is None:
                continue
            if gone and os.path.exists(node):
                # Those who may open it are told a moment after it appears: the next attempts are to be soon.
                self.restarts.reset()
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

    def _slate_if_due(self) -> None:
        """Viewers see that there is no picture, since when and why, and that the rest is alive."""
        now, settings = time.monotonic(), self._settings
        private = settings.privacy != "off"
        if private and self._private_since is None:
            self._private_since = time.time()
            self._next_slate = now
        if not self._begun or now < self._next_slate:
            return
        if not private and self._lost_at is None and now - self._last_frame < SLATE_AFTER_S:
            return
        self._next_slate = now + SLATE_INTERVAL_S
        title, why = ("PRIVATE", "since") if private else ("NO SIGNAL", "no picture since")
        if self._over and not private:
            title, why = "ENDED", "over since"
        since = _clock(self._private_since if private else self._lost_at)
        self.outlet.show_slate(title, [settings.spec.name, f"{why} {since}"], settings.look)
        if settings.privacy != "released":  # which is in force when the camera is closed
            self._note_privacy(settings.privacy)


def _clock(at: float | None) -> str:
    """Local time of day of a moment in seconds since 1970 UTC; now when there is none."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def _node(spec: CameraSpec) -> str | None:
    """The path that goes when the camera is unplugged, where there is one."""
    match spec.kind:
        case "device":
            return device_path(spec.target) if spec.target.isdigit() else spec.target
        case "file":
            return spec.target
        case _:
            return None
