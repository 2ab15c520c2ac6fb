"""Lines that fit, and one that renews itself."""

from __future__ import annotations

import io
import os
import sys

import pytest

from zlfeed import terminal
from zlfeed.terminal import RenewingLine, fitted, has_colours, is_terminal

PARTS = ["front", "live", "30.0 fps", "latency 4.1 ms"]


class Screen(io.StringIO):
    """A terminal, as far as Python asks."""

    def isatty(self) -> bool:
        return True


def on_screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Puts stdout on a terminal of 40 columns. For the test itself: after fixtures pytest sets stdout anew."""
    made = Screen()
    monkeypatch.setattr(sys, "stdout", made)
    monkeypatch.setattr(terminal, "_foot", None)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_, **__: os.terminal_size((40, 24)))
    return made


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (80, "front  live  30.0 fps  latency 4.1 ms"),
        (37, "front  live  30.0 fps  latency 4.1 ms"),
        (36, "front  live  30.0 fps"),
        (12, "front  live"),
        (5, "front"),
        (4, "fro…"),
        (1, "…"),
    ],
)
def test_a_narrow_line_holds_whole_parts_the_first_ones(width: int, line: str) -> None:
    assert fitted(PARTS, width) == line


def test_the_line_is_replaced_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_screen(monkeypatch)
    line = RenewingLine()
    line.show(["one"])
    line.show(["two"])

    assert screen.getvalue() == "one\r\x1b[Ktwo"


def test_what_is_printed_stands_above_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_screen(monkeypatch)
    line = RenewingLine()
    line.show(["foot"])
    line.above(["news"])
    line.show(())

    assert screen.getvalue() == "foot\r\x1b[Knews\nfoot\r\x1b[K"


def test_what_others_write_stands_above_the_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_screen(monkeypatch)
    RenewingLine().show(["foot"])
    with terminal.above_foot():
        screen.write("log\n")

    assert screen.getvalue() == "foot\r\x1b[Klog\nfoot"


def test_the_last_column_stays_free(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_screen(monkeypatch)
    RenewingLine().show(["x" * 50])
    assert len(screen.getvalue()) == 39


def test_without_a_terminal_nothing_renews_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe)
    line = RenewingLine()
    line.show(["foot"])
    line.above(["news"])

    assert not line.live
    assert pipe.getvalue() == "news\n"


def test_a_dumb_terminal_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_screen(monkeypatch)
    assert is_terminal(screen)
    monkeypatch.setenv("TERM", "dumb")
    assert not is_terminal(screen)
    assert not is_terminal(None)


def test_no_color_counts_even_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_screen(monkeypatch)
    assert has_colours(screen)
    monkeypatch.setenv("NO_COLOR", "")
    assert not has_colours(screen)
