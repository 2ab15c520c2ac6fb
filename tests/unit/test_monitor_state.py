from __future__ import annotations

from dataclasses import replace

from tests.tui.scenes import NOW_S, NOW_US, URL, connected, disconnected, healthy, history, many, status, welcome
from zlfeed.clock import Estimate
from zlfeed.model import CameraInfo, Control, ControlResult, Event, HistoryPoint
from zlfeed.monitor.snapshot import Snapshot
from zlfeed.monitor.state import CAMERA_LIMIT, LOG_LIMIT, MonitorState
from zlfeed.status_client import LinkState


def look(state: MonitorState, after: float = 0.0) -> Snapshot:
    return state.snapshot(NOW_S + after, NOW_US + round(after * 1e6))


def test_a_late_monitor_has_the_last_five_minutes_at_once() -> None:
    samples = look(healthy()).cameras[0].samples
    assert 298 <= NOW_S - samples[0].at_s <= 300
    assert len(samples) >= 299


def test_history_is_placed_by_age_whatever_the_publishers_clock_says() -> None:
    state = MonitorState([URL])
    connected(state)
    hour = 3_600_000_000
    points = [replace(point, time_us=point.time_us + hour) for point in history()]
    state.on_message(URL, welcome(history=tuple(points), time_us=NOW_US + hour), NOW_S)
    assert NOW_S - look(state).cameras[0].samples[-1].at_s == 1.0


def test_history_from_the_future_or_long_ago_is_left_out() -> None:
    state = MonitorState([URL])
    points = (HistoryPoint("front", NOW_US + 5_000_000, 30.0), HistoryPoint("front", NOW_US - 900_000_000, 30.0))
    state.on_message(URL, welcome(history=points), NOW_S)
    assert look(state).cameras[0].samples == ()


def test_a_publisher_that_started_anew_does_not_erase_what_was_seen_before() -> None:
    state = healthy()
    later = NOW_S + 60
    short = tuple(HistoryPoint("front", NOW_US - age * 1_000_000, 15.0) for age in (3, 2, 1))
    state.on_message(URL, welcome(history=short), later)
    samples = look(state, 60).cameras[0].samples
    assert samples[-1].fps == 15.0
    assert samples[0].fps == 30.0


def test_several_statuses_in_one_second_are_one_sample() -> None:
    state = MonitorState([URL])
    for tenth in range(30):
        state.on_message(URL, status(fps=float(tenth)), NOW_S + tenth / 10)
    assert [sample.fps for sample in look(state, 3).cameras[0].samples] == [9.0, 19.0, 29.0]


def test_a_day_of_running_adds_nothing() -> None:
    state = MonitorState([URL])
    for second in range(3_000):
        state.on_message(URL, status(), NOW_S + second)
        state.on_message(URL, Event(NOW_US + second, "info", "tick", str(second)), NOW_S + second)
    snapshot = look(state, 3_000)
    assert len(snapshot.cameras[0].samples) <= 310
    assert len(snapshot.log) == LOG_LIMIT
    assert snapshot.log_total == 3_000


def test_a_publisher_cannot_fill_the_memory_with_names() -> None:
    state = MonitorState([URL])
    for number in range(500):
        state.on_message(URL, status(f"camera {number}"), NOW_S)
    assert len(look(state).cameras) == CAMERA_LIMIT


def test_out_of_contact_figures_are_stale_and_the_wait_counts_down() -> None:
    snapshot = look(disconnected(), 31.0)
    camera = snapshot.cameras[0]
    assert camera.stale
    assert camera.age_s == 31.0
    assert camera.stream_s == 761.0  # nobody knows whether it still runs
    link = camera.host.link
    assert (link.connected, link.ever, link.attempt) == (False, True, 7)
    assert link.retry_in_s is not None
    assert abs(link.retry_in_s - 2.2) < 1e-6
    assert snapshot.log[-1].code == "monitor_disconnected"


def test_contact_that_comes_back_is_told_and_attempts_are_not() -> None:
    state = disconnected()
    state.on_link(URL, LinkState(URL, False, 8, 4.0, "still nothing"), NOW_S + 40, NOW_US)
    connected(state)
    codes = [entry.code for entry in look(state).log[-2:]]
    assert codes == ["monitor_disconnected", "monitor_reconnected"]


