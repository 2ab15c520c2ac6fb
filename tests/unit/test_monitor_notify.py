from __future__ import annotations

import pytest

from zlfeed.monitor import notify


@pytest.mark.parametrize(
    ("said", "environ", "how"),
    [
        ("auto", {"TERM": "xterm-kitty"}, "osc9"),
        ("auto", {"TERM": "rxvt-unicode-256color"}, "osc777"),
        ("auto", {"TERM": "xterm-256color", "VTE_VERSION": "7600"}, "osc777"),
        ("osc9", {"VTE_VERSION": "7600"}, "osc9"),
    ],
)
def test_the_terminal_is_spoken_to_in_its_own_way(said: str, environ: dict[str, str], how: str) -> None:
    assert notify.kind(said, environ) == how


def test_what_is_written() -> None:
    text = "front: hot; 81 °C\x1b\x07"
    assert notify.sequence("osc9", text, in_tmux=False) == "\x1b]9;zlfeed: front: hot; 81 °C··\x07"
    assert notify.sequence("osc777", text, in_tmux=False) == "\x1b]777;notify;zlfeed;front: hot, 81 °C··\x07"
    assert notify.sequence("osc9", "x", in_tmux=True) == "\x1bPtmux;\x1b\x1b]9;zlfeed: x\x07\x1b\\"
