"""When alarms are raised, and when there is quiet."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zlfeed.model import CameraStatus, Event, Latency
from zlfeed.publisher.alerting.alerts import (
    CLEAR_S,
    HOLD_S,
    QUIET_S,
    Alarm,
    Alarms,
    Limits,
    Notice,
    Outgoing,
    Refusals,
)


def said(alarm: Alarm, values: Sequence[float | None], start: float = 0.0) -> list[tuple[int, str]]:
    """What an alarm says of values that come once a second, and at which of them."""
    return [(i, word) for i, value in enumerate(values) if (word := alarm.update(value, start + i))]


def test_an_alarm_is_raised_once_and_is_over_once() -> None:
    values = [100.0] * 3 + [200.0] * 30 + [100.0] * 30
    assert said(Alarm(150), values) == [(3 + int(HOLD_S), "raised"), (33 + int(CLEAR_S), "over")]


def test_too_low_can_be_the_worry() -> None:
    values = [0.9] * 3 + [0.2] * 30 + [0.9] * 30
    assert said(Alarm(0.5, low=True), values) == [(3 + int(HOLD_S), "raised"), (33 + int(CLEAR_S), "over")]


def test_a_spike_is_no_alarm_and_a_dip_is_no_end() -> None:
    alarm = Alarm(150)
    assert said(alarm, [200.0, 200.0, 100.0] * 20) == []
    assert said(alarm, [200.0] * 10, 100) == [(int(HOLD_S), "raised")]
    assert said(alarm, [100.0] * 5 + [200.0, 149.0] * 20, 200) == []


def test_a_figure_just_within_its_limit_does_not_end_it() -> None:
    alarm = Alarm(150)
    assert said(alarm, [200.0] * 10) == [(int(HOLD_S), "raised")]
    assert said(alarm, [149.0] * 60, 10) == []
    assert said(alarm, [130.0] * 30, 70) == [(int(CLEAR_S), "over")]


def test_what_is_not_known_is_neither_raised_nor_over() -> None:
    alarm = Alarm(150)
    assert said(alarm, [200.0, None] * 30) == []
    assert said(alarm, [200.0] * 10, 100) == [(int(HOLD_S), "raised")]
    assert said(alarm, [None] * 100, 110) == []
    assert said(alarm, [100.0] * 20, 300) == [(int(CLEAR_S), "over")]


def test_it_is_not_raised_again_soon() -> None:
    alarm = Alarm(150)
    wave = [200.0] * 8 + [100.0] * 12
    raised = [at for at, word in said(alarm, wave * 30) if word == "raised"]
    assert len(raised) > 3
    assert all(later - earlier >= QUIET_S for earlier, later in itertools.pairwise(raised))


# ------------------------------------------------------------ figures of a status


def status(**fields: object) -> CameraStatus:
    base: dict[str, object] = {"state": "live", "fps": 30.0, "fps_asked": 30.0}
    return CameraStatus("front", 1, **{**base, **fields})  # type: ignore[arg-type]


def notices(alarms: Alarms, statuses: Sequence[CameraStatus], start: float = 0.0) -> list[Notice]:
    return [notice for i, one in enumerate(statuses) for notice in alarms.look(one, start + i)]


LIMITS = Limits(latency_ms=150, fps_share=0.5, temperature_c=80)


@pytest.mark.parametrize(
    ("bad", "code", "text", "camera"),
    [
        ({"latency_ms": Latency(p95=431.26)}, "alert_latency", "latency p95 431.3 ms, limit 150 ms", "front"),
        ({"fps": 7.04}, "alert_fps", "7 of 30 frames a second", "front"),
        ({"temperature_c": 83.5}, "alert_temperature", "83.5 °C, limit 80 °C", ""),
    ],
)
def test_each_figure_has_its_code_and_its_words(bad: dict[str, object], code: str, text: str, camera: str) -> None:
    alarms = Alarms(LIMITS)
    (raised,) = notices(alarms, [status(**bad)] * 30)
    assert (raised.level, raised.code, raised.camera) == ("warning", code, camera)
    assert text in raised.text
    good = status(latency_ms=Latency(p95=20.0), temperature_c=50.0)
    (over,) = notices(alarms, [good] * 30, 100)
    assert (over.level, over.code, over.camera) == ("info", f"{code}_over", camera)


def test_without_a_limit_there_is_no_alarm() -> None:
    bad = status(latency_ms=Latency(p95=9000.0), fps=1.0, temperature_c=120.0)
    assert notices(Alarms(Limits()), [bad] * 100) == []


@pytest.mark.parametrize("state", ["starting", "private", "no_signal", "encoder_down"])
def test_a_feed_that_is_not_live_has_no_rate(state: str) -> None:
    assert notices(Alarms(LIMITS), [status(state=state, fps=1.0)] * 100) == []


def test_cameras_are_apart_and_the_temperature_is_told_once() -> None:
    alarms = Alarms(LIMITS)
    heard = []
    for now in range(20):
        for camera in ("front", "back"):
            hot = CameraStatus(camera, 1, state="live", fps=5.0, fps_asked=30.0, temperature_c=90.0)
            heard += [(n.code, n.camera) for n in alarms.look(hot, float(now))]
    assert sorted(heard) == [("alert_fps", "back"), ("alert_fps", "front"), ("alert_temperature", "")]


# ------------------------------------------------------------ who is turned away


def test_an_address_is_told_once_a_minute_with_how_often_it_came() -> None:
    refusals = Refusals()
    told = [refusals.note("10.9.0.5", "its password is wrong", float(second)) for second in range(int(QUIET_S) + 1)]
    assert [second for second, notice in enumerate(told) if notice] == [0, int(QUIET_S)]
    first, last = told[0], told[-1]
    assert first == Notice("warning", "viewer_refused", "10.9.0.5 was turned away: its password is wrong")
    assert last is not None
    assert last.text.endswith(f", and {int(QUIET_S) - 1} times before")


def test_a_thousand_addresses_are_few_lines_and_little_memory() -> None:
    refusals = Refusals()
    told = [refusals.note(f"10.9.{n // 250}.{n % 250}", "no", n / 1000) for n in range(5000)]
    assert 0 < sum(notice is not None for notice in told) < 20
    assert len(refusals._hosts) <= 256
    assert refusals.note("192.0.2.1", "no", 1000.0) is not None


# ------------------------------------------------------------ what goes out


def event(code: str, level: str = "error", camera: str = "front", text: str = "") -> Event:
    return Event(1, level, code, text or code, camera)


def going(outgoing: Outgoing, story: Sequence[tuple[float, str]], until: float = 1000.0) -> list[tuple[float, str]]:
    """What goes out of events of one camera, looked at once a second: when, and its code."""
    out = []
    pending = list(story)
    for second in range(int(until)):
        out += [(float(second), due.code) for due in outgoing.due(float(second))]
        while pending and pending[0][0] <= second:
            _, code = pending.pop(0)
            level = "info" if code in ("camera_back", "control_set", "camera_opened") else "error"
            if outgoing.take(event(code, level), float(second)):
                out.append((float(second), code))
    return out


def test_warnings_go_at_once_and_what_is_only_told_does_not() -> None:
    story = [(1, "camera_lost"), (2, "control_set"), (3, "encoder_restarted")]
    assert going(Outgoing(), story) == [(1, "camera_lost"), (3, "encoder_restarted")]


def test_what_ends_a_trouble_that_was_told_goes_too() -> None:
    assert going(Outgoing(), [(1, "camera_lost"), (100, "camera_back")]) == [(1, "camera_lost"), (100, "camera_back")]
    assert going(Outgoing(), [(1, "camera_back")]) == [], "nobody was told of its loss"


def test_a_trouble_that_lasts_for_hours_still_has_its_end_told() -> None:
    story = [(1, "camera_lost"), (900, "camera_back")]
    assert going(Outgoing(), story)[-1] == (900, "camera_back")


def test_a_camera_that_comes_and_goes_is_told_of_once_a_minute_and_its_last_state_gets_through() -> None:
    story = [(float(second), "camera_lost" if second % 2 else "camera_back") for second in range(1, 302)]
    story.append((302.0, "camera_back"))
    out = going(Outgoing(), story)
    assert len(out) <= 302 / QUIET_S + 2
    assert out[-1][1] == "camera_back"
    assert all(later - earlier >= QUIET_S for (earlier, _), (later, _) in itertools.pairwise(out))


def test_what_was_held_back_is_counted() -> None:
    outgoing = Outgoing()
    assert outgoing.take(event("encoder_restarted"), 0.0)
    for second in range(1, 11):
        assert outgoing.take(event("encoder_restarted", text="FFmpeg died"), float(second)) is None
    assert outgoing.due(QUIET_S - 1) == []
    (due,) = outgoing.due(QUIET_S)
    assert due.text == "FFmpeg died (10 such events in the last minute)"
    assert outgoing.due(QUIET_S + 1) == []


def test_cameras_do_not_hold_back_one_another() -> None:
    outgoing = Outgoing()
    assert outgoing.take(event("camera_lost", camera="front"), 0.0)
    assert outgoing.take(event("camera_lost", camera="back"), 0.0)


def test_nothing_is_kept_of_what_is_over() -> None:
    outgoing = Outgoing()
    for number in range(100):
        outgoing.take(event(f"code_{number}"), 0.0)
    outgoing.take(event("camera_lost"), 0.0)
    outgoing.take(event("camera_back", "info"), 1.0)
    outgoing.due(QUIET_S)
    outgoing.due(3 * QUIET_S)
    assert outgoing._sent == {}


@given(st.lists(st.tuples(st.integers(0, 300), st.booleans()), max_size=60))
def test_the_last_word_on_a_camera_is_the_true_one(story: list[tuple[int, bool]]) -> None:
    events = [(float(at), "camera_back" if back else "camera_lost") for at, back in sorted(story)]
    out = going(Outgoing(), events, until=600)
    states = [code for _, code in out]
    if any(code == "camera_lost" for _, code in events):
        first = next(index for index, (_, code) in enumerate(events) if code == "camera_lost")
        assert states[-1] == events[-1][1] if len(events) > first else True
    else:
        assert states == []
