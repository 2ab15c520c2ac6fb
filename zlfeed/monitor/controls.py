"""Setting things at the publisher: what a key or the mouse makes of a value, and what is sent when. Pure.

One request a control is under way at a time; while it is, only the latest wish is kept. So a slider that is dragged
sends its first and its last value and what the publisher can follow in between, never fifty.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from zlfeed.model import Control, ControlResult, SetControl

ANSWER_S = 3.0
"""A publisher that has not answered by then will not: the wish after it is sent."""
_ON = ("on", "true", "1", "yes")

Key = tuple[str, str, str]
"""(publisher's URL, camera, control)."""


def number(value: str | None) -> float | None:
    """A value as a number, or None where it is none."""
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def share(control: Control, value: str | None) -> float | None:
    """Where a value lies in the control's range, 0 to 1; None where there is no range."""
    at = number(value)
    if at is None or control.minimum is None or control.maximum is None or control.maximum <= control.minimum:
        return None
    return max(0.0, min(1.0, (at - control.minimum) / (control.maximum - control.minimum)))


def at_share(control: Control, where: float) -> str | None:
    """The value at that share of the range, on a step; None where there is no range."""
    if control.minimum is None or control.maximum is None:
        return None
    return _on_step(control, control.minimum + max(0.0, min(1.0, where)) * (control.maximum - control.minimum))


def changed(control: Control, value: str | None, steps: int) -> str | None:
    """The value after so many steps up or down; None where it cannot be changed by steps.

    Choices and switches go round.
    """
    if control.kind == "bool":
        return "off" if (value or "").lower() in _ON else "on"
    if control.kind == "choice" and control.choices:
        choices = list(control.choices)
        index = choices.index(value) + steps if value in choices else 0
        return choices[index % len(choices)]
    at = number(value)
    if at is None:
        at = control.default_value if control.default_value is not None else control.minimum
    if at is None or control.kind in ("text", "action"):
        return None
    return _on_step(control, at + steps * _step(control))


def _step(control: Control) -> float:
    """The control's own step, else a round number (1, 2, 5 × 10ⁿ) near a hundredth of its range."""
    if control.step:
        return control.step
    if control.minimum is None or control.maximum is None or control.maximum <= control.minimum:
        return 1.0
    hundredth = (control.maximum - control.minimum) / 100
    power = 10.0 ** math.floor(math.log10(hundredth))
    step = max(factor * power for factor in (1, 2, 5) if factor * power <= hundredth * 1.0001)
    return max(1.0, step) if control.kind == "int" else step


def _on_step(control: Control, value: float) -> str:
    step = _step(control)
    base = (control.minimum or 0.0) if control.step else 0.0
    value = base + math.floor((value - base) / step + 0.5) * step
    if control.minimum is not None:
        value = max(control.minimum, value)
    if control.maximum is not None:
        value = min(control.maximum, value)
    return str(round(value)) if control.kind == "int" else f"{value:g}"


class Said(NamedTuple):
    """What came of a wish, in words."""

    ok: bool
    text: str


@dataclass
class _Wish:
    """What is under way for a control, and what is wished after it."""

    request_id: int
    value: str
    sent_at_s: float
    next: str | None = None


class Setter:
    """Wishes in, requests out by `send(url, request)`; times are seconds of a monotonic clock."""

    def __init__(self, send: Callable[[str, SetControl], bool]) -> None:
        self._send = send
        self._wishes: dict[Key, _Wish] = {}
        self._said: dict[Key, Said] = {}
        self._last_id = 0

    def want(self, key: Key, value: str, now_s: float) -> None:
        """A new wish: sent now, or after the answer to the one that is under way."""
        self._said.pop(key, None)
        if (wish := self._wishes.get(key)) is not None:
            wish.next = value
        else:
            self._request(key, value, now_s)

    def answered(self, url: str, result: ControlResult, now_s: float) -> None:
        """An answer came. Those to others (id 0) tell nothing of our wishes."""
        key = (url, result.camera, result.name)
        wish = self._wishes.get(key)
        if wish is None or result.id != wish.request_id:
            return
        done = "done" if wish.value == "" else ""  # an action has no value that would show it
        text = result.text or (done if result.ok else "the publisher refused")
        self._settle(key, Said(result.ok, text) if text else None, now_s)

    def look(self, now_s: float) -> None:
        """Gives up answers that are overdue; to be called now and then."""
        for key in [key for key, wish in self._wishes.items() if now_s - wish.sent_at_s >= ANSWER_S]:
            self._settle(key, Said(False, f"no answer within {ANSWER_S:g} s"), now_s)

    def pending(self, key: Key) -> str | None:
        """The value that is wished and not yet confirmed."""
        wish = self._wishes.get(key)
        return (wish.next or wish.value) if wish else None

    def said(self, key: Key) -> Said | None:
        """What there is to say of the last wish: why it did not come true, or what it brought."""
        return self._said.get(key)

    def _settle(self, key: Key, said: Said | None, now_s: float) -> None:
        wish = self._wishes.pop(key)
        if said is not None:
            self._said[key] = said
        if wish.next is not None and wish.next != wish.value:
            self._request(key, wish.next, now_s)

    def _request(self, key: Key, value: str, now_s: float) -> None:
        from zlfeed.model import SetControl

        self._last_id += 1
        if self._send(key[0], SetControl(key[1], key[2], value, self._last_id)):
            self._wishes[key] = _Wish(self._last_id, value, now_s)
        else:
            self._said[key] = Said(False, "there is no contact with the publisher")
