from __future__ import annotations

import pytest

from zlfeed.rtsp.joining import Step
from zlfeed.rtsp.rtp import AccessUnit


def unit(number: int, size: int) -> AccessUnit:
    return AccessUnit((b"",), number == 0, number, number, number, size)


GOP = [unit(0, 8000), *(unit(number, 1000) for number in range(1, 31))]


def test_steps_double_until_the_whole_gop_is_on_its_way() -> None:
    step = Step(GOP[0], 1, 8000, 1.0)
    ways = [step.units]
    while step.rest(GOP):
        step = step.after(GOP, step.began + 0.1)
        ways.append(step.units)
    assert ways == [1, 9, 25, 31]
    assert step.rest(GOP[:31]) == []


def test_what_came_since_belongs_to_the_rest_and_of_a_new_gop_everything_does() -> None:
    step = Step(GOP[0], 9, 8000, 1.0)
    assert step.rest(GOP[:20]) == GOP[9:20]
    new = [unit(100, 8000), unit(101, 1000)]
    assert step.rest(new) == new
    assert step.after(new, 2.0).units == 1


def test_a_burst_s_units_are_told_by_their_capture_not_by_the_timestamp_they_got() -> None:
    step = Step(GOP[0].at(77), 1, 8000, 1.0)
    assert step.rest([GOP[0].at(99), GOP[1]]) == [GOP[1]]


def test_what_a_link_takes_at_once_says_nothing_of_its_rate() -> None:
    buffered = Step(GOP[0], 1, 20_000, 1.0)
    buffered.look(20_000, 1.001)
    buffered.look(10_000, 1.002)
    assert buffered.rate(2_000, 1.202) == pytest.approx(40_000)
    quick = Step(GOP[0], 1, 20_000, 1.0)
    quick.look(0, 1.001)
    assert quick.rate(0, 1.001) > 1e6
