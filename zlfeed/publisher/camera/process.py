"""The camera that the publisher reads: one in a process of its own, or the first of several that gives a picture."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from zlfeed.errors import CameraError
from zlfeed.publisher.camera.child import CameraChild
from zlfeed.publisher.camera.csi_ways import PICAMERA2, Comparison, recall, remember, ways
from zlfeed.publisher.camera.records import ControlSet, Request
from zlfeed.publisher.camera.source import CameraSpec, FrameInfo, Opened
from zlfeed.publisher.camera.v4l2 import candidates

_CANDIDATE_TIMEOUT_S = 4.0
"""How long `auto` waits for a device's first picture; loading OpenCV on a Raspberry Pi takes over one second of it."""
_CSI_CANDIDATE_TIMEOUT_S = 8.0
"""The same for a CSI camera, whose program takes seconds to start on a small Pi."""
DEFAULT_SIZE, DEFAULT_FPS = (640, 480), 30.0
"""What a CSI camera is asked for when nothing is said."""


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
        self._patience_s = _CANDIDATE_TIMEOUT_S
        self._comparison: Comparison | None = None
        self._why = ""
        self._child = CameraChild(self._way(spec) if spec.kind == "csi" else spec)

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
        opened = self._child.opened
        if opened is None:
            raise CameraError(f"the camera {self.spec.text} is not open yet")
        return replace(opened, description=f"{opened.description} ({self._why})") if self._why else opened

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
                    if self._comparison is None:
                        return True
                    self._sample(self._comparison, deadline)
                    if time.monotonic() >= deadline:
                        return False
                    continue
            except CameraError as error:
                if self._comparison is None and self.spec.kind != "auto":
                    self._forget()
                    raise
                refusal = str(error)
            if refusal is None and time.monotonic() >= self._give_up_at:
                refusal = f"{self._child.spec.text} gave no picture within {self._patience_s:g} s"
            if refusal is not None and self._comparison is not None:
                self._comparison.failed(refusal)
                refusal = self._compare_on(self._comparison)
            if refusal is not None:
                self._forget()
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
        spec = self._child.spec
        return replace(spec, backend=self.spec.backend) if spec.kind == "csi" else spec

    @property
    def comparing(self) -> bool:
        """Whether it is being found out how the camera is read best, which takes some seconds once."""
        return self._comparison is not None

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
            if candidate is None:
                self._child.stop()
                if self.spec.kind != "auto":
                    raise CameraError(refusal)
                raise CameraError(
                    f"no camera gives a picture ({'; '.join(self._refusals)}): "
                    "name one with --camera, or try --camera test"
                )
        self._ask(candidate)

    def _ask(self, spec: CameraSpec) -> None:
        """Has this one opened; a CSI camera by the way that is known to be fitter, else it is found out."""
        self._comparison = None
        if spec.kind != "csi":
            self._open(spec)
            return
        way = self._way(spec)
        there = ways(spec)
        if not way.backend:
            self._comparison = Comparison(spec, there)
            found = self._comparison.next()
            assert found is not None
            way = found
        elif len(there) > 1:
            verdict = recall(spec, *self._asked)
            self._why = verdict.why if verdict else ""
        self._open(way)

    def _open(self, spec: CameraSpec) -> None:
        if self._child.asked or (self._child.spec.backend == PICAMERA2) != (spec.backend == PICAMERA2):
            with self._switching:
                if self._stopped:
                    raise CameraError(f"the camera {self.spec.text} was stopped")
                self._child.stop()
                self._child = CameraChild(spec)
        by_itself = self.spec.kind == "auto" or self._comparison is not None
        self._patience_s = _CSI_CANDIDATE_TIMEOUT_S if spec.kind == "csi" else _CANDIDATE_TIMEOUT_S
        self._give_up_at = time.monotonic() + self._patience_s if by_itself else math.inf
        self._child.open(Request(spec, self._size, self._fps, self._controls))

    # ------------------------------------------------------------ a CSI camera's ways

    @property
    def _asked(self) -> tuple[tuple[int, int], float]:
        return self._size or DEFAULT_SIZE, self._fps or DEFAULT_FPS

    def _way(self, spec: CameraSpec) -> CameraSpec:
        """The camera with its backend, where that is named, known, or the only one that is here."""
        there = ways(spec)
        if len(there) == 1:
            return there[0]
        verdict = recall(spec, *self._asked)
        return replace(spec, backend=verdict.backend) if verdict else spec

    def _sample(self, comparison: Comparison, deadline: float) -> None:
        """Takes pictures from the way on trial until it has been seen enough of, and then goes on; or the deadline."""
        opened, fitness = self._child.opened, comparison.found[-1]
        assert opened is not None
        fitness.offered = opened.fps
        into = np.empty((opened.height * 3 // 2, opened.width), np.uint8)
        while (now := time.monotonic()) < deadline:
            if fitness.sampled(now):
                self._compare_on(comparison)
                return
            frame = self._child.next_frame(into, min(deadline, self._give_up_at) - now)
            if frame is not None:
                now_ns = time.monotonic_ns()
                fitness.picture(now_ns / 1e9, (now_ns - frame.captured_ns) / 1e6 if opened.sensor_time else None)
                self._give_up_at = now_ns / 1e9 + self._patience_s
            elif time.monotonic() >= self._give_up_at:
                raise CameraError(f"{self._child.spec.text} gave no picture within {self._patience_s:g} s")

    def _compare_on(self, comparison: Comparison) -> str | None:
        """Goes on to the next way, or to the fittest when all were tried; why there is none, None otherwise."""
        if (spec := comparison.next()) is not None:
            self._open(spec)
            return None
        verdict = comparison.verdict(self._asked[1])
        self._comparison = None
        if verdict is None:
            return comparison.problems
        self._why = verdict.why
        # What gave no picture may only have been busy: it is tried again at the next start.
        remember(comparison.spec, *self._asked, verdict, lasting=not comparison.problems)
        if self._child.spec.backend != verdict.backend:
            self._open(replace(comparison.spec, backend=verdict.backend))
        self._give_up_at = time.monotonic() + self._patience_s if self.spec.kind == "auto" else math.inf
        return None

    def _forget(self) -> None:
        """The way that was known to be fitter does not open now: which one is, is found out anew."""
        spec = self._child.spec
        if spec.kind == "csi" and len(ways(replace(spec, backend=self.spec.backend))) > 1:
            remember(replace(spec, backend=""), *self._asked, None)
