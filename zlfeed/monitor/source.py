"""What the app asks of where its figures come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from zlfeed.monitor.controls import Key, Setter
from zlfeed.monitor.preview import Asked, Shown
from zlfeed.monitor.snapshot import Snapshot

if TYPE_CHECKING:
    from zlfeed.model import Thumbnail


class Source(Protocol):
    """Where snapshots come from: `Feeds`, or a scripted one in tests."""

    on_news: Callable[[], None]
    on_picture: Callable[[], None]
    on_snapshot: Callable[[Thumbnail], None]
    setter: Setter

    async def run(self) -> None:
        """Keeps the figures coming until cancelled; raises StartError when there will be none."""

    def snapshot(self) -> Snapshot:
        """Everything known, as of now."""

    def set_control(self, key: Key, value: str) -> None:
        """Wishes a control of a camera to have a value."""

    def watch(self, asked: Asked | None) -> None:
        """Wants a camera's pictures, or none any more."""

    def preview(self) -> Shown | None:
        """The picture that was asked for, as of now."""

    def acknowledge(self) -> None:
        """The alerts have been seen."""
