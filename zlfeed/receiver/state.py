"""How the stream stands, in the words of the header, the banner and the status line. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

FROZEN_US = 1_500_000
"""Silence on an open stream that is worth a word; the read time-out ends it half a second later by default."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How the stream stands. `code` is connecting, live or reconnecting.

    While it is not live, `attempt` counts those since it was, `error` says why the last one failed (None at the
    first), and `retry_us` is when the next begins (None while one is under way).
    """

    code: str = "connecting"
    attempt: int = 1
    error: str | None = None
    retry_us: int | None = None


class State(NamedTuple):
    """`level` is good, warning or bad: the colour. `banner` is what covers the picture; empty when nothing does."""

    code: str
    words: str
    level: str
    banner: tuple[str, ...] = ()


def state_of(connection: Connection, url: str, last_us: int | None, camera_state: str | None, now_us: int) -> State:
    """The state at `now_us`, with the last picture in hand at `last_us` (µs of clock.monotonic_us()).

    `camera_state` is what the publisher says of its camera, None when it says nothing.
    """
    silent_us = 0 if last_us is None else now_us - last_us
    if connection.code == "live":
        if silent_us >= FROZEN_US:
            words = f"no picture for {ago(silent_us)}"
            return State("live", words, "warning", (words,))
        if camera_state not in (None, "live"):
            return State("live", str(camera_state).replace("_", " "), "warning")
        return State("live", "live", "good")
    words = connection.code if connection.attempt == 1 else f"{connection.code}, attempt {connection.attempt}"
    lines = [words if connection.code == "reconnecting" else f"connecting to {url}"]
    if connection.retry_us is not None:
        lines[0] = f"{connection.code}, attempt {connection.attempt}"
        lines[0] += f", next try in {max(0, connection.retry_us - now_us) / 1e6:.1f} s"
    if last_us is not None:
        lines.append(f"last picture {ago(silent_us)} ago")
    if connection.error:
        lines.append(connection.error)
    return State(connection.code, words, "bad", tuple(lines))


def ago(time_us: int) -> str:
    """A length of time in one unit."""
    seconds = time_us / 1e6
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
