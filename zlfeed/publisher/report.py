"""What `publish` says on stdout: JSON lines, or for people the URLs and one line that renews itself."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from zlfeed import logs
from zlfeed.model import CameraStatus, Event


class Report(Protocol):
    """Where the publisher tells its progress."""

    def ready(self, cameras: Sequence[CameraStatus], urls: Mapping[str, Mapping[str, str]]) -> None: ...

    def second(self, statuses: Sequence[CameraStatus]) -> None: ...

    def event(self, event: Event) -> None: ...

    def summary(self, statuses: Sequence[CameraStatus]) -> None: ...


def _rounded(value: Any) -> Any:
    """Figures to a thousandth: finer than anything here is measured."""
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return value


class JsonReport:
    """One JSON object a line, "type" first (design 4.1)."""

    def _print(self, kind: str, fields: Mapping[str, Any]) -> None:
        print_line(json.dumps({"type": kind, **_rounded(fields)}, ensure_ascii=False, allow_nan=False))

    def ready(self, cameras: Sequence[CameraStatus], urls: Mapping[str, Mapping[str, str]]) -> None:
        for status in cameras:
            self._print(
                "ready",
                {
                    "camera": status.camera,
                    "urls": dict(urls[status.camera]),
                    "server": status.server,
                    "encoder": status.encoder,
                    "width": status.width,
                    "height": status.height,
                    "fps": status.fps_asked,
                },
            )

    def second(self, statuses: Sequence[CameraStatus]) -> None:
        for status in statuses:
            self._print("second", dataclasses.asdict(status))

    def event(self, event: Event) -> None:
        self._print("event", dataclasses.asdict(event))

    def summary(self, statuses: Sequence[CameraStatus]) -> None:
        for status in statuses:
            self._print("summary", dataclasses.asdict(status))


class TextReport:
    """For people: the URLs once, then on a terminal one line that renews itself."""

    def __init__(self) -> None:
        self._renews = sys.stdout.isatty()
        self._line = ""
        if self._renews:
            logs.around_writes(self._clear, self._redraw)

    def ready(self, cameras: Sequence[CameraStatus], urls: Mapping[str, Mapping[str, str]]) -> None:
        self._clear()
        for status in cameras:
            size = f"{status.width}×{status.height}" if status.width else "size unknown"
            rate = f" at {status.fps_asked:g} fps" if status.fps_asked else ""
            print_line(f"{status.camera}: {size}{rate}, {status.encoder}, {number(status.bitrate_asked_kbps)} kbit/s")
            for kind, url in urls[status.camera].items():
                print_line(f"  {kind:<10} {url}")

    def second(self, statuses: Sequence[CameraStatus]) -> None:
        if not self._renews or not statuses:
            return
        self._clear()
        self._line = " | ".join(status_words(status) for status in statuses)
        self._redraw()

    def event(self, event: Event) -> None:
        """Events are in the log, on stderr."""

    def summary(self, statuses: Sequence[CameraStatus]) -> None:
        self._clear()
        self._line = ""
        for status in statuses:
            dropped = sum(status.frames_dropped.values())
            print_line(
                f"{status.camera}: {status.frames_captured} frames captured, {status.frames_sent} sent, "
                f"{dropped} dropped; {status.encoder_restarts} encoder and {status.camera_restarts} camera restarts"
            )

    def _clear(self) -> None:
        if self._renews and self._line:
            sys.stdout.write("\r\x1b[K")
            sys.stdout.flush()

    def _redraw(self) -> None:
        if self._renews and self._line:
            width = shutil.get_terminal_size().columns - 1
            sys.stdout.write(self._line[:width])
            sys.stdout.flush()


def status_words(status: CameraStatus) -> str:
    """One camera's state in one short line; what is unknown is a dash."""
    latency = status.latency_ms
    shown = f"{number(latency.p50 if latency else None, 1)}/{number(latency.p95 if latency else None, 1)} ms"
    parts = [
        status.camera,
        status.state.replace("_", " "),
        f"{number(status.fps, 1)} fps",
        f"{number(status.bitrate_kbps)} kbit/s",
        f"encode {number(status.encode_ms_avg, 1)} ms",
        f"{len(status.viewers)} viewer{'' if len(status.viewers) == 1 else 's'}",
        f"latency {shown if latency else '–'}",
        f"CPU {number(status.process_cpu_percent)} %",
    ]
    return "  ".join(parts)


def number(value: float | None, digits: int = 0) -> str:
    """A figure for people, a dash when it is unknown."""
    return "–" if value is None else f"{value:.{digits}f}"


def print_line(line: str) -> None:
    """Prints to stdout at once. A reader that has gone is noticed once, and then stdout is nobody's."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The feed goes on: whoever read the lines was not the viewer.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
