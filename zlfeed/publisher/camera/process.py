"""The camera that the publisher reads: one in a process of its own, or the first of several that gives a picture."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from zlfeed.errors import CameraError
from zlfeed.publisher.camera.child import CameraChild
from zlfeed.publisher.camera.records import ControlSet, Request
from zlfeed.publisher.camera.source import CameraSpec, FrameInfo, Opened
from zlfeed.publisher.camera.v4l2 import candidates

_CANDIDATE_TIMEOUT_S = 4.0
"""How long `auto` waits for a device's first picture; loading OpenCV on a Raspberry Pi takes over one second of it."""
_CSI_CANDIDATE_TIMEOUT_S = 8.0
"""The same for a CSI camera, whose program takes seconds to start on a small Pi."""


class CameraProcess:
    """A camera that delivers its newest picture. Used from one thread, stop() from any.

    On Linux its process dies with the *thread* that made it (prctl(2), PR_SET_PDEATHSIG): make it in the one that
    reads the frames.
    """

    def __init__(self, spec: CameraSpec, size: tuple[int, int] | None, fps: float | None) -> None:
        """Starts the process, which then stands ready for open(). start() does all that leads to a picture.

        `size` is (width, height) in pixels, `fps` pictures a second; None takes what the source has.
        Raises CameraError.
        """
        self.spec = spec
        self._size, self._fps = size, fps
        self._switching = threading.Lock()
        self._stopped = False
        self._refusals: list[str] = []
        self._controls: dict[str, str] = {}
        self._candidates: Iterator[CameraSpec] = iter(())
        self._give_up_at = math.inf
        self._child = CameraChild(spec)

    @classmethod
    def start(
        cls, spec: CameraSpec, *, size: tuple[int, int] | None, fps: float | None, timeout_s: float = 10.0
    ) -> CameraProcess:
        """Opens the camera and waits for its first picture, which next_frame() then gives.

        Raises CameraError, a sentence with the cure, when there is none within `timeout_s`; nothing is left running.
        """
        camera = cls(spec, size, fps)
        try:
            camera.open()
            if not camera.ready(timeout_s):
                raise camera.not_in_time(timeout_s)
        except BaseException:
            camera.stop()
            raise
        return camera

    @property
    def opened(self) -> Opened:
        """What the camera gives, known once it is ready(). Raises CameraError before."""
        if self._child.opened is None:
            raise CameraError(f"the camera {self.spec.text} is not open yet")
        return self._child.opened

    @property
    def pid(self) -> int:
        """The camera's process."""
        return self._child.pid

    @property
    def captured(self) -> int:
        """How many pictures the camera gave."""
        return self._child.captured

    def notes(self) -> list[str]:
        """What the camera wants people to know, since the last time this was asked."""
        return [self._child.notes.popleft() for _ in range(len(self._child.notes))]

    @property
    def dropped(self) -> int:
        """How many of them were passed over for a newer one."""
        return self._child.dropped

    def open(self, controls: Mapping[str, str] | None = None) -> None:
        """Begins to open the camera; ready() says when it is open. Raises CameraError when there is nothing to open.

        `controls` is what is to be set on the camera itself, as in Request.
        """
        self._controls = dict(controls or {})
        self._candidates = iter(candidates(self.spec) if self.spec.kind == "auto" else [self.spec])
        self._ask(next(self._candidates))

    def ready(self, timeout_s: float) -> bool:
        """Waits up to `timeout_s` seconds for the first picture; whether it is there, with `opened` known.

        For a caller that has other work while a camera opens. Raises CameraError like next_frame().
        """
        deadline = time.monotonic() + timeout_s
        while True:
            refusal = None
            try:
                if self._child.ready(max(0.0, min(deadline, self._give_up_at) - time.monotonic())):
                    return True
            except CameraError as error:
                if self.spec.kind != "auto":
                    raise
                refusal = str(error)
            if refusal is None and time.monotonic() >= self._give_up_at:
                refusal = f"{self._child.spec.text} gave no picture within {_CANDIDATE_TIMEOUT_S:g} s"
            if refusal is not None:
                self._try_next(refusal)
            elif time.monotonic() >= deadline:
                return False

    def not_in_time(self, timeout_s: float) -> CameraError:
        """What to say when there is no first picture after `timeout_s`."""
        did = "did not open" if self._child.opened is None else "opened, but gave no picture"
        return CameraError(
            f"the camera {self._child.spec.text} {did} within {timeout_s:g} s: "
            "unplug it and plug it in again, or name another with --camera"
        )

    def next_frame(self, into: npt.NDArray[np.uint8], timeout_s: float) -> FrameInfo | None:
        """Copies the newest picture that was not given before into `into`, I420 of shape (height·3/2, width).

        Waits for one up to `timeout_s` seconds, then gives None. Raises CameraError when the camera process ended,
        reports an error, or was stopped.
        """
        return self._child.next_frame(into, timeout_s)

    @property
    def live_spec(self) -> CameraSpec:
        """What is read: of `auto`, the one that was taken."""
        return self._child.spec

    def set_control(self, name: str, value: str) -> None:
        """Asks for one of the camera's controls to be set; answered() tells what came of it."""
        self._child.set_control(name, value)

    def answered(self) -> list[ControlSet]:
        """What came of set_control() since this was asked last; news comes in by next_frame()."""
        answers = []
        while self._child.answers:
            answers.append(self._child.answers.popleft())
        return answers

    def stop(self) -> None:
        """Ends the process: asks, then SIGTERM, then SIGKILL, within about a second; reaped. May be called twice."""
        with self._switching:
            self._stopped = True
            self._child.stop()

    def _try_next(self, refusal: str) -> None:
        """Goes on to the next device. Raises CameraError when that was the last."""
        self._refusals.append(refusal)
        with self._switching:
            if self._stopped:
                raise CameraError(f"the camera {self.spec.text} was stopped")
            candidate = next(self._candidates, None)
            self._child.stop()
            if candidate is None:
                raise CameraError(
                    f"no camera gives a picture ({'; '.join(self._refusals)}): "
                    "name one with --camera, or try --camera test"
                )
            self._child = CameraChild(candidate)
        self._ask(candidate)

    def _ask(self, spec: CameraSpec) -> None:
        patience_s = _CSI_CANDIDATE_TIMEOUT_S if spec.kind == "csi" else _CANDIDATE_TIMEOUT_S
        self._give_up_at = time.monotonic() + patience_s if self.spec.kind == "auto" else math.inf
        self._child.open(Request(spec, self._size, self._fps, self._controls))
