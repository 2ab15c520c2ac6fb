from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zlfeed.monitor.graph import Area, bucket, domain, draw, mean, time_axis, with_axis
from zlfeed.monitor.lines import ASCII, MONO, plain, width


def level(value: float) -> str:
    return "bad" if value > 50 else "good"


def test_columns_take_the_worst_value_of_their_time() -> None:
    samples = [(float(t), float(t % 7)) for t in range(100)]
    assert bucket(samples, 99.5, 100, 10, max) == [6.0] * 10
    assert bucket(samples, 99.5, 100, 10, min) == [0.0] * 10
    assert bucket([(0.0, 1.0), (1.0, 3.0)], 1.0, 2, 1, mean) == [2.0]


def test_columns_stay_where_they_are_until_a_new_one_begins() -> None:
    samples = [(float(t), float(t)) for t in range(0, 300, 3)]
    first = bucket(samples, 300.1, 300, 60, max)
    assert bucket(samples, 303.9, 300, 60, max)[:-1] == first[:-1]
    assert bucket(samples, 305.1, 300, 60, max)[:-1] == first[1:]


def test_a_value_stands_until_the_next_is_due_and_then_there_is_a_gap() -> None:
    samples = [(10.2, 5.0), (11.9, 6.0)]
    assert bucket(samples, 19.9, 10, 10, max) == [5.0, 6.0, 6.0, 6.0, *[None] * 6]


def test_unknown_values_leave_gaps_and_no_columns_are_fine() -> None:
    assert bucket([(1.0, None), (2.0, 4.0)], 2.5, 3, 3, max) == [None, None, 4.0]
    assert bucket([], 10.0, 10, 4, max) == [None] * 4
    assert bucket([(1.0, 1.0)], 1.0, 10, 0, max) == []


@given(st.lists(st.floats(0, 1e6), max_size=20), st.floats(0.1, 1e5))
def test_the_domain_holds_every_value_and_is_a_round_number(values: list[float], least: float) -> None:
    top = domain(least, values)
    assert top >= 0.999 * max([least, *values])
    assert f"{top:.0e}"[0] in "12458"


def test_the_domain_does_not_follow_small_changes() -> None:
    assert {domain(34.5, [fps]) for fps in (19.9, 20.1, 30.0, 30.4)} == {40.0}


def test_a_full_column_reaches_the_top_and_a_measured_nought_shows() -> None:
    rows = [plain(line) for line in draw(Area([40.0, 20.0, 0.0, None]), 2, 40.0, level)]
    assert rows == ["█   ", "██▁ "]


def test_the_upper_layer_stands_behind_the_lower_one() -> None:
    picture = draw(Area([10.0], [40.0]), 2, 40.0, level)
    assert plain(picture[0]) == "█"
    assert picture[1][0].text == "▄"
    assert " on " in picture[1][0].style


def test_without_colour_the_upper_layer_is_shaded() -> None:
    for glyphs in (MONO, ASCII):
        upper, lower = draw(Area([10.0], [40.0]), 2, 40.0, level, glyphs)
        assert plain(upper) == glyphs.shade
        assert " on " not in lower[0].style


def test_colours_follow_the_limits() -> None:
    line = draw(Area([10.0, 60.0]), 1, 100.0, level)[0]
    assert [span.style.split("@")[0] for span in line] == ["good", "bad"]


def test_axes_name_the_top_the_middle_nought_and_the_minutes() -> None:
    plot = with_axis(draw(Area([1.0] * 10), 5, 100.0, level), 100.0)
    assert [plain(line)[:4].strip() for line in plot] == ["100", "", "50", "", "0"]
    axis = plain(time_axis(60, 300))
    assert axis.split() == ["-5m", "-4m", "-3m", "-2m", "-1m", "now"]
    assert width(time_axis(12, 300)) == 12
