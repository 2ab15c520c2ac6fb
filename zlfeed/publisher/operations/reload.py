"""SIGHUP without a terminal (`systemctl reload`): the settings are read again, and what can be changed live is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from zlfeed import logs
from zlfeed.config import Settings
from zlfeed.errors import UsageError
from zlfeed.publisher.controls.definitions import Refused
from zlfeed.publisher.operations.service import ServiceLink

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Taker:
    """A part that takes some settings while it runs.

    `take` gets the new settings and returns, in words, what is in force now that was not before; it raises UsageError,
    Refused or TimeoutError when that cannot be, and then everything of its own is as it was. `always`: it looks even
    though none of its settings changed (what they name may have: a token's file).
    """

    names: frozenset[str]
    take: Callable[[Settings], Awaitable[Sequence[str]]]
    always: bool = False


def changed(old: Settings, new: Settings) -> list[str]:
    """The names of the settings in which they differ, in the model's order."""
    return [name for name in Settings.model_fields if getattr(old, name) != getattr(new, name)]


class Reloading:
    """Takes settings anew, one reload at a time; those that come meanwhile are one more."""

    def __init__(
        self,
        settings: Settings,
        read: Callable[[], Settings],
        takers: Iterable[Taker],
        later: Callable[[Settings, Settings], list[str]],
        service: ServiceLink,
        on_event: Callable[[str, str, str], None],
    ) -> None:
        """`read` gives the settings as they are said now, or raises UsageError.

        `later` names the settings that differ and wait for a restart.
        """
        self._settings = settings
        self._read = read
        self._takers = list(takers)
        self._later = later
        self._service = service
        self._on_event = on_event
        self._asked = asyncio.Event()

    def request(self) -> None:
        """Asks for a reload."""
        self._asked.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            self._service.reloading()
            try:
                await self._reload()
            finally:
                self._service.reloaded()

    async def _reload(self) -> None:
        try:
            new = await asyncio.to_thread(self._read)
        except UsageError as error:
            text = "; ".join(str(error).splitlines())
            self._on_event("error", "reload_failed", f"nothing is changed: {text}")
            return
        names, later = changed(self._settings, new), self._later(self._settings, new)
        taken: list[str] = []
        for taker in self._takers:
            mine = [name for name in names if name in taker.names]
            if not mine and not taker.always:
                continue
            try:
                taken += await taker.take(new)
            except (UsageError, Refused, TimeoutError) as error:
                why = str(error) or "it did not come about in time"
                self._on_event("error", "reload_failed", f"{', '.join(mine) or 'the configuration'}: {why}")
                continue
            self._settings = self._settings.model_copy(update={name: getattr(new, name) for name in mine})
        self._tell(taken, later)

    def _tell(self, taken: Sequence[str], later: Sequence[str]) -> None:
        words = [f"in force: {', '.join(taken)}"] if taken else []
        if later:
            words.append(f"only after a restart: {', '.join(later)}")
        text = "; ".join(words) or "nothing has changed"
        self._on_event("warning" if later else "info", "reloaded", f"the configuration was read again; {text}")
