"""What the bench measures of the monitor is measured."""

from __future__ import annotations

import pytest

from zlfeed.bench import goals, terminal
from zlfeed.bench.plan import Format
from zlfeed.bench.senders import Tools
from zlfeed.bench.terminal import Watching
from zlfeed.publisher.encode.ffmpeg import find_ffmpeg

pytestmark = [pytest.mark.needs("ffmpeg")]


async def test_a_real_monitor_in_a_pseudo_terminal_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "SETTLE_S", 0.5)
    run = await terminal.run_monitor(Format(320, 240, 15.0, 200_000), 1, 2.0, Tools(find_ffmpeg(None), None))
    assert run.error == ""
    assert run.first_paint_ms is not None
    assert run.figures_ms is not None
    assert 0 < run.first_paint_ms <= run.figures_ms + 1000
    assert run.cpu is not None
    assert run.cpu > 0
    assert run.terminal_kb_s is not None
    assert 0 < run.terminal_kb_s < 40
    assert run.memory_mb is not None
    assert 20 < run.memory_mb < 100
    assert run.status_bytes_s is not None
    assert 20 < run.status_bytes_s < 1500


def test_the_goals_are_the_issues() -> None:
    told = goals.of_monitor([Watching(1, 590.0, 700.0, 4.0, 9.0, 62.0, 0.0, 280.0), Watching(2, error="no terminal")])
    assert [(goal.limit, goal.unit, goal.met) for goal in told] == [
        (600.0, "ms", True), (5.0, "%", True), (20.0, "KB/s", True), (100.0, "MB", True), (300.0, "B/s", True),
    ]  # fmt: skip
    assert goals.of_monitor([Watching(1, error="no terminal")]) == []
