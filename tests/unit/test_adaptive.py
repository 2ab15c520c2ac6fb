"""The bitrate follows what the links carry: decided without a clock, a socket or an encoder."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from zlfeed.publisher.encode.adaptive import HOLD_S, LONGEST_HOLD_S, SETTLE_S, Adaptive, Link, Step

ASKED, FLOOR = 800_000, 200_000


def link(bitrate: float, capacity: float, name: str = "a") -> Link:
    """A second on a link that carries `capacity` bit/s while frames of `bitrate` are offered."""
    through = min(1.0, capacity / bitrate)
    sent = round(30 * through)
    return Link(name, f"viewer {name}", sent, 30 - sent, bits_per_s=bitrate * through)


class Feed:
    """A feed whose viewers' links carry what `capacities` says; one step a second."""

    def __init__(self, **capacities: float) -> None:
        self.adaptive = Adaptive()
        self.capacities = capacities
        self.now = 0.0
        self.steps: list[tuple[float, Step]] = []
        self.bad_seconds = 0

    @property
    def bitrate(self) -> int:
        return self.adaptive.current or ASKED

    def run(self, seconds: int, *, floor: int = FLOOR, change: Callable[[Link], Link] = lambda link: link) -> None:
        for _ in range(seconds):
            self.now += 1.0
            links = [change(link(self.bitrate, capacity, name)) for name, capacity in self.capacities.items()]
            self.bad_seconds += any(each.trouble() for each in links)
            if step := self.adaptive.look(links, asked=ASKED, floor=floor, now=self.now):
                self.steps.append((self.now, step))


def test_links_that_carry_it_change_nothing() -> None:
    feed = Feed(a=1e7, b=900_000)
    feed.run(300)
    assert feed.steps == []


def test_a_link_of_half_the_bitrate_is_met_within_seconds_and_then_holds() -> None:
    feed = Feed(a=400_000)
    feed.run(12)
    assert 250_000 <= feed.bitrate <= 400_000
    assert all(step.lowered for _, step in feed.steps)
    assert feed.steps[0][0] <= 3
    assert "viewer a" in feed.steps[0][1].why


def test_when_the_link_is_free_again_it_comes_back_to_what_was_asked_and_not_above() -> None:
    feed = Feed(a=400_000)
    feed.run(15)
    feed.capacities["a"] = 1e7
    feed.run(90)
    assert feed.adaptive.current is None
    raised = [step.bitrate for _, step in feed.steps if not step.lowered]
    assert raised == sorted(raised)
    assert raised[-1] == ASKED


def test_what_was_too_much_is_tried_again_ever_more_seldom() -> None:
    feed = Feed(a=400_000)
    feed.run(600)
    failed = [at for at, step in feed.steps if step.lowered][1:]
    gaps = [later - earlier for earlier, later in pairwise(failed)]
    assert gaps[-1] >= LONGEST_HOLD_S
    # Two bad looks each time: frames are whole for far the most of ten minutes.
    assert feed.bad_seconds < 40


def test_it_never_goes_below_the_floor() -> None:
    feed = Feed(a=30_000)
    feed.run(60)
    assert feed.bitrate == FLOOR
    assert min(step.bitrate for _, step in feed.steps) == FLOOR


def test_a_floor_at_the_bitrate_is_off() -> None:
    feed = Feed(a=100_000)
    feed.run(60, floor=ASKED)
    assert feed.steps == []


def test_a_hiccup_is_no_slow_link() -> None:
    feed = Feed(a=1e7)
    for _ in range(20):
        feed.capacities["a"] = 100_000
        feed.run(1)
        feed.capacities["a"] = 1e7
        feed.run(5)
    assert feed.steps == []


def test_the_slowest_link_counts_and_its_limit_leaves_with_it() -> None:
    feed = Feed(a=1e7, b=400_000)
    feed.run(12)
    assert feed.bitrate <= 400_000
    del feed.capacities["b"]
    feed.run(1)
    assert feed.bitrate == ASKED
    assert "left" in feed.steps[-1][1].why


def test_who_does_not_read_at_all_costs_the_others_nothing() -> None:
    feed = Feed(a=1e7, b=1e7)
    feed.run(5)

    def deaf(each: Link) -> Link:
        return Link(each.id, each.name, 0, 30, bits_per_s=0.0) if each.id == "b" else each

    feed.run(30, change=deaf)
    assert feed.steps == []
    assert feed.bad_seconds > 20


@pytest.mark.parametrize(
    "bad", [Link("a", "x", 30, 0, lost=0.2), Link("a", "x", 30, 0, missed=0.5), Link("a", "x", 10, 20)]
)
def test_drops_losses_and_missed_frames_all_count(bad: Link) -> None:
    adaptive = Adaptive()
    steps = [adaptive.look([bad], asked=ASKED, floor=FLOOR, now=float(second)) for second in range(1, 4)]
    step = next(step for step in steps if step)
    assert step.lowered
    assert "x: " in step.why


def test_after_a_change_it_waits_for_its_effect() -> None:
    feed = Feed(a=50_000)
    feed.run(30)
    times = [at for at, _ in feed.steps]
    assert all(later - earlier >= SETTLE_S for earlier, later in pairwise(times))


def test_another_bitrate_asked_for_counts_at_once() -> None:
    adaptive = Adaptive()
    for second in range(1, 10):
        used = adaptive.current or ASKED
        adaptive.look([link(used, 400_000)], asked=ASKED, floor=FLOOR, now=float(second))
    assert adaptive.current is not None
    adaptive.look([link(300_000, 400_000)], asked=300_000, floor=75_000, now=10.0)
    assert (adaptive.current or 300_000) <= 300_000
    assert HOLD_S > 1
