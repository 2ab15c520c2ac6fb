from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from zlfeed.model import CameraStatus, Event, HistoryPoint, Latency, Part, Viewer
from zlfeed.publisher.status.history import EVENTS, HISTORY_POINTS, StatusHistory, signature

STATUS = CameraStatus("front", 1_000_000, is_connected=True, state="live", width=640, height=480, fps=30.0)

NEWS: dict[str, Any] = {
    "is_connected": False,
    "state": "no_signal",
    "error_message": "the camera is gone",
    "width": 1280,
    "height": 720,
    "codec": "h265",
    "encoder": "libx265",
    "server": "mediamtx",
    "bitrate_asked_kbps": 500.0,
    "fps_asked": 15.0,
    "gop": 30,
    "viewers": (Viewer("a", "127.0.0.1:1"),),
    "parts": (Part("encoder", "backing_off"),),
}
NO_NEWS: dict[str, Any] = {
    "time_us": 2_000_000,
    "fps": 29.9,
    "frames_captured": 7,
    "frames_dropped": {"slow": 1},
    "latency_ms": Latency(p50=4.0),
    "cpu_percent": 12.0,
    "uptime_s": 5.0,
    "encoder_restarts": 1,
}


@pytest.mark.parametrize("name", NEWS)
def test_a_change_that_is_not_a_counter_is_news(name: str) -> None:
    history = StatusHistory()
    history.told([STATUS])
    changed = replace(STATUS, **{name: NEWS[name]})
    assert history.news([changed]) == [changed]
    assert history.news([changed]) == []


@pytest.mark.parametrize("name", NO_NEWS)
def test_counters_and_measurements_are_no_news(name: str) -> None:
    assert signature(replace(STATUS, **{name: NO_NEWS[name]})) == signature(STATUS)


def test_a_viewers_counters_are_no_news_but_its_leaving_is() -> None:
    watched = replace(STATUS, viewers=(Viewer("a", "127.0.0.1:1"), Viewer("b", "127.0.0.1:2")))
    later = replace(watched, viewers=(replace(watched.viewers[1], frames_sent=9), watched.viewers[0]))
    assert signature(later) == signature(watched)
    assert signature(replace(watched, viewers=watched.viewers[:1])) != signature(watched)


def test_a_parts_age_is_no_news_but_its_error_is() -> None:
    failed = Part("encoder", "running", restarts=1, last_error="killed", last_error_age_s=1.0)
    before = replace(STATUS, parts=(failed,))
    assert signature(replace(before, parts=(replace(failed, last_error_age_s=2.0),))) == signature(before)
    assert signature(replace(before, parts=(replace(failed, last_error="stalled"),))) != signature(before)


def test_a_camera_never_told_of_is_news() -> None:
    assert StatusHistory().news([STATUS]) == [STATUS]


def test_history_holds_the_last_five_minutes_of_each_camera_oldest_first() -> None:
    history = StatusHistory()
    for second in range(HISTORY_POINTS + 10):
        now = second * 1_000_000
        history.record([replace(STATUS, time_us=now), replace(STATUS, camera="rear", time_us=now, fps=None)])
    points = history.points
    assert len(points) == 2 * HISTORY_POINTS
    front = [point for point in points if point.camera == "front"]
    assert front[0].time_us == 10_000_000
    assert [point.time_us for point in front] == sorted(point.time_us for point in front)
    assert all(point.fps is None for point in points if point.camera == "rear")


def test_a_point_holds_the_figures_of_its_status_and_none_of_what_is_unknown() -> None:
    history = StatusHistory()
    history.record([replace(STATUS, latency_ms=Latency(p50=4.0, p95=8.0), bitrate_kbps=800.0, cpu_percent=3.0)])
    history.record([replace(STATUS, time_us=2, fps=None)])
    assert history.points[0] == HistoryPoint("front", 1_000_000, 30.0, 4.0, 8.0, 800.0, 3.0)
    assert history.points[1] == HistoryPoint("front", 2)
    assert {field.name for field in fields(HistoryPoint)} == {
        "camera",
        "time_us",
        "fps",
        "latency_p50_ms",
        "latency_p95_ms",
        "bitrate_kbps",
        "cpu_percent",
    }


def test_the_last_events_are_kept_oldest_first() -> None:
    history = StatusHistory()
    for number in range(EVENTS + 3):
        history.add_event(Event(number, "info", "test", str(number)))
    assert [event.time_us for event in history.events] == list(range(3, EVENTS + 3))
