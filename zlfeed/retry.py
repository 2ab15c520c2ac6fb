"""How long to wait before trying again. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator


def backoff(
    first: float = 0.2,
    factor: float = 1.6,
    ceiling: float = 5.0,
    jitter: float = 0.2,
    rng: Callable[[], float] = random.random,
) -> Iterator[float]:
    """Delays in seconds, without end: `first`, growing by `factor` up to `ceiling`.

    Each is shortened by up to the share `jitter`, at random, so that many clients which lost the same server do not
    come back in step; none is longer than `ceiling`. `rng` gives numbers from 0 to 1.
    """
    delay = min(first, ceiling)
    while True:
        yield delay * (1 - jitter * rng())
        delay = min(delay * factor, ceiling)
