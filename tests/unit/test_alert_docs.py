"""What docs/alerts.md says is so."""

from __future__ import annotations

from pathlib import Path

from zlfeed.config import Settings
from zlfeed.publisher.alerting import actions as alert_actions
from zlfeed.publisher.alerting import alerts

PAGE = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text("utf-8")


def test_times_and_limits_are_those_of_the_code() -> None:
    default = {name: Settings.model_fields[f"alert_{name}"].default for name in ("latency", "fps", "temperature")}
    assert f"`--alert-latency` ({default['latency']:g} ms)" in PAGE
    assert f"`--alert-fps` ({default['fps']:g})" in PAGE
    assert f"`--alert-temperature` ({default['temperature']:g} °C" in PAGE
    assert f"past its limit for {alerts.HOLD_S:g} s, and {alerts.MARGIN:.0%} within it".replace("%", " %") in PAGE
    assert f"for {alerts.CLEAR_S:g} s before that is over" in PAGE
    assert alerts.QUIET_S == 60, "a minute"
    assert f"It has {alert_actions.COMMAND_S:g} s" in PAGE
    assert f"which has {alert_actions.WEBHOOK_S:g} s" in PAGE
    assert f"{alert_actions.QUEUE_LIMIT} alerts may wait" in PAGE


def test_every_code_that_ends_another_is_explained() -> None:
    ours = {code for code in (*alerts.ENDS, *alerts.ENDS.values()) if code.startswith(("camera", "alert"))}
    assert all(f"`{code}`" in PAGE for code in ours)
