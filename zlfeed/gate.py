"""Slows down who guesses a token: counted for each address, and never the others' loss. Pure.

A few wrong tokens cost nothing: people mistype, and players try with what they remember. From then on an address may
have one token looked at in a while that grows to CEILING_S; a few wait for their turn, more are turned away. The right
token waits as long as a wrong one, or a guess that is not answered at once would be known to be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

from zlfeed.net import neighbourhood

FREE = 3
"""Wrong tokens of an address that cost nothing."""
FIRST_S = 0.5
CEILING_S = 5.0
MAX_WAITING = 4
"""Of an address, at a time."""
FORGET_S = 300.0
"""An address that was quiet for this long begins anew."""
MAX_ADDRESSES = 1024


@dataclass(slots=True)
class _Record:
    failures: int = 0
    last: float = 0.0
    free_at: float = 0.0
    """When the next token may be looked at."""


class Gate:
    """The addresses that have shown wrong tokens; `now` is seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}

    def __len__(self) -> int:
        return len(self._records)

    def admit(self, host: str, now: float) -> float | None:
        """How many seconds a token from there waits until it is looked at; None when too many wait already.

        What is not None is a turn, taken whether or not the token comes to be looked at.
        """
        record = self._known(host, now)
        if record is None or record.failures < FREE:
            return 0.0
        pause = pause_s(record.failures)
        wait = max(0.0, record.free_at - now)
        if wait > pause * MAX_WAITING:
            return None
        record.free_at = now + wait + pause
        return wait

    def failed(self, host: str, now: float) -> None:
        """A token from there was wrong."""
        key = neighbourhood(host)
        record = self._known(host, now) or _Record()
        self._records.pop(key, None)
        self._records[key] = record  # the last one in the table is the one that was heard of last
        record.failures += 1
        record.last = now
        record.free_at = max(record.free_at, now + pause_s(record.failures))
        while len(self._records) > MAX_ADDRESSES:
            del self._records[next(iter(self._records))]

    def _known(self, host: str, now: float) -> _Record | None:
        record = self._records.get(neighbourhood(host))
        if record is not None and now - record.last > FORGET_S and now >= record.free_at:
            del self._records[neighbourhood(host)]
            return None
        return record


def pause_s(failures: int) -> float:
    """Between two looks at an address's tokens, after so many wrong ones."""
    if failures < FREE:
        return 0.0
    return min(CEILING_S, FIRST_S * 2.0 ** min(failures - FREE, 10))
