"""Who guesses is slowed down, for each address, with a ceiling, and nobody else is."""

from __future__ import annotations

from zlfeed import gate
from zlfeed.gate import CEILING_S, FIRST_S, FORGET_S, FREE, MAX_ADDRESSES, MAX_WAITING, Gate, pause_s


def after(failures: int, host: str = "10.9.0.5", now: float = 0.0) -> Gate:
    found = Gate()
    for _ in range(failures):
        found.failed(host, now)
    return found


def test_a_few_wrong_tokens_cost_nothing() -> None:
    assert after(FREE - 1).admit("10.9.0.5", 0.0) == 0.0


def test_from_then_on_an_address_waits_longer_and_longer_and_nobody_else_does() -> None:
    waits = [after(failures).admit("10.9.0.5", 0.0) for failures in range(FREE, FREE + 20)]
    assert waits[0] == FIRST_S
    assert waits == sorted(waits, key=lambda wait: wait or 0.0)
    assert waits[-1] == CEILING_S, "a ceiling"
    assert after(1000).admit("10.9.0.6", 0.0) == 0.0


def test_who_is_patient_is_always_looked_at() -> None:
    found = after(1000)
    wait = found.admit("10.9.0.5", 0.0)
    assert wait is not None
    assert wait <= CEILING_S
    assert found.admit("10.9.0.5", wait + CEILING_S) == 0.0


def test_tokens_in_parallel_wait_in_line_and_only_a_few_may() -> None:
    found = after(FREE)
    pause = pause_s(FREE)
    waits = [found.admit("10.9.0.5", 0.0) for _ in range(10)]
    assert waits[:MAX_WAITING] == [pause * turn for turn in range(1, MAX_WAITING + 1)]
    assert waits[MAX_WAITING:] == [None] * (10 - MAX_WAITING)


def test_of_an_attack_a_bounded_number_of_guesses_is_looked_at() -> None:
    found, now, looked = Gate(), 0.0, 0
    while now < 600.0:
        wait = found.admit("10.9.0.5", now)
        if wait is not None:
            looked += 1
            found.failed("10.9.0.5", now + wait)
        now += 0.01
    assert looked <= 600.0 / CEILING_S + 20


def test_an_address_that_was_quiet_begins_anew() -> None:
    assert after(50).admit("10.9.0.5", FORGET_S + 100.0) == 0.0
    found = after(50)
    found.admit("10.9.0.5", FORGET_S + 100.0)
    assert len(found) == 0


def test_the_table_is_bounded_and_forgets_whom_it_heard_of_first() -> None:
    found = Gate()
    for number in range(MAX_ADDRESSES + 100):
        found.failed(f"10.{number // 65536}.{number // 256 % 256}.{number % 256}", 0.0)
    assert len(found) == MAX_ADDRESSES


def test_of_ipv6_the_network_counts_and_an_ipv4_address_is_one_whatever_socket_it_came_by() -> None:
    found = after(50, "2001:db8::1")
    assert found.admit("2001:db8::ffff", 0.0) == CEILING_S
    assert found.admit("2001:db8:0:1::1", 0.0) == 0.0
    assert after(50, "::ffff:10.9.0.5").admit("10.9.0.5", 0.0) == CEILING_S
    assert gate.Gate().admit("", 0.0) == 0.0
