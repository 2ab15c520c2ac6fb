from __future__ import annotations

import time

import pytest

from zlfeed.monitor import format as fmt


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    if hasattr(time, "tzset"):
        time.tzset()


@pytest.mark.parametrize(
    "shown",
    [
        fmt.number(None),
        fmt.ms(None),
        fmt.percent(None),
        fmt.rate(None),
        fmt.megabits(None),
        fmt.memory(None, 1024),
        fmt.temperature(None),
        fmt.size(640, None),
        fmt.duration(None),
        fmt.ago(None),
        fmt.count(None),
    ],
)
def test_what_was_not_measured_is_a_dash_and_never_a_nought(shown: str) -> None:
    assert fmt.UNKNOWN in shown
    assert "0" not in shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.04, "0.0"), (4.25, "4.2"), (99.94, "99.9"), (99.95, "100"), (1234.5, "1234")]
)
def test_milliseconds_have_a_decimal_while_it_matters(value: float, shown: str) -> None:
    assert fmt.ms(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "00:00:00"), (3_725.9, "01:02:05"), (86_399, "23:59:59"), (90_061, "1 d 01:01:01"), (-3, "00:00:00")],
)
def test_durations_grow_days(seconds: float, shown: str) -> None:
    assert fmt.duration(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.44, "0.4 s"), (12.3, "12 s"), (150, "2 min"), (9000, "2 h"), (-1, "0.0 s")]
)
def test_ages_have_one_unit(seconds: float, shown: str) -> None:
    assert fmt.ago(seconds) == shown


def test_rates_and_memory_change_unit_where_figures_get_long() -> None:
    assert fmt.rate(787.4) == "787 kbit/s"
    assert fmt.rate(12_340) == "12.3 Mbit/s"
    assert fmt.memory(410, 926) == "410 of 926 MB"
    assert fmt.memory(1610, 3906) == "1.6 of 3.8 GB"
    assert fmt.count(22_841) == "22 841"


@pytest.mark.usefixtures("utc")
def test_times_are_local_and_unknown_ones_are_dashes() -> None:
    assert fmt.clock(1_750_000_000_000_000) == "15:06:40"
    assert fmt.clock(0) == "--:--:--"
    assert fmt.stamp(1_750_000_000_000_000) == "2025-06-15 15:06:40+0000"


def test_large_digits_have_three_rows_of_one_width() -> None:
    rows = fmt.big("30.4–")
    assert len(rows) == 3
    assert len({len(row) for row in rows}) == 1
    assert fmt.big("x") == ("", "", "")
