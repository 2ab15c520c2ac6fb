"""What goes on in the window: the newest picture as soon as it is in hand, under its header; the keys."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime

from zlfeed import metrics
from zlfeed.clock import monotonic_us
from zlfeed.opencv import load_cv2
from zlfeed.receiver.figures import Histogram, round_ms
from zlfeed.receiver.overlay import Header, Overlay
from zlfeed.receiver.reader import Picture, Reader
from zlfeed.receiver.state import State
from zlfeed.receiver.window import Window

_IDLE_S = 0.02
"""How long to wait for a picture before looking at the keys again."""
_REDRAW_S = 0.1
_NOTE_S = 2.0


class View:
    """Fills a window from a reader; for the main thread only.

    `state` tells how the stream stands, `end` is called to quit, `save` writes a picture and returns a word on where.
    """

    def __init__(
        self,
        window: Window,
        reader: Reader,
        *,
        state: Callable[[], State],
        end: Callable[[], None],
        save: Callable[[Picture | None], str],
    ) -> None:
        self._window = window
        self._reader = reader
        self._state = state
        self._end = end
        self._save = save
        self._overlay = Overlay(load_cv2())
        self._rate = metrics.Rate(1.0)
        self._latency = metrics.Window(1.0)
        self._shown = 0
        self._drawn_at = 0.0
        self._strip = False
        self._note = ""
        self._note_until = 0.0
        self._delays: deque[float] = deque(maxlen=4096)
        self._delays_run = Histogram()

    def turn(self) -> None:
        """Shows the next picture, or what there is to say meanwhile, and takes a key. Blocks for _IDLE_S at most."""
        picture = self._reader.wait(self._shown, _IDLE_S)
        now = time.monotonic()
        if picture is not None:
            self._shown = picture.number
            # Once there was a strip, a picture whose strip cannot be read has one too.
            self._strip = self._strip or picture.code is not None
            self._rate.add(now)
            if picture.age is not None:
                self._latency.add(now, picture.age.ms)
        if picture is not None or now - self._drawn_at >= _REDRAW_S:
            self._drawn_at = now
            self._draw(picture or self._reader.newest, now)
        action = self._window.keys()
        if picture is not None:
            delay_ms = (monotonic_us() - picture.in_hand_us) / 1000
            self._delays.append(delay_ms)
            self._delays_run.add(delay_ms)
        if action == "quit":
            self._end()
        elif action == "save":
            self._note = self._save(self._reader.newest)
            self._note_until = now + _NOTE_S

    def delay(self, *, run: bool) -> dict[str, float | None] | None:
        """How long pictures took from hand to painted, ms, since the last call or in the run; None without any."""
        if run:
            latency = self._delays_run.latency()
            if latency is None:
                return None
            return {"p50": round_ms(latency.p50), "p95": round_ms(latency.p95), "max": round_ms(latency.max)}
        delays = list(self._delays)
        self._delays.clear()
        if not delays:
            return None
        p50, p95 = (round_ms(metrics.percentile(delays, q)) for q in (50, 95))
        return {"p50": p50, "p95": p95, "max": round_ms(max(delays))}

    def close(self) -> None:
        """Closes the window."""
        self._window.close()

    def _draw(self, picture: Picture | None, now: float) -> None:
        state = self._state()
        if now < self._note_until:
            state = state._replace(words=self._note)
        header = Header(
            _time_of_day(picture.in_hand_us) if picture else "--:--:--",
            self._rate.per_second(now),
            self._latency.percentile(now, 50),
            picture.age.error_ms if picture and picture.age else None,
            state,
        )
        self._window.show(self._overlay.compose(picture.image if picture else None, header, strip=self._strip))


def _time_of_day(at_us: int) -> str:
    """The local time of day of a moment of clock.monotonic_us()."""
    wall_s = time.time() - (monotonic_us() - at_us) / 1e6
    return datetime.fromtimestamp(wall_s).strftime("%H:%M:%S.%f")[:-3]
