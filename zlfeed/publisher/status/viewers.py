"""What viewers report of themselves, matched to the sessions they play; no I/O."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from zlfeed.model import Latency, Viewer, ViewerReport

FRESH_S = 5.0
"""A report older than this says nothing about now."""
_MAX_REPORTS = 256


class ViewerReports:
    """The newest report of each viewer: by its RTSP session where it knows it, else by its address."""

    def __init__(self) -> None:
        self._reports: dict[tuple[str, str, str], tuple[float, ViewerReport]] = {}

    def add(self, report: ViewerReport, remote_host: str, now: float) -> None:
        """Keeps a report; the oldest gives way when there are too many."""
        key = (report.camera, report.session, remote_host)
        self._reports.pop(key, None)
        self._reports[key] = (now, report)
        while len(self._reports) > _MAX_REPORTS:
            del self._reports[next(iter(self._reports))]

    def _fresh(self, camera: str, now: float) -> list[tuple[str, float, ViewerReport]]:
        return [
            (host, now - at, report)
            for (name, _, host), (at, report) in self._reports.items()
            if name == camera and now - at <= FRESH_S
        ]

    def attach(self, viewers: Sequence[Viewer], camera: str, now: float) -> list[Viewer]:
        """The viewers, each with its own fresh report where there is one.

        A report says whose it is by the RTSP session's id, or by the port of the viewer's RTSP connection as
        "port N". One that says nothing goes to the address's only viewer; where an address has several, nobody can
        say whose it is, and it goes to none.
        """
        fresh = self._fresh(camera, now)
        hosts = [viewer.address.rpartition(":")[0].strip("[]") for viewer in viewers]
        result = []
        for viewer, host in zip(viewers, hosts, strict=True):
            port = f"port {viewer.address.rpartition(':')[2]}"
            own = [
                (age, report)
                for at, age, report in fresh
                if report.session == viewer.id or (report.session == port and at == host)
            ]
            if not own and hosts.count(host) == 1:
                # Behind a NAT the port is another; a session's id never is.
                own = [
                    (age, report)
                    for at, age, report in fresh
                    if at == host and (not report.session or report.session.startswith("port "))
                ]
            if own:
                # The newest: one who has just come again may have left an older report behind.
                age, report = min(own, key=lambda aged: aged[0])
                viewer = replace(viewer, report=report, report_age_s=age)  # noqa: PLW2901
            result.append(viewer)
        return result

    def worst(self, camera: str, now: float, browsers: Collection[str] = ()) -> Latency | None:
        """The greatest latency that any viewer reports; None when nobody measures it. p99 and max are not reported.

        `browsers` are sessions that count where there are no others: a browser holds each picture back for tens of ms.
        """
        fresh = [report for _, _, report in self._fresh(camera, now)]
        known = [r for r in fresh if r.latency_p50_ms is not None or r.latency_p95_ms is not None]
        if not known:
            return None
        counted = [r for r in known if r.session not in browsers] or known
        p50 = [r.latency_p50_ms for r in counted if r.latency_p50_ms is not None]
        p95 = [r.latency_p95_ms for r in counted if r.latency_p95_ms is not None]
        return Latency(p50=max(p50, default=None), p95=max(p95, default=None))
