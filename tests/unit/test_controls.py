"""What can be set, and what is said to a value that cannot be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zlfeed.model import Control
from zlfeed.publisher.controls.definitions import FEED_CONTROLS, FeedValues, Refused, checked, definitions, named

VALUES = FeedValues(800, 30, 30.0, (640, 480), "normal", "off", True)


def control(name: str, values: FeedValues = VALUES, most_fps: float | None = None) -> Control:
    return named(definitions(values, VALUES, most_fps), name)


def refusal(name: str, text: str) -> str:
    with pytest.raises(Refused) as caught:
        checked(control(name), text)
    return str(caught.value)


def test_each_control_says_its_value_and_its_default() -> None:
    now = FeedValues(500, 15, 12.5, (320, 240), "flip", "slate", False)
    controls = {c.name: c for c in definitions(now, VALUES, None)}
    said = {name: c.value for name, c in controls.items() if c.kind != "action"}
    assert said == {
        "bitrate": "500", "gop": "15", "fps": "12.5", "size": "320x240", "orientation": "flip", "overlay": "off",
        "privacy": "slate",
    }  # fmt: skip
    assert set(said) == set(FEED_CONTROLS)
    assert [controls[name].default_value for name in ("bitrate", "gop", "fps", "overlay")] == [800, 30, 30, 1]
    assert all(c.value is None for c in controls.values() if c.kind == "action")


def test_what_is_not_known_yet_has_no_value() -> None:
    values = replace(VALUES, fps=None, size=None)
    controls = {c.name: c for c in definitions(values, values, None)}
    assert controls["fps"].value is None
    assert controls["size"].value is None
    assert "640x480" in controls["size"].choices


def test_every_value_can_be_set_as_it_is_said() -> None:
    for defined in definitions(VALUES, VALUES, None):
        if defined.value is not None:
            assert checked(defined, defined.value) == defined.value
        for choice in defined.choices:
            assert checked(defined, choice) == choice


def test_what_the_feed_was_started_with_lies_in_every_range() -> None:
    first = FeedValues(90_000, 900, 200.0, (7680, 4320), "normal", "off", True)
    controls = {c.name: c for c in definitions(first, first, None)}
    assert checked(controls["bitrate"], "90000") == "90000"
    assert checked(controls["gop"], "900") == "900"
    assert checked(controls["fps"], "200") == "200"
    assert "7680x4320" in controls["size"].choices


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("bitrate", " 812 ", "812"),
        ("size", "642X480", "642x480"),
        ("overlay", "1", "on"),
        ("overlay", "FALSE", "off"),
        ("snapshot", "whatever", ""),
    ],
)
def test_a_value_gets_its_own_spelling(name: str, text: str, value: str) -> None:
    assert checked(control(name), text) == value


def test_a_number_outside_is_told_the_range_and_the_nearest() -> None:
    assert refusal("bitrate", "9") == "bitrate 9 is outside 16 to 20000 kbit/s: the nearest is 16"
    assert refusal("gop", "301") == "gop 301 is outside 1 to 300 frames: the nearest is 300"


def test_a_camera_that_gave_less_than_asked_is_believed() -> None:
    limited = control("fps", most_fps=29.97)
    assert checked(limited, "30") == "30"
    with pytest.raises(Refused, match="fps 31 is outside 1 to 30 fps: the nearest is 30"):
        checked(limited, "31")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("bitrate", "fast", "whole number"),
        ("bitrate", "", "whole number"),
        ("bitrate", "1e999", "whole number"),
        ("gop", "2.5", "whole number"),
        ("orientation", "rotate-45", "normal, mirror, flip, rotate-90"),
        ("privacy", "on", "off, slate, released"),
        ("overlay", "maybe", "on or off"),
        ("size", "641x480", "642x480"),
        ("size", "big", "640x480"),
    ],
)
def test_what_is_no_value_is_told_what_would_be_one(name: str, text: str, words: str) -> None:
    assert words in refusal(name, text)


def test_a_control_that_is_none_is_told_which_there_are() -> None:
    with pytest.raises(Refused, match=r"'brightness'; there are bitrate, .*restart_encoder"):
        named(definitions(VALUES, VALUES, None), "brightness")


@given(st.text(max_size=30), st.sampled_from(definitions(VALUES, VALUES, None)))
def test_any_text_is_a_value_or_a_short_sentence(text: str, defined: Control) -> None:
    value, words = None, "a value"
    try:
        value = checked(defined, text)
    except Refused as refused:
        words = str(refused)
    assert 0 < len(words) < 250
    assert value is None or checked(defined, value) == value


@pytest.mark.parametrize(("text", "value"), [("0.25", "0.25"), ("-1", "-1"), (" 1e-1 ", "0.1")])
def test_a_number_with_a_fraction(text: str, value: str) -> None:
    assert checked(Control("brightness", "float", -1.0, 1.0, 0.05, 0.0), text) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [("1.5", "brightness 1.5 is outside -1 to 1: the nearest is 1"), ("nan", "is a number from -1 to 1, not 'nan'")],
)
def test_a_number_with_a_fraction_that_cannot_be(text: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        checked(Control("brightness", "float", -1.0, 1.0, 0.05, 0.0), text)
