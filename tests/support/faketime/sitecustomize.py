"""On PYTHONPATH of a process under faketime: its sleeps, put right.

Python sleeps until a moment of the monotonic clock (clock_nanosleep, TIMER_ABSTIME), and libfaketime 0.9.10 moves that
moment as if it were the wall clock's: it then lies before the machine was started, which is EINVAL, or an hour ahead.
"""

import select
import time
from typing import SupportsIndex


def _sleep(seconds: float | SupportsIndex) -> None:
    select.select([], [], [], float(seconds))


time.sleep = _sleep
