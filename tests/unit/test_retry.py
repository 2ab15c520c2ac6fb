from __future__ import annotations

from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zlfeed.retry import backoff


def test_delays_grow_from_the_first_to_the_ceiling() -> None:
    delays = list(islice(backoff(0.2, 1.6, 5.0, jitter=0.0), 12))
    assert delays[0] == 0.2
    assert delays[1] == pytest.approx(0.32)
    assert all(later >= sooner for sooner, later in pairwise(delays))
    assert delays[-1] == 5.0


@given(st.lists(st.floats(0, 1), min_size=20, max_size=20))
def test_jitter_only_shortens_and_by_its_share_at_most(draws: list[float]) -> None:
    plain = list(islice(backoff(jitter=0.0), 20))
    jittered = list(islice(backoff(jitter=0.2, rng=iter(draws).__next__), 20))
    for least, delay, most in zip([0.8 * p for p in plain], jittered, plain, strict=True):
        assert least - 1e-9 <= delay <= most


def test_a_first_delay_above_the_ceiling_is_cut() -> None:
    assert next(backoff(60.0, ceiling=5.0, jitter=0.0)) == 5.0


def test_it_never_ends_nor_overflows() -> None:
    assert max(islice(backoff(), 5000)) <= 5.0
