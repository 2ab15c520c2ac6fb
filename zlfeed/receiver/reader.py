"""The reader thread: opens the stream, keeps the newest picture only, and reopens what was lost, for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from zlfeed import logs, timecode
from zlfeed.clock import Estimate, monotonic_us
from zlfeed.model import Event
from zlfeed.opencv import load_cv2
from zlfeed.receiver import backends
from zlfeed.receiver.describe import describe
from zlfeed.receiver.figures import Age, Figures
from zlfeed.receiver.state import Connection
from zlfeed.receiver.stats import Statistics
from zlfeed.receiver.target import Target
from zlfeed.retry import backoff
from zlfeed.tls import Trust

log = logs.get(__name__)

STEADY_US = 2_000_000
"""A connection that gave pictures for this long was a good one: the next is tried at once, not after a long delay."""
RETRY_S = 1.0
"""The longest pause between attempts: a publisher that is back is seen within it."""


class Clock(Protocol):
    """Where the publisher's clock comes from: the status link."""

    def estimate(self) -> Estimate | None: ...

    def distrust_clock(self) -> None: ...


class NoClock:
    """No status link: nothing is known of the publisher's clock."""

    def estimate(self) -> Estimate | None:
        """Unknown."""
        return None

    def distrust_clock(self) -> None:
        """There is nothing to distrust."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture: `image` is BGR, shape (height, width, 3), and must not be changed. `number` counts from 1."""

    number: int
    image: npt.NDArray[np.uint8]
    in_hand_us: int
    code: timecode.Timecode | None
    age: Age | None


