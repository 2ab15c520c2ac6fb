from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zlfeed.monitor.lines import (
    ASCII,
    MONO,
    UNICODE,
    Glyphs,
    Span,
    clean,
    clip,
    columns,
    fit,
    framed,
    glyphs_for,
    plain,
    spread,
    to_ascii,
    width,
)

texts = st.text(max_size=30)


@given(st.lists(texts, max_size=5), st.integers(0, 40))
def test_a_fitted_line_has_exactly_the_cells_asked_for(parts: list[str], cells: int) -> None:
    assert width(fit([Span(part) for part in parts], cells)) == cells


@given(texts)
def test_no_control_character_reaches_the_terminal(text: str) -> None:
    assert clean(text).isprintable()
    assert "\x1b" not in plain(fit([Span(text)], 60))
    assert "\n" not in plain(fit([Span(text)], 60))


@given(texts)
def test_ascii_keeps_the_width(text: str) -> None:
    line = fit([Span(text)], 30)
    shown = "".join(to_ascii(span.text) for span in line)
    assert shown.isascii()
    assert len(shown) == 30


def test_wide_and_combining_characters_are_counted_as_the_terminal_does() -> None:
    assert width([Span("カメラ")]) == 6
    assert width([Span("e\u0301")]) == 1
    assert clip("カメラ", 4) == "カ…"
    assert plain(fit([Span("カメラ")], 4)) == "カ… "


def test_the_right_part_of_a_spread_line_stays() -> None:
    assert plain(spread([Span("left and long")], [Span("right")], 12)) == "left a…right"
    assert plain(spread([Span("left")], [Span("much too long")], 6)) == "much …"


def test_columns_stand_under_one_another() -> None:
    assert plain(columns([[Span("a")], [Span("bcdefgh")]], [3, 4])) == "a   bcd…"


@pytest.mark.parametrize("glyphs", [UNICODE, MONO, ASCII])
@pytest.mark.parametrize("cells", [8, 20, 41])
def test_a_frame_is_rectangular_whatever_is_in_it(glyphs: Glyphs, cells: int) -> None:
    body = [[Span("a line that is longer than most frames are wide")], [Span("x")], [Span("lost")]]
    lines = framed([Span("a title")], [Span("42 ms")], body, cells, 4, glyphs)
    assert len(lines) == 4
    assert {width(line) for line in lines} == {cells}


@pytest.mark.parametrize(
    ("encoding", "environ", "color", "expected"),
    [
        ("utf-8", {"TERM": "xterm-256color"}, True, UNICODE),
        ("utf-8", {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}, True, UNICODE),
        ("UTF-8", {"TERM": "xterm"}, False, MONO),
        ("ascii", {"TERM": "xterm"}, True, ASCII),
        ("utf-8", {"TERM": "linux"}, True, ASCII),
        ("utf-8", {"TERM": "xterm", "LC_ALL": "C"}, True, ASCII),
        (None, {}, True, ASCII),
    ],
)
def test_the_terminal_decides_what_is_drawn_with(
    encoding: str | None, environ: dict[str, str], color: bool, expected: object
) -> None:
    assert glyphs_for(encoding, environ, color=color) == expected
