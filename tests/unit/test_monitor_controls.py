from __future__ import annotations

import pytest

from zlfeed.model import Control, ControlResult, SetControl
from zlfeed.monitor.controls import ANSWER_S, Setter, at_share, changed, share

BITRATE = Control("bitrate", "int", 100, 8000, 100, 800, value="800", unit="kbit/s")
GAIN = Control("gain", "float", 0.0, 4.0, value="1.5")
MIRROR = Control("mirror", "bool", value="off")
ROTATE = Control("rotate", "choice", choices=("0", "90", "180"), value="0")
KEY = ("ws://pi:9000/", "front", "bitrate")


@pytest.mark.parametrize(
    ("control", "value", "steps", "expected"),
    [
        (BITRATE, "800", 1, "900"),
        (BITRATE, "800", -10, "100"),
        (BITRATE, "850", 1, "1000"),
        (BITRATE, "8000", 5, "8000"),
        (BITRATE, None, 1, "900"),
        (BITRATE, "nonsense", 0, "800"),
        (GAIN, "1.5", 1, "1.52"),
        (Control("rate", "int", 64, 6666, value="800"), "800", 1, "850"),
        (GAIN, "3.99", 1, "4"),
        (MIRROR, "off", 1, "on"),
        (MIRROR, "true", -1, "off"),
        (ROTATE, "180", 1, "0"),
        (ROTATE, "0", -1, "180"),
        (ROTATE, "45", 1, "0"),
        (Control("name", "text", value="x"), "x", 1, None),
        (Control("restart", "action"), None, 1, None),
        (Control("unbounded", "int", value="7"), "7", -1, "6"),
        (Control("empty", "choice"), None, 1, None),
    ],
)
def test_steps_stay_on_the_grid_and_in_the_range(
    control: Control, value: str | None, steps: int, expected: str | None
) -> None:
    assert changed(control, value, steps) == expected


def test_a_slider_and_its_value_are_each_others_inverse() -> None:
    for value in ("100", "800", "4000", "8000"):
        where = share(BITRATE, value)
        assert where is not None
        assert at_share(BITRATE, where) == value
    assert at_share(BITRATE, 1.7) == "8000"
    assert share(BITRATE, "9000") == 1.0
    assert share(MIRROR, "on") is None
    assert at_share(MIRROR, 0.5) is None


class Publisher:
    """Takes requests down."""

    def __init__(self, reachable: bool = True) -> None:
        self.asked: list[SetControl] = []
        self.reachable = reachable
        self.setter = Setter(self.send)

    def send(self, _url: str, request: SetControl) -> bool:
        self.asked.append(request)
        return self.reachable

    def answer(self, request: SetControl, now: float, ok: bool = True, text: str = "") -> None:
        self.setter.answered(KEY[0], ControlResult("front", "bitrate", ok, request.value, text, request.id), now)


def test_a_dragged_slider_sends_its_first_and_its_last_value() -> None:
    publisher = Publisher()
    for value in range(800, 5800, 100):
        publisher.setter.want(KEY, str(value), 1.0)
    assert publisher.setter.pending(KEY) == "5700"
    publisher.answer(publisher.asked[0], 1.1)
    publisher.answer(publisher.asked[1], 1.2)
    assert [request.value for request in publisher.asked] == ["800", "5700"]
    assert publisher.setter.pending(KEY) is None


def test_a_refusal_says_why_until_the_next_wish() -> None:
    publisher = Publisher()
    publisher.setter.want(KEY, "9000", 1.0)
    publisher.answer(publisher.asked[0], 1.1, ok=False, text="the camera says no")
    assert publisher.setter.said(KEY) == (False, "the camera says no")
    publisher.setter.want(KEY, "900", 2.0)
    assert publisher.setter.said(KEY) is None


def test_what_an_action_brought_is_said() -> None:
    publisher = Publisher()
    publisher.setter.want(KEY, "", 1.0)
    publisher.answer(publisher.asked[0], 1.1, text="snapshot-1.jpg")
    assert publisher.setter.said(KEY) == (True, "snapshot-1.jpg")
    publisher.setter.want(KEY, "", 2.0)
    publisher.answer(publisher.asked[1], 2.1)
    assert publisher.setter.said(KEY) == (True, "done")


def test_answers_to_others_are_not_taken_for_ours() -> None:
    publisher = Publisher()
    publisher.setter.want(KEY, "900", 1.0)
    publisher.setter.answered(KEY[0], ControlResult("front", "bitrate", True, "700", id=0), 1.1)
    publisher.setter.answered("ws://other:9000/", ControlResult("front", "bitrate", True, "700", id=1), 1.1)
    assert publisher.setter.pending(KEY) == "900"


def test_a_publisher_that_does_not_answer_is_said_so_and_the_last_wish_still_sent() -> None:
    publisher = Publisher()
    publisher.setter.want(KEY, "900", 1.0)
    publisher.setter.want(KEY, "1000", 1.5)
    publisher.setter.look(1.0 + ANSWER_S / 2)
    assert len(publisher.asked) == 1
    publisher.setter.look(1.0 + ANSWER_S)
    assert [request.value for request in publisher.asked] == ["900", "1000"]
    publisher.setter.look(10.0)
    assert publisher.setter.said(KEY) == (False, "no answer within 3 s")
    assert publisher.setter.pending(KEY) is None


def test_without_contact_nothing_is_pending() -> None:
    publisher = Publisher(reachable=False)
    publisher.setter.want(KEY, "900", 1.0)
    assert publisher.setter.pending(KEY) is None
    assert publisher.setter.said(KEY) == (False, "there is no contact with the publisher")


def test_each_control_waits_for_its_own_answer() -> None:
    publisher = Publisher()
    publisher.setter.want(KEY, "900", 1.0)
    publisher.setter.want((KEY[0], "front", "gain"), "2", 1.0)
    assert [request.name for request in publisher.asked] == ["bitrate", "gain"]
    assert len({request.id for request in publisher.asked}) == 2
