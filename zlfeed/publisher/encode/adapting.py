"""Looks at the viewers' links once a second and has each feed encoded as they carry it (adaptive.py decides)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zlfeed.model import Viewer
from zlfeed.publisher.encode.adaptive import LOOK_S, Adaptive, Link
from zlfeed.publisher.pipeline import Pipeline
from zlfeed.publisher.push import Push
from zlfeed.rtsp.readers import SessionReader

FLOOR_SHARE = 4
"""Without --min-bitrate no lower than this part of what was asked for: one bad link takes no more from all."""


@dataclass(slots=True)
class _Seen:
    """A link's counters at the last look; `at` in seconds."""

    at: float
    sent: int = 0
    dropped: int = 0
    bytes_sent: int = 0
    packets_lost: int = 0
    highest_sequence: int = 0
    missed: int | None = None


class LinkCounters:
    """Turns counters since the start into what happened since the last look; no I/O."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def links(self, viewers: Sequence[Viewer], readers: Sequence[SessionReader], now: float) -> list[Link]:
        """The links of those who watch; new ones from the second look on. Our own MediaMTX's pull is none."""
        by_id = {reader.session.id: reader for reader in readers}
        found = [link for viewer in viewers if (link := self._link(viewer, by_id.get(viewer.id), now)) is not None]
        present = {viewer.id for viewer in viewers}
        self._seen = {id_: seen for id_, seen in self._seen.items() if id_ in present}
        return found

    def _link(self, viewer: Viewer, reader: SessionReader | None, now: float) -> Link | None:
        counts = reader.reception if reader else None
        report = viewer.report
        new = _Seen(
            now, viewer.frames_sent, viewer.frames_dropped, viewer.bytes_sent,
            *(counts or (0, 0)), report.missed if report else None,
        )  # fmt: skip
        old = self._seen.get(viewer.id)
        self._seen[viewer.id] = new
        if old is None or new.at <= old.at:
            return None
        sent, dropped = new.sent - old.sent, new.dropped - old.dropped
        packets = new.highest_sequence - old.highest_sequence
        lost = (
            max(0.0, (new.packets_lost - old.packets_lost) / packets) if old.highest_sequence and packets > 0 else None
        )
        missed = None
        if new.missed is not None and old.missed is not None and sent + dropped > 0:
            missed = max(0.0, (new.missed - old.missed) / (sent + dropped))
        bits = (new.bytes_sent - old.bytes_sent) * 8 / (new.at - old.at)
        return Link(viewer.id, viewer.address, sent, dropped, lost, missed, bits)


class Adapting:
    """All feeds' adaptation; `run` until cancelled."""

    def __init__(
        self,
        pipelines: Sequence[Pipeline],
        viewers: Callable[[Pipeline, float], Sequence[Viewer]],
        pushes: Callable[[str], Push | None],
        on_event: Callable[[str, str, str, str], None],
        min_bitrate: int | None,
    ) -> None:
        """`viewers` gives who watches a feed, with their reports; `on_event` takes level, code, text, camera."""
        self._pipelines = pipelines
        self._viewers = viewers
        self._pushes = pushes
        self._on_event = on_event
        self._min_bitrate = min_bitrate
        self._feeds = {pipeline.name: (LinkCounters(), Adaptive()) for pipeline in pipelines}

    async def run(self) -> None:
        """Looks and adapts, once a second."""
        while True:
            await asyncio.sleep(LOOK_S)
            for pipeline in self._pipelines:
                if pipeline.adapts and pipeline.first_frame.is_set():
                    self._look(pipeline, time.monotonic())

    def _look(self, pipeline: Pipeline, now: float) -> None:
        counters, adaptive = self._feeds[pipeline.name]
        viewers = [*self._viewers(pipeline, now), *self._pushed(pipeline)]
        readers = [reader for reader in pipeline.stream.readers if isinstance(reader, SessionReader)]
        asked = pipeline.settings.bitrate
        floor = min(asked, self._min_bitrate or asked // FLOOR_SHARE)
        before = adaptive.current or asked
        step = adaptive.look(counters.links(viewers, readers, now), asked=asked, floor=floor, now=now)
        if step is None:
            return
        pipeline.limit_bitrate(adaptive.current)
        level, code = ("warning", "bitrate_lowered") if step.lowered else ("info", "bitrate_raised")
        text = f"camera {pipeline.name}: {before // 1000} → {step.bitrate // 1000} kbit/s: {step.why}"
        self._on_event(level, code, text, pipeline.name)

    def _pushed(self, pipeline: Pipeline) -> list[Viewer]:
        """The server that is pushed to is a link like another."""
        push = self._pushes(pipeline.name)
        if push is None:
            return []
        sent = max(0, pipeline.frames_sent - push.frames_dropped)
        return [Viewer("push", push.target.url, frames_sent=sent, frames_dropped=push.frames_dropped)]