class Reader:
    """Owns the VideoCapture and its thread. The methods may be called by any thread.

    `source` is where OpenCV opens the target, when that is elsewhere (tunnel.py).
    """

    def __init__(
        self,
        target: Target,
        plan: backends.Plan,
        *,
        transport: str,
        timeout_s: float,
        clock: Clock,
        source: Target | None = None,
        trust: Trust = Trust(),  # noqa: B008 - frozen
        on_event: Callable[[Event], None],
        on_picture: Callable[[Picture], None] = lambda _picture: None,
    ) -> None:
        self._target = target
        self._source = source or target
        self._trust = trust
        self._plan = plan
        self._transport = transport
        self._timeout_s = timeout_s
        self._clock = clock
        self._on_event = on_event
        self._on_picture = on_picture
        self._cv2 = load_cv2()
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._statistics = Statistics(monotonic_us())
        self._picture: Picture | None = None
        self._connection = Connection()
        self._thread = threading.Thread(target=self._main, name="reader", daemon=True)
        backends.set_options(self._source, transport)

    def start(self) -> None:
        """Begins to connect; never fails."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Ends the thread; False when it is still inside OpenCV, which only its own time-outs end."""
        self._stopping.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def wait(self, after: int, timeout_s: float) -> Picture | None:
        """The newest picture once its number is above `after`; None when there is none within the time."""
        with self._changed:
            self._changed.wait_for(lambda: self._picture is not None and self._picture.number > after, timeout_s)
            return self._picture if self._picture is not None and self._picture.number > after else None

    @property
    def connection(self) -> Connection:
        """How the stream stands."""
        return self._connection

    @property
    def newest(self) -> Picture | None:
        """The newest picture, None before the first."""
        return self._picture

    def second(self) -> Figures:
        """The figures since the last call."""
        with self._changed:
            return self._statistics.second(monotonic_us(), _wall_us(), self._clock.estimate())

    def summary(self) -> Figures:
        """The figures of the run so far."""
        with self._changed:
            return self._statistics.summary(monotonic_us(), _wall_us(), self._clock.estimate())

    # ------------------------------------------------------------ on the reader's thread

    def _main(self) -> None:
        if self._plan.passed_over:
            log.info("backends_passed_over", reason="; ".join(self._plan.passed_over))
        delays, attempt = backoff(ceiling=RETRY_S), 0
        while not self._stopping.is_set():
            attempt += 1
            self._connection = Connection(self._not_live(), attempt, self._connection.error)
            with self._changed:
                self._statistics.opening(monotonic_us())
            try:
                steady, error = self._session()
            except Exception as failure:  # whatever OpenCV or a picture may do, the next attempt begins anew
                log.error("reader_failed", error=repr(failure))
                steady, error = False, f"reading failed: {failure}"
            if self._stopping.is_set():
                return
            if steady:
                delays, attempt = backoff(ceiling=RETRY_S), 0
            delay = next(delays)
            self._tell(attempt, error, delay)
            self._connection = Connection(self._not_live(), attempt + 1, error, monotonic_us() + round(delay * 1e6))
            self._stopping.wait(delay)

    def _not_live(self) -> str:
        return "reconnecting" if self._picture else "connecting"

    def _session(self) -> tuple[bool, str]:
        """One connection from open to lost: whether it was a good one, and why it ended."""
        capture, backend, error = self._open()
        if capture is None:
            return False, error
        try:
            return self._read(capture, backend)
        finally:
            capture.release()

    def _open(self) -> tuple[Any, str, str]:
        """An open VideoCapture and its backend's name; or None, "" and why not."""
        error = ""
        for name in self._plan.backends:
            capture = open_capture(self._cv2, name, self._source, self._transport, self._timeout_s)
            if capture.isOpened():
                return capture, capture.getBackendName(), ""
            capture.release()
            if self._stopping.is_set():
                break
            found = describe(self._target, self._timeout_s, self._trust)
            if not found.ok:
                return None, "", found.sentence
            error = f"{found.sentence}, but OpenCV cannot open it"
            log.warning("backend_failed", backend=name, reason=error)
        return None, "", error

    def _read(self, capture: Any, backend: str) -> tuple[bool, str]:
        """Takes pictures until there are no more: whether it was a good connection, and why it ended."""
        first_us = last_us = 0
        began_us = monotonic_us()
        while not self._stopping.is_set():
            ok, image = capture.read()
            now_us = monotonic_us()
            if not ok:
                silent = now_us - (last_us or began_us) >= self._timeout_s * 0.9e6
                error = (
                    f"the server sent nothing for {self._timeout_s:g} s" if silent else "the server ended the stream"
                )
                if not first_us:
                    error = self._undecoded(error)
                return last_us - first_us >= STEADY_US, error
            last_us = now_us
            first_us = first_us or now_us
            self._take(image, now_us, backend, first=first_us == now_us)
        return True, ""

    def _undecoded(self, error: str) -> str:
        """Why a stream that opened gave no picture: perhaps its codec, of which OpenCV says nothing."""
        return describe(self._target, self._timeout_s, self._trust).undecodable or error

    def _take(self, image: npt.NDArray[np.uint8], in_hand_us: int, backend: str, *, first: bool) -> None:
        code = timecode.read(image)
        estimate = self._clock.estimate()
        wall_us = _wall_us()
        with self._changed:
            if first:
                self._statistics.opened(backend)
            if code and estimate and self._statistics.contradicts(code, in_hand_us, wall_us, estimate):
                log.info("publisher_clock_set")
                self._clock.distrust_clock()
                estimate = None
            self._statistics.size = (image.shape[1], image.shape[0])
            age = self._statistics.picture(in_hand_us, code, wall_us, estimate)
            picture = Picture(self._statistics.frames, image, in_hand_us, code, age)
            self._picture = picture
            if first:
                self._connection = Connection("live", 0)
            self._changed.notify_all()
        self._on_picture(picture)
        if first:
            again = "again " if self._statistics.reconnects else ""
            size = f"{image.shape[1]}×{image.shape[0]}"
            self._event("info", "connected", f"receiving {self._target.url} {again}({size}, {backend})")

    def _tell(self, attempt: int, error: str, delay: float) -> None:
        """An event when the stream is lost, and of the attempts that fail one whenever their number has doubled."""
        changed = error != self._connection.error
        if self._connection.code == "live":
            self._event("warning", "lost", f"{self._target.url} was lost: {error}")
        elif changed or attempt & (attempt - 1) == 0:
            self._event("warning", self._not_live(), f"attempt {attempt} failed, next try in {delay:.1f} s: {error}")

    def _event(self, level: str, code: str, text: str) -> None:
        self._on_event(Event(_wall_us(), level, code, text, self._target.stream))


def open_capture(cv2: Any, backend: str, target: Target, transport: str, timeout_s: float) -> Any:
    """A VideoCapture of the target by one backend of backends.ORDER, perhaps not opened."""
    settings: Sequence[int] = [
        number
        for name, value in backends.parameters(backend, round(timeout_s * 1000)).items()
        for number in (getattr(cv2, name), value)
    ]
    return cv2.VideoCapture(
        backends.source(backend, target, transport), getattr(cv2, f"CAP_{backend.upper()}"), settings
    )


def available(cv2: Any) -> Callable[[str], bool]:
    """Tells by name whether this OpenCV has a backend."""
    return lambda name: bool(cv2.videoio_registry.hasBackend(getattr(cv2, f"CAP_{name.upper()}")))


def _wall_us() -> int:
    return time.time_ns() // 1000
