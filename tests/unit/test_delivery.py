from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zlfeed.rtsp.delivery import AGE_LIMIT_S, BURST_LIMIT_S, MAX_BACKLOG, Delivery

SIZE = 1000


class Link:
    """A reader behind a link that has confirmed `confirmed` bytes; a frame of SIZE bytes every 1/30 s."""

    def __init__(self, *, bounded: bool = True) -> None:
        self.delivery = Delivery(bounded=bounded)
        self.confirmed = 0
        self.now = 100.0
        self.asked = 0

    def acknowledged(self) -> int:
        self.asked += 1
        return self.confirmed

    def frame(self, *, keyframe: bool = False, size: int = SIZE, after: float = 1 / 30) -> bool:
        self.now += after
        if not self.delivery.wants(keyframe, self.now, self.acknowledged):
            return False
        self.delivery.sent(size, self.now)
        return True

    def confirm_all(self) -> None:
        self.confirmed = self.delivery.bytes_sent


def test_a_reader_begins_with_a_keyframe_and_what_came_before_it_is_no_drop() -> None:
    link = Link()
    assert [link.frame(), link.frame(), link.frame(keyframe=True), link.frame()] == [False, False, True, True]
    assert link.delivery.frames_sent == 2
    assert link.delivery.frames_dropped == 0


def test_after_a_burst_the_next_frame_goes_on_from_it() -> None:
    link = Link()
    link.delivery.sent(5000, link.now, frames=5, limit_s=BURST_LIMIT_S)
    assert link.frame()
    assert link.delivery.frames_sent == 6
    assert link.delivery.bytes_sent == 6000


def test_a_reader_that_keeps_up_gets_everything_without_a_system_call_a_frame() -> None:
    link = Link()
    for number in range(300):
        assert link.frame(keyframe=number % 30 == 0)
        link.confirm_all()
    assert link.delivery.frames_dropped == 0
    assert link.asked < 100


def test_frames_are_dropped_from_150_ms_behind_up_to_the_next_keyframe() -> None:
    link = Link()
    assert link.frame(keyframe=True)
    link.confirm_all()
    sent_at = link.now
    while link.frame():
        assert link.now - sent_at < 2 * AGE_LIMIT_S
    assert link.now - sent_at >= AGE_LIMIT_S
    assert not link.frame(keyframe=True)
    link.confirm_all()
    assert not link.frame()
    assert link.frame(keyframe=True)
    assert link.frame()
    assert link.delivery.frames_dropped == 3


def test_the_link_s_round_trip_is_no_lag() -> None:
    near, far = Link(), Link()
    far.delivery.round_trip_s = 0.3
    for link in (near, far):
        assert link.frame(keyframe=True)
    assert not near.frame(after=0.2)
    assert far.frame(after=0.2)
    assert not far.frame(after=0.3)


def test_a_burst_may_take_longer_than_a_frame() -> None:
    link = Link()
    link.delivery.sent(200_000, link.now, frames=30, limit_s=BURST_LIMIT_S)
    assert link.frame(after=0.3)
    assert not link.frame(after=0.3)


def test_an_unbounded_reader_loses_nothing_for_its_age_but_memory_is_bounded() -> None:
    link = Link(bounded=False)
    assert link.frame(keyframe=True)
    sent = 0
    while link.frame(size=50_000, keyframe=True):
        sent += 50_000
        assert sent <= 2 * MAX_BACKLOG
    assert sent >= MAX_BACKLOG - 50_000
    link.confirm_all()
    assert link.frame(keyframe=True)


def test_where_there_is_no_room_the_gap_ends_with_a_keyframe_too() -> None:
    link = Link()
    assert link.frame(keyframe=True)
    link.confirm_all()
    assert not link.delivery.wants(True, link.now, link.acknowledged, full=True)
    assert not link.frame()
    assert link.frame(keyframe=True)
    assert link.delivery.frames_dropped == 2


def test_a_reader_that_takes_nothing_is_stuck_and_one_that_takes_something_is_not() -> None:
    link = Link()
    link.frame(keyframe=True)
    assert link.delivery.stuck_s(link.now + 0.5, link.acknowledged) == 0
    assert link.delivery.stuck_s(link.now + 12, link.acknowledged) == 12
    link.confirm_all()
    assert link.delivery.stuck_s(link.now + 12, link.acknowledged) == 0


def test_after_a_pause_the_first_frame_is_a_keyframe_and_the_pause_is_no_lag() -> None:
    link = Link()
    link.frame(keyframe=True)
    link.delivery.restart()
    assert not link.frame(after=60)
    assert link.frame(keyframe=True)
    assert link.delivery.stuck_s(link.now, link.acknowledged) == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 20_000), st.floats(0, 1), st.floats(0, 0.2)), max_size=80))
def test_no_frame_follows_a_gap_unless_it_is_a_keyframe(frames: list[tuple[bool, int, float, float]]) -> None:
    link = Link()
    complete = False
    for keyframe, size, share, after in frames:
        taken = link.frame(keyframe=keyframe, size=size, after=after)
        assert not taken or complete or keyframe
        complete = taken
        link.confirmed += round((link.delivery.bytes_sent - link.confirmed) * share)
    assert link.delivery.frames_sent + link.delivery.frames_dropped <= len(frames)
