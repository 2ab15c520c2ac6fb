from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tui.scenes import status, viewer
from zlfeed.model import Latency
from zlfeed.monitor.health import assess
from zlfeed.monitor.limits import Limit, Thresholds


@pytest.mark.parametrize(
    ("changes", "level", "code"),
    [
        ({"state": "starting", "is_connected": False}, "warn", "starting"),
        ({"state": "private", "is_connected": False}, "warn", "private"),
        ({"state": "no_signal", "is_connected": False}, "bad", "no_signal"),
        ({"state": "encoder_down"}, "bad", "encoder_down"),
        ({"state": "stopped"}, "bad", "stopped"),
        ({"state": "something new"}, "bad", "something new"),
        ({"error_message": "the disk is full"}, "warn", "error"),
        ({"fps": 26.0}, "warn", "fps"),
        ({"fps": 12.0}, "bad", "fps"),
        ({"latency_ms": Latency(20.0, 60.0)}, "warn", "latency"),
        ({"latency_ms": Latency(20.0, 160.0)}, "bad", "latency"),
        ({"cpu_percent": 90.0}, "warn", "cpu"),
        ({"cpu_percent": 99.0}, "bad", "cpu"),
        ({"memory_percent": 90.0}, "warn", "memory"),
        ({"memory_percent": 96.0}, "bad", "memory"),
        ({"temperature_c": 72.0}, "warn", "temperature"),
        ({"temperature_c": 84.0}, "bad", "temperature"),
        ({"viewers": (viewer(1, loss=2.0),)}, "warn", "loss"),
        ({"viewers": (viewer(1, loss=9.0),)}, "bad", "loss"),
    ],
)
def test_each_reason_can_be_caused(changes: dict[str, Any], level: str, code: str) -> None:
    health = assess(status(**changes), connected=True, age_s=0.5)
    assert (health.level, [reason.code for reason in health.reasons]) == (level, [code])
    assert health.reasons[0].text


def test_a_healthy_camera_has_no_reasons() -> None:
    assert assess(status(), connected=True, age_s=0.5).level == "good"


def test_what_nobody_measured_is_no_reason() -> None:
    unknown = status(
        fps=None,
        latency_ms=None,
        cpu_percent=None,
        memory_percent=None,
        temperature_c=None,
        viewers=(viewer(p50=None),),
    )
    assert assess(unknown, connected=True, age_s=0.5).level == "good"


@pytest.mark.parametrize(("age", "level"), [(2.0, "good"), (4.0, "warn"), (11.0, "bad")])
def test_silence_counts_by_its_length(age: float, level: str) -> None:
    assert assess(status(), connected=True, age_s=age).level == level


def test_without_contact_old_figures_are_not_judged() -> None:
    health = assess(status(temperature_c=99.0), connected=False, age_s=42.0)
    assert [reason.code for reason in health.reasons] == ["no_contact"]
    assert "42 s" in health.reasons[0].text


def test_before_the_first_status_health_is_unknown() -> None:
    assert assess(None, connected=True, age_s=None).level == "unknown"


def test_the_worst_reason_comes_first() -> None:
    reasons = assess(status(fps=26.0, temperature_c=84.0), connected=True, age_s=0.5).reasons
    assert [reason.level for reason in reasons] == ["bad", "warn"]


def test_an_error_text_joins_the_state_it_explains() -> None:
    down = status(state="no_signal", is_connected=False, error_message="/dev/video0 went away")
    assert assess(down, connected=True, age_s=0.1).reasons[0].text == (
        "the camera gives no picture: /dev/video0 went away"
    )


def test_a_viewers_braces_are_only_text() -> None:
    strange = replace(viewer(1, loss=9.0), address="{0}{x}")
    assert "{0}{x}" in assess(status(viewers=(strange,)), connected=True, age_s=0.1).reasons[0].text


def test_limits_work_both_ways() -> None:
    high, low = Limit(50, 150), Limit(0.9, 0.5, low=True)
    assert [high.level(v) for v in (None, 50, 51, 151)] == ["unknown", "good", "warn", "bad"]
    assert [low.level(v) for v in (1.0, 0.9, 0.89, 0.49)] == ["good", "good", "warn", "bad"]


def test_the_published_rule_is_the_rule() -> None:
    """docs/monitor.md and the module's own table name the thresholds that are in force."""
    page = (Path(__file__).parents[2] / "docs" / "monitor.md").read_text(encoding="utf-8")
    limits = Thresholds()
    rows = {
        "age of the last status": (limits.age_s, "> {:g} s"),
        "rate, of what was asked": (Limit(limits.fps_share.warn * 100, limits.fps_share.bad * 100), "< {:g} %"),
        "latency p95 of the slowest viewer": (limits.latency_ms, "> {:g} ms"),
        "CPU of the whole machine": (limits.cpu_percent, "> {:g} %"),
        "memory": (limits.memory_percent, "> {:g} %"),
        "temperature": (limits.temperature_c, "> {:g} °C"),
        "packets that a viewer loses": (limits.loss_percent, "> {:g} %"),
    }
    for name, (limit, form) in rows.items():
        assert f"| {name} | {form.format(limit.warn)} | {form.format(limit.bad)}" in page
