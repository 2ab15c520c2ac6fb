"""Whether the cameras' own frames advance: what /healthz answers. Pure: the caller gives the time."""

from __future__ import annotations

from collections.abc import Sequence

from zlfeed.model import CameraStatus
from zlfeed.publisher.operations.liveness import Advance, grace_s


class Health:
    """Looked at once a second or so; a slate is no camera's frame."""

    def __init__(self) -> None:
        self._advances: dict[str, Advance] = {}

    def look(self, statuses: Sequence[CameraStatus], now: float) -> dict[str, str | None]:
        """For each camera why it is not well; None when it is."""
        return {status.camera: self._why(status, now) for status in statuses}

    def _why(self, status: CameraStatus, now: float) -> str | None:
        silent = self._advances.setdefault(status.camera, Advance()).look(status.frames_captured, now)
        if status.state != "live":
            words = {"private": "private, a slate is shown", "no_signal": "no signal, a slate is shown"}
            state = words.get(status.state, status.state.replace("_", " "))
            return f"{state}: {status.error_message}" if status.error_message else state
        if silent is None:
            return "no frame has come yet" if not status.frames_captured else None
        limit = grace_s(status.fps_asked)
        return f"no frame for {silent:.1f} s" if silent > limit else None
