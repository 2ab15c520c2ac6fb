"""The drop rule on a link of a given rate, simulated: how old pictures are when they come, and how many come."""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zlfeed.rtsp.delivery import Delivery

FPS = 30
BYTES_PER_S = 100_000
"""The stream's, 800 kbit/s."""
KEYFRAME_S = 0.18
"""A keyframe's share of a second of the stream, as x264 makes it within a quarter of a second's buffer."""


class Came(NamedTuple):
    """A frame in the reader's hands, and when it was made."""

    made: float
    came: float


class Link:
    """Carries so many bytes a second, one after the other; each is acknowledged a round trip after it has passed."""

    def __init__(self, rate: float, round_trip: float) -> None:
        self.rate = rate
        self.round_trip = round_trip
        self._free_at = 0.0
        self._passed: list[tuple[float, float, int]] = []  # begins to pass, has passed, end offset
        self._end = 0

    def write(self, size: int, now: float) -> float:
        """When it is in the reader's hands."""
        begin = max(now, self._free_at)
        self._free_at = begin + size / self.rate
        self._end += size
        self._passed.append((begin, self._free_at, self._end))
        return self._free_at + self.round_trip / 2

    def acknowledged(self, now: float) -> int:
        known = now - self.round_trip
        confirmed = 0
        for begin, passed, end in self._passed:
            if passed <= known:
                confirmed = end
            elif begin < known:
                return max(confirmed, end - round((passed - known) * self.rate))
        return confirmed


def play(
    share: float, *, gop: int = FPS, seconds: float = 12.0, round_trip: float = 0.0, free_at: float = 1e9
) -> list[Came]:
    """A stream over a link of that share of its bitrate; from `free_at` on the link is 100 times as fast."""
    link = Link(share * BYTES_PER_S, round_trip)
    delivery = Delivery()
    delivery.round_trip_s = round_trip
    keyframe_bytes = round(BYTES_PER_S * KEYFRAME_S)
    others = round((BYTES_PER_S * gop / FPS - keyframe_bytes) / (gop - 1))
    came = []
    for number in range(round(seconds * FPS)):
        now = number / FPS
        if now >= free_at:
            link.rate = 100 * BYTES_PER_S
        keyframe = number % gop == 0
        size = keyframe_bytes if keyframe else others
        due = (gop - number % gop) / FPS if number >= gop else None
        acknowledged = functools.partial(link.acknowledged, now)
        if delivery.wants(keyframe, now, acknowledged, size=size, next_keyframe_s=due):
            if keyframe:
                delivery.keyframe_bytes = size
            delivery.sent(size, now)
            came.append(Came(now, link.write(size, now)))
    assert delivery.frames_sent == len(came)
    return came


def oldest(came: list[Came]) -> float:
    return max(frame.came - frame.made for frame in came)


def longest_wait(came: list[Came]) -> float:
    return max(b.came - a.came for a, b in itertools.pairwise(came))


@pytest.mark.parametrize("share", [1.02, 1.2, 3.0])
def test_a_link_of_the_bitrate_carries_every_frame(share: float) -> None:
    came = play(share)
    assert len(came) == 12 * FPS
    assert oldest(came) < 0.3


@pytest.mark.parametrize(("share", "frames_a_second", "wait"), [(0.5, 10, 0.55), (0.75, 19, 0.3), (1.0, 27, 0.2)])
def test_a_slower_one_carries_what_it_can_and_stands_still_for_no_longer_than_it_must(
    share: float, frames_a_second: float, wait: float
) -> None:
    came = [frame for frame in play(share) if frame.made >= 2]
    assert len(came) / 10 >= frames_a_second
    assert longest_wait(came) < wait


@settings(deadline=None, max_examples=60)
@given(st.floats(0.5, 2.0), st.floats(0, 0.3), st.integers(8, 300))
def test_from_half_the_bitrate_on_nothing_is_older_than_half_a_second_and_a_keyframe_s_time(
    share: float, round_trip: float, gop: int
) -> None:
    # A frame itself and the way there come on top: neither is anything that waiting in a queue adds.
    keyframe = KEYFRAME_S / share
    assert oldest(play(share, round_trip=round_trip, gop=gop)) <= 0.5 + keyframe + 1.5 * round_trip + 0.05


def test_free_again_it_is_live_within_a_group_of_pictures() -> None:
    came = [frame for frame in play(0.5, free_at=6.0) if frame.made >= 7]
    assert len(came) == 5 * FPS
    assert oldest(came) < 0.02
