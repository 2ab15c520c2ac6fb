"""A publisher with a status client: sets controls, waits for what is told."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from tests.support.commands import Running
from tests.support.status_tap import StatusTap
from zlfeed.model import CameraStatus, Control, ControlResult, Event, SetControl, Thumbnail, Welcome

_ids = itertools.count(1)


class CameraFeed(NamedTuple):
    """A publisher of one camera, and what can be heard of it."""

    running: Running
    tap: StatusTap
    urls: dict[str, str]
    camera: str = "zerolatency"

    def set(self, name: str, value: str = "") -> ControlResult:
        """Asks for a control to be set; the answer."""
        number = next(_ids)
        self.tap.send(SetControl(self.camera, name, value, number))
        return self.tap.until(ControlResult, lambda answer: answer.id == number)[1]

    def told(self, name: str, value: str) -> ControlResult:
        """The word, to all, that a control stands at a value."""
        return self.tap.until(ControlResult, lambda said: (said.name, said.value) == (name, value))[1]

    def controls(self) -> dict[str, Control]:
        """What can be set, as a client that comes now is told."""
        with StatusTap(self.urls["websocket"]) as tap:
            _, welcome = tap.until(Welcome, lambda _: True)
        return {control.name: control for control in welcome.cameras[0].controls}

    def event(self, code: str, after: float = 0.0) -> Event:
        """The event of that code."""
        return self.tap.until(Event, lambda event: event.code == code, after=after)[1]

    def status(self, **fields: object) -> CameraStatus:
        """The next status in which these fields have these values."""
        return self.tap.until(
            CameraStatus,
            lambda status: all(getattr(status, name) == value for name, value in fields.items()),
            after=time.monotonic(),
        )[1]

    def picture(self) -> npt.NDArray[np.uint8]:
        """A picture as viewers get it, BGR."""
        asked = time.monotonic()
        assert self.set("snapshot").ok
        _, thumbnail = self.tap.until(Thumbnail, lambda _: True, after=asked)
        decoded = cv2.imdecode(np.frombuffer(thumbnail.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        return np.asarray(decoded, np.uint8)


@contextmanager
def live(running: Running) -> Iterator[CameraFeed]:
    """The publisher, once its camera is seen."""
    with running:
        urls = running.line("ready")["urls"]
        with StatusTap(urls["websocket"]) as tap:
            tap.until(CameraStatus, lambda status: status.state == "live")
            yield CameraFeed(running, tap, urls)
