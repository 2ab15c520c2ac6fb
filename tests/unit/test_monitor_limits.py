"""The thresholds as settings, and what they change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.scenes import status
from zlfeed import config, config_command
from zlfeed.errors import UsageError
from zlfeed.model import Latency
from zlfeed.monitor.health import assess
from zlfeed.monitor.limits import OFF, OFF_LOW, Limit, Thresholds


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("ZLFEED_CONFIG", raising=False)


def test_without_a_word_it_is_the_published_rule() -> None:
    assert config.load().limits == Thresholds()


def test_the_file_and_the_environment_say_others(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("zlfeed.toml").write_text('limit_latency = [8, 20.5]\nlimit_loss = "off"\nlimit_fps = "off"\n')
    monkeypatch.setenv("ZLFEED_LIMIT_TEMPERATURE", "60, 75")
    limits = config.load().limits
    assert (limits.latency_ms, limits.temperature_c) == (Limit(8, 20.5), Limit(60, 75))
    assert (limits.loss_percent, limits.fps_share) == (OFF, OFF_LOW)
    rows = {name: (value, where) for name, value, where in config_command.rows()}
    assert rows["limit_latency"] == ("8, 20.5", "zlfeed.toml, line 1")
    assert rows["limit_loss"] == ("off", "zlfeed.toml, line 2")
    assert rows["limit_fps"] == ("off", "zlfeed.toml, line 3")
    assert rows["limit_temperature"] == ("60, 75", "variable ZLFEED_LIMIT_TEMPERATURE")


@pytest.mark.parametrize(
    ("name", "said", "words"),
    [
        ("LATENCY", "150,50", "of the two limits the lower comes first, not '150,50'"),
        ("FPS", "0.5,0.9", "of the two limits the higher comes first"),
        ("FPS", "90,50", "shares of what was asked, from 0 to 1"),
        ("CPU", "90", "a limit is two numbers, for a look and for trouble, like 50,150; or off, not '90'"),
        ("CPU", "high", "not 'high'"),
        ("LOSS", "-1,5", "not below 0"),
        ("AGE", "nan,nan", "not below 0"),
        ("MEMORY", "1,2,3", "two numbers"),
    ],
)
def test_nonsense_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch, name: str, said: str, words: str) -> None:
    monkeypatch.setenv(f"ZLFEED_LIMIT_{name}", said)
    with pytest.raises(UsageError) as raised:
        config.load()
    assert words in str(raised.value)
    assert f"ZLFEED_LIMIT_{name}" in str(raised.value)


def test_other_limits_give_other_health() -> None:
    late = status(fps=12.0, latency_ms=Latency(9.0, 21.0))
    strict = Thresholds(latency_ms=Limit(8, 20), fps_share=OFF_LOW)
    health = assess(late, connected=True, age_s=0.1, limits=strict)
    assert [(reason.level, reason.text) for reason in health.reasons] == [("bad", "latency p95 21.0 ms, limit 20.0 ms")]
