from __future__ import annotations

from zlfeed.model import Latency, Viewer, ViewerReport
from zlfeed.publisher.status.viewers import FRESH_S, ViewerReports

CAMERA = "cam"


def viewer(session: str, address: str) -> Viewer:
    return Viewer(id=session, address=address)


def report(session: str = "", p50: float | None = 4.0, p95: float | None = 9.0, camera: str = CAMERA) -> ViewerReport:
    return ViewerReport(camera=camera, session=session, latency_p50_ms=p50, latency_p95_ms=p95)


def told(reports: ViewerReports, viewers: list[Viewer], now: float = 100.0) -> list[float | None]:
    """The p50 that each viewer is believed to have measured."""
    return [v.report.latency_p50_ms if v.report else None for v in reports.attach(viewers, CAMERA, now)]


def test_a_report_that_names_its_session_goes_to_it() -> None:
    reports = ViewerReports()
    reports.add(report("b", p50=7), "10.0.0.9", 100)
    assert told(reports, [viewer("a", "10.0.0.9:1"), viewer("b", "10.0.0.9:2")]) == [None, 7]


def test_a_report_without_a_session_goes_to_the_only_viewer_at_its_address() -> None:
    reports = ViewerReports()
    reports.add(report(p50=7), "10.0.0.9", 100)
    reports.add(report(p50=8), "fd00::9", 100)
    assert told(reports, [viewer("a", "10.0.0.9:1"), viewer("b", "[fd00::9]:2"), viewer("c", "10.0.0.1:1")]) == [
        7,
        8,
        None,
    ]


def test_where_an_address_has_several_viewers_nobody_can_say_whose_report_it_is() -> None:
    reports = ViewerReports()
    reports.add(report(p50=7), "10.0.0.9", 100)
    assert told(reports, [viewer("a", "10.0.0.9:1"), viewer("b", "10.0.0.9:2")]) == [None, None]


def test_the_newest_report_counts_until_it_is_old() -> None:
    reports = ViewerReports()
    reports.add(report("a", p50=7), "h", 100)
    reports.add(report("a", p50=8), "h", 101)
    (known,) = reports.attach([viewer("a", "h:1")], CAMERA, 103)
    assert known.report == report("a", p50=8)
    assert known.report_age_s == 2
    assert told(reports, [viewer("a", "h:1")], now=101 + FRESH_S + 0.1) == [None]


def test_reports_of_another_camera_do_not_count() -> None:
    reports = ViewerReports()
    reports.add(report("a", camera="other"), "h", 100)
    assert told(reports, [viewer("a", "h:1")]) == [None]
    assert reports.worst(CAMERA, 100) is None


def test_the_worst_latency_is_the_greatest_of_each_figure_and_unknown_when_nobody_knows() -> None:
    reports = ViewerReports()
    assert reports.worst(CAMERA, 100) is None
    reports.add(report("a", p50=None, p95=None), "h", 100)
    assert reports.worst(CAMERA, 100) is None
    reports.add(report("b", p50=4, p95=30), "h", 100)
    reports.add(report("c", p50=6, p95=None), "h", 100)
    assert reports.worst(CAMERA, 100) == Latency(p50=6, p95=30)


def test_a_flood_of_made_up_sessions_does_not_grow_without_end() -> None:
    reports = ViewerReports()
    for number in range(1000):
        reports.add(report(f"s{number}", p50=number), "h", 100)
    assert told(reports, [viewer("s999", "h:1"), viewer("s0", "h:2")]) == [999, None]


def test_viewers_at_one_address_are_told_apart_by_their_ports() -> None:
    reports = ViewerReports()
    reports.add(report("port 1", p50=7), "10.0.0.9", 100)
    reports.add(report("port 2", p50=8), "10.0.0.9", 100)
    assert told(reports, [viewer("a", "10.0.0.9:2"), viewer("b", "10.0.0.9:1"), viewer("c", "10.0.0.8:1")]) == [
        8,
        7,
        None,
    ]


def test_behind_a_nat_the_port_is_another_and_the_only_viewer_s_report_is_its_own() -> None:
    reports = ViewerReports()
    reports.add(report("port 40000", p50=7), "10.0.0.9", 100)
    assert told(reports, [viewer("a", "10.0.0.9:61234")]) == [7]


def test_one_who_came_again_is_believed_the_newest_report() -> None:
    reports = ViewerReports()
    reports.add(report("port 1", p50=90), "10.0.0.9", 97)
    reports.add(report("port 2", p50=7), "10.0.0.9", 100)
    assert told(reports, [viewer("a", "10.0.0.9:3")]) == [7]


def test_what_browsers_report_counts_where_nobody_else_knows() -> None:
    reports = ViewerReports()
    reports.add(report("page", p50=30, p95=55), "10.0.0.1", 100)
    reports.add(report("window", p50=None, p95=None), "10.0.0.2", 100)
    assert reports.worst(CAMERA, 100, ["page"]) == Latency(p50=30, p95=55)
    reports.add(report("window", p50=4, p95=9), "10.0.0.2", 101)
    assert reports.worst(CAMERA, 101, ["page"]) == Latency(p50=4, p95=9)
