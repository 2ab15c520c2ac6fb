from __future__ import annotations

from tests.tui.scenes import NOW_S, NOW_US, URL, healthy, status
from zlfeed.model import Event
from zlfeed.monitor.alerts import CLEAR_S, HOLD_S, MOMENT_S, QUIET_S, Alert, AlertBook, by_subject
from zlfeed.monitor.health import Reason

FRONT = ("ws://pi:9000/", "front")
HOT = Reason("warn", "temperature", "72 °C, limit 70 °C")
HOTTER = Reason("bad", "temperature", "82 °C, limit 80 °C")


def run(book: AlertBook, start: float, seconds: float, *reasons: Reason) -> tuple[list[Alert], list[Alert]]:
    """Updates twice a second; everything that was raised and cleared."""
    raised: list[Alert] = []
    cleared: list[Alert] = []
    for half in range(int(seconds * 2)):
        up, down = book.update([(FRONT, reasons)], start + half / 2)
        raised += up
        cleared += down
    return raised, cleared


def test_what_lasts_is_raised_once_and_cleared_when_it_is_over() -> None:
    book = AlertBook()
    raised, cleared = run(book, 0, 3600, HOT)
    assert [(alert.code, alert.since_s, alert.rings) for alert in raised] == [("temperature", 0.0, True)]
    assert cleared == []
    assert [alert.code for alert in run(book, 3600, CLEAR_S + 2)[1]] == ["temperature"]
    assert book.active == ()


def test_a_moment_is_no_alert() -> None:
    book = AlertBook()
    for start in range(0, 100, 10):
        assert run(book, start, HOLD_S - 0.5, HOT) == ([], [])
        assert run(book, start + HOLD_S, 5) == ([], [])


def test_a_figure_that_flutters_at_its_limit_is_one_alert() -> None:
    book = AlertBook()
    raised = run(book, 0, 5, HOT)[0]
    for start in range(5, 100, 4):
        raised += run(book, start, 2)[0] + run(book, start + 2, 2, HOT)[0]
    assert len(raised) == 1


def test_what_comes_back_soon_does_not_ring_again() -> None:
    book = AlertBook()
    run(book, 0, 5, HOT)
    run(book, 5, 10)
    assert [alert.rings for alert in run(book, 15, 5, HOT)[0]] == [False]
    run(book, 20, 10 + QUIET_S)
    assert [alert.rings for alert in run(book, 100 + QUIET_S, 5, HOT)[0]] == [True]


def test_acknowledged_it_stays_so_until_it_gets_worse() -> None:
    book = AlertBook()
    run(book, 0, 5, HOT)
    assert book.acknowledge() == 1
    run(book, 5, 5, HOT)
    assert [alert.acknowledged for alert in book.active] == [True]
    assert book.acknowledge() == 0
    assert run(book, 10, 5, HOTTER)[0] == []
    assert [(alert.acknowledged, alert.level, alert.text) for alert in book.active] == [(False, "bad", HOTTER.text)]


def test_each_reason_and_each_camera_has_its_own_alert() -> None:
    book = AlertBook()
    back = (FRONT[0], "back")
    for half in range(10):
        book.update([(FRONT, [HOT, Reason("bad", "fps", "slow")]), (back, [HOT])], half / 2)
    assert [(alert.subject, alert.code) for alert in book.active] == [
        (FRONT, "temperature"), (FRONT, "fps"), (back, "temperature"),
    ]  # fmt: skip


def test_what_all_cameras_of_a_machine_have_together_is_one_alert() -> None:
    back, far = (FRONT[0], "back"), ("ws://drone:9000/", "belly")
    slow = Reason("bad", "fps", "slow")
    assert by_subject([(FRONT, [HOT, slow]), (back, [HOTTER]), (far, [HOT])]) == [
        (FRONT, [slow]), ((FRONT[0], ""), [HOTTER]), ((far[0], ""), [HOT]),
    ]  # fmt: skip


def test_who_was_turned_away_is_an_alert_until_it_was_seen() -> None:
    state = healthy()

    def refused(after: float, text: str) -> list[Alert]:
        state.on_message(URL, Event(NOW_US, "warning", "viewer_refused", text), NOW_S + after)
        return list(state.snapshot(NOW_S + after, NOW_US).alerts)

    (first,) = refused(0, "10.9.0.5 was turned away")
    assert (first.code, first.level, first.text, first.rings) == (
        "viewer_refused", "warn", "10.9.0.5 was turned away", True,
    )  # fmt: skip
    (again,) = refused(5, "10.9.0.6 was turned away")
    assert (again.id, again.text) == (first.id, "10.9.0.6 was turned away")
    state.alerts.acknowledge()
    assert state.snapshot(NOW_S + 6, NOW_US).alerts == ()
    (soon,) = refused(7, "10.9.0.5 was turned away")
    assert (soon.id > first.id, soon.rings) == (True, False)
    assert [entry.code for entry in state.snapshot(NOW_S + 7, NOW_US).log[-3:]] == ["viewer_refused"] * 3
    assert soon not in state.snapshot(NOW_S + 8 + MOMENT_S, NOW_US).alerts


def test_the_log_tells_of_both_ends() -> None:
    state = healthy()
    for half in range(12):
        state.on_message(URL, status(temperature_c=83.0), NOW_S + half / 2)
        state.snapshot(NOW_S + half / 2, NOW_US)
    for half in range(12, 30):
        state.on_message(URL, status(), NOW_S + half / 2)
        snapshot = state.snapshot(NOW_S + half / 2, NOW_US)
    told = [(entry.code, entry.level, entry.text) for entry in snapshot.log[-2:]]
    assert told == [
        ("alert_raised", "error", "temperature 83.0 °C, limit 80.0 °C"),
        ("alert_cleared", "info", "over: temperature 83.0 °C, limit 80.0 °C"),
    ]
    assert snapshot.alerts == ()