def test_events_that_a_new_welcome_repeats_are_shown_once() -> None:
    state = healthy()
    before = look(state).log
    state.on_message(URL, welcome(), NOW_S + 10)
    assert look(state).log == before


def test_cameras_that_are_gone_are_forgotten_and_the_order_is_the_publishers() -> None:
    state = healthy()
    state.on_message(URL, welcome(cameras=("side", "front")), NOW_S)
    assert [camera.name for camera in look(state).cameras] == ["side", "front"]
    state.on_message(URL, welcome(cameras=("side",)), NOW_S)
    assert [camera.name for camera in look(state).cameras] == ["side"]


def test_a_refusal_is_final_and_said_once() -> None:
    state = MonitorState([URL])
    state.on_refused(URL, "the token is refused", NOW_US)
    link = look(state).hosts[0].link
    assert (link.refused, link.connected, link.retry_in_s) == (True, False, None)
    assert [entry.text for entry in look(state).log] == ["the token is refused"]


def test_a_controls_new_value_is_everybodys() -> None:
    state = MonitorState([URL])
    info = CameraInfo("front", {}, (Control("bitrate", value="800"), Control("mirror", "bool", value="off")))
    state.on_message(URL, welcome(cameras=()), NOW_S)
    state.on_message(URL, replace(welcome(), cameras=(info,)), NOW_S)
    state.on_message(URL, ControlResult("front", "bitrate", True, "1200"), NOW_S)
    state.on_message(URL, ControlResult("front", "mirror", False, None, "not on this camera"), NOW_S)
    state.on_message(URL, ControlResult("nowhere", "mirror", True, "on"), NOW_S)
    assert [control.value for control in look(state).cameras[0].controls] == ["1200", "off"]


def test_each_publisher_has_its_own_link_and_cameras() -> None:
    snapshot = look(many())
    assert [host.link.connected for host in snapshot.hosts] == [True, False, False]
    assert {camera.host.name for camera in snapshot.cameras} == {"pi-garage", "drone"}
    assert snapshot.camera((snapshot.hosts[1].key, "belly")) == snapshot.cameras[4]
    assert snapshot.camera(("gone", "gone")) == snapshot.cameras[0]
    assert Snapshot().camera(None) is None


def test_the_publishers_clock_is_compared_with_ours() -> None:
    state = healthy()
    ahead = Estimate(NOW_US - round(NOW_S * 1e6) + 3_600_000_000, 200, 400)
    link = state.snapshot(NOW_S, NOW_US, {URL: ahead}).hosts[0].link
    assert link.clock_ahead_s == 3600.0
    assert (link.round_trip_ms, link.clock_error_ms) == (0.4, 0.2)


def test_the_error_shown_is_the_worst_viewers() -> None:
    camera = look(healthy()).cameras[0]
    assert camera.latency_error_ms == 0.3
    assert camera._replace(status=status(viewers=())).latency_error_ms is None


def test_urls_that_come_and_go_later_are_taken() -> None:
    state = healthy()
    changed = CameraInfo("front", {"rtsp": "rtsp://10.0.0.7:8554/front"})
    state.on_message(URL, changed, NOW_S)
    assert look(state).cameras[0].urls == changed.urls
    state.on_message(URL, CameraInfo("unknown", changed.urls), NOW_S)
    assert [camera.name for camera in look(state).cameras] == ["front"]


def test_publishers_that_call_themselves_alike_are_told_by_their_addresses() -> None:
    other = "ws://pi-garage:9001/"
    state = MonitorState([URL, other])
    state.on_message(URL, welcome("pi"), NOW_S)
    assert [host.name for host in look(state).hosts] == ["pi", "pi-garage:9001"]
    state.on_message(other, welcome("pi"), NOW_S)
    assert [host.name for host in look(state).hosts] == ["pi-garage:9000", "pi-garage:9001"]
    state.on_message(other, welcome("door"), NOW_S)
    assert [host.name for host in look(state).hosts] == ["pi", "door"]
