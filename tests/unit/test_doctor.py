from __future__ import annotations

from typing import Any

from zlfeed.doctor import self_test
from zlfeed.doctor.finding import Finding, worst

SUMMARY: dict[str, Any] = {
    "frames": 120,
    "missed": 0,
    "latency_ms": {"p50": 4.1, "p95": 6.0, "p99": 9.2, "max": 11.0},
    "latency_error_ms": 0.4,
}


def test_the_gravest_finding_is_the_verdict() -> None:
    fine, odd, bad = (Finding("x", level, "") for level in ("ok", "warn", "fail"))
    assert worst([]) == worst([fine]) == "ok"
    assert worst([fine, odd, fine]) == "warn"
    assert worst([bad, odd]) == "fail"


def test_the_self_test_says_what_was_measured() -> None:
    found = self_test.verdict(SUMMARY)
    assert found.level == "ok"
    assert found.text == "120 pictures, 0 missed, latency p50 4.1 ms, p99 9.2 ms ± 0.4 ms"


def test_a_slow_machine_and_an_unknown_latency_are_said_to_be() -> None:
    slow = self_test.verdict({**SUMMARY, "latency_ms": {**SUMMARY["latency_ms"], "p50": 80.0}})
    assert (slow.level, bool(slow.cure)) == ("warn", True)
    assert self_test.verdict({**SUMMARY, "latency_ms": None}).level == "fail"
