"""When a part is started again, and when it is given up."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from zlfeed.model import Part
from zlfeed.restart import Restarts


def counted() -> Iterator[float]:
    """Delays that tell how many there were."""
    return iter(itertools.count(1))


def restarts(budget: int | None = 3) -> Restarts:
    return Restarts(budget=budget, window_s=60, healthy_after_s=10, delays=counted)


def test_each_failure_waits_longer_until_the_budget_is_spent() -> None:
    part = restarts()
    waits = []
    for now in (1.0, 2.0, 3.0):
        part.starting()
        assert part.state == "starting"
        waits.append(part.failed(now, f"failure at {now:g}"))

    assert waits == [1, 2, None]
    assert part.state == "given_up"
    assert part.total == 3
    assert part.last_error == "failure at 3"


def test_a_part_is_running_before_it_fails_and_backs_off_afterwards() -> None:
    part = restarts()
    states: list[str] = [part.state]
    part.running(1.0)
    states.append(part.state)
    part.failed(2.0, "")
    states.append(part.state)
    assert states == ["starting", "running", "backing_off"]


def test_health_gives_the_whole_budget_and_the_shortest_delay_back() -> None:
    part = restarts()
    part.failed(0.0, "")
    part.failed(1.0, "")
    part.running(2.0)

    assert part.failed(12.0, "") == 1, "ten seconds of health"
    assert [part.failed(now, "") for now in (13.0, 14.0, 15.0)] == [2, 3, None]


def test_a_failure_soon_after_the_start_counts_although_it_had_been_running() -> None:
    part = restarts()
    for now in (0.0, 20.0):
        part.starting()
        part.running(now)
        assert part.failed(now + 9.9, "") is not None
    part.starting()
    part.running(40.0)
    assert part.failed(41.0, "") is None


def test_saying_that_it_runs_again_and_again_does_not_put_its_health_off() -> None:
    part = restarts(budget=1)
    for now in range(11):
        part.running(float(now))
    assert part.failed(10.5, "") == 1


def test_failures_of_more_than_a_minute_ago_are_forgotten() -> None:
    part = restarts()
    assert [part.failed(now, "") for now in (0.0, 31.0, 61.0, 92.0)] == [1, 2, 3, 4]
    assert part.failed(93.0, "") is None


def test_without_a_budget_it_is_retried_for_ever() -> None:
    part = restarts(budget=None)
    assert all(part.failed(0.0, "") is not None for _ in range(1000))


def test_after_a_reset_it_may_be_started_as_at_the_beginning() -> None:
    part = restarts(budget=2)
    part.failed(0.0, "")
    assert part.failed(0.0, "") is None
    part.reset()
    assert part.failed(1.0, "") == 1
    assert part.total == 3, "what happened is not forgotten"


@given(st.lists(st.floats(0.01, 30)), st.integers(1, 6))
def test_no_minute_ever_holds_more_failures_than_the_budget(pauses: list[float], budget: int) -> None:
    part = restarts(budget)
    failures: list[float] = []
    for now in itertools.accumulate(pauses):
        given_up = part.failed(now, "") is None
        failures.append(now)
        within = [failure for failure in failures if failure >= now - 60]
        assert given_up == (len(within) >= budget)
        if given_up:
            part.reset()
            failures.clear()


def test_a_part_tells_how_it_is() -> None:
    part = restarts(budget=None)
    assert part.part("camera", 0.0) == Part("camera", "starting")
    part.running(1.0)
    part.failed(2.0, "unplugged")
    part.failed(3.0, "not there")
    assert part.part("camera", 3.5) == Part(
        "camera", "backing_off", restarts=1, attempts=1, last_error="not there", last_error_age_s=0.5, retry_in_s=1.5
    )
    part.starting()
    part.running(5.0)
    assert part.part("camera", 7.0) == Part(
        "camera", "running", restarts=1, last_error="not there", last_error_age_s=4.0
    )


def test_a_part_that_is_switched_off_has_not_failed() -> None:
    part = restarts()
    part.running(0.0)
    part.off()
    assert part.part("camera", 1.0) == Part("camera", "off")
