"""What `publish` says on stdout: JSON lines, or for people the URLs and one line that renews itself."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from zlfeed import logs
from zlfeed.model import CameraStatus, Event
from zlfeed.publisher import hints
from zlfeed.terminal import RenewingLine, has_colours, silence_stdout, write
from zlfeed.tokens import Token

log = logs.get(__name__)


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
    """For people: what is on the air and how to watch it, then on a terminal one line that renews itself."""

    def __init__(self, token: Token | None, certificate: str | None = None) -> None:
        """`certificate` is its fingerprint, with TLS."""
        self._token = token
        self._certificate = certificate
        self._foot = RenewingLine()
        self._bold = ("\x1b[1m", "\x1b[0m") if has_colours(sys.stdout) else ("", "")

    def ready(self, cameras: Sequence[CameraStatus], urls: Mapping[str, Mapping[str, str]]) -> None:
        on, off = self._bold
        lines = []
        for status in cameras:
            size = f"{status.width}×{status.height}" if status.width else "size unknown"
            rate = f" at {status.fps_asked:g} fps" if status.fps_asked else ""
            lines.append(
                f"{on}{status.camera}{off}  {size}{rate}, {status.encoder}, {number(status.bitrate_asked_kbps)} kbit/s"
            )
            lines += [f"  {kind:<9} {url}" for kind, url in urls[status.camera].items() if kind != "websocket"]
        if cameras:
            own = urls[cameras[0].camera]
            lines.append(f"  {'status':<9} {own['websocket']}")
            # A token is told once, and to a person: what is not a terminal may be a log that others read.
            shown = self._token if self._token and self._token.created and self._foot.live else None
            lines += [f"  {what:<9} {line}" for what, line in hints.commands(own, shown, self._certificate)]
            lines += hints.access(self._token, own, shown=shown is not None)
        self._say(lines)

    def second(self, statuses: Sequence[CameraStatus]) -> None:
        if self._foot.live and statuses:
            with _undisturbed():
                self._foot.show(line_parts(statuses))

    def event(self, event: Event) -> None:
        """Events are in the log, on stderr."""

    def summary(self, statuses: Sequence[CameraStatus]) -> None:
        with _undisturbed():
            self._foot.show(())
        self._say([summary_words(status) for status in statuses])

    def _say(self, lines: Sequence[str]) -> None:
        for line in lines:
            print_line(line)


def line_parts(statuses: Sequence[CameraStatus]) -> list[str]:
    """The line that renews itself, what matters most first; what is unknown is a dash."""
    if len(statuses) == 1:
        return camera_parts(statuses[0])
    return [" ".join(camera_parts(status)[:3]) for status in statuses]


def camera_parts(status: CameraStatus) -> list[str]:
    """One camera's state: its name, how it is, latency, fps, and then what is nice to know."""
    latency = status.latency_ms
    shown = f"{number(latency.p50, 1)} ms (p95 {number(latency.p95, 1)})" if latency else "–"
    viewers = len(status.viewers)
    return [
        status.camera,
        status.state.replace("_", " "),
        f"{number(status.fps, 1)} fps",
        f"latency {shown}",
        f"{viewers} viewer{'' if viewers == 1 else 's'}",
        f"{number(status.bitrate_kbps)} kbit/s",
        f"encode {number(status.encode_ms_avg, 1)} ms",
        f"CPU {number(status.process_cpu_percent)} %",
    ]


def summary_words(status: CameraStatus) -> str:
    """The run of one camera in a line."""
    dropped = ", ".join(
        f"{count} dropped ({reason.replace('_', ' ')})" for reason, count in status.frames_dropped.items()
    )
    restarts = {"encoder": status.encoder_restarts, "camera": status.camera_restarts}
    parts = [
        f"{status.frames_captured} frames captured",
        f"{status.frames_sent} sent",
        dropped or "none dropped",
        *(
            f"{what} restarted {'once' if count == 1 else f'{count} times'}"
            for what, count in restarts.items()
            if count
        ),
    ]
    return f"{status.camera}: {', '.join(parts)}"


def number(value: float | None, digits: int = 0) -> str:
    """A figure for people, a dash when it is unknown."""
    return "–" if value is None else f"{value:.{digits}f}"


def print_line(line: str) -> None:
    """Prints to stdout at once, as long as that can be written."""
    with _undisturbed():
        write(line + "\n")


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Whoever reads the lines is not the viewer: when they cannot be written any more, the feed goes on without."""
    try:
        yield
    except OSError as error:
        log.warning("stdout_gone", error=os.strerror(error.errno or 0))
        silence_stdout()
