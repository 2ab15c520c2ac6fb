"""`zlfeed receive`: puts the parts together, and ends them in order."""

from __future__ import annotations

import os
import platform
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from zlfeed import __version__, logs, startup, structured, tokens, whereabouts
from zlfeed.ask import token_for
from zlfeed.clock import monotonic_us
from zlfeed.config import Settings
from zlfeed.errors import ExitCode, StartError, UsageError
from zlfeed.model import Event, Hello, ViewerReport
from zlfeed.opencv import load_cv2
from zlfeed.receiver import backends, display, saver, tunnel
from zlfeed.receiver.describe import describe
from zlfeed.receiver.figures import Figures, stage_times
from zlfeed.receiver.link import StatusLink
from zlfeed.receiver.reader import NoClock, Picture, Reader, available
from zlfeed.receiver.report import JsonReport, Report, TextReport
from zlfeed.receiver.saver import Saver
from zlfeed.receiver.state import State, state_of
from zlfeed.receiver.target import Target, authority, parse
from zlfeed.receiver.view import View
from zlfeed.receiver.whose import session_name
from zlfeed.receiver.window import Window
from zlfeed.signals import force
from zlfeed.status_address import status_url
from zlfeed.status_client import LinkState
from zlfeed.terminal import silence_stdout
from zlfeed.tls import Trust

log = logs.get(__name__)

Mode = Literal["auto", "headless", "display", "save"]
_STOP_S = 0.8
"""The reader's share of the three seconds in which everything must end."""
_SWITCH_INTERVAL_S = 0.0005
"""A thread that wants the interpreter gets it after this long; the default of 5 ms is a picture's whole way."""


def run(
    settings: Settings,
    *,
    target: str | None,
    mode: Mode,
    save: Path | None,
    test_connection: bool,
    as_json: bool,
) -> int:
    """Receives until a signal, `q` or --duration; the exit code. For the main thread.

    Looks at `target`, else where PI_VPN_IP points, else at what discovery finds, else on this machine.
    Mode `save` is headless and wants `save`.
    Raises ZlfeedError when it cannot start.
    """
    secure = bool(settings.fingerprint)
    where = target
    if where is None:
        place = whereabouts.one(settings)
        # What is announced is the plain door; the other one has its usual port.
        where = place.host if secure else place.target
        if place.status and settings.status_url is None and not secure:
            settings = settings.model_copy(update={"status_url": place.status})
    port = settings.rtsps_port if secure else settings.rtsp_port
    address = parse(where, rtsp_port=port, stream_name=settings.stream_name, secure=secure)
    if address.scheme == "rtsps" and settings.transport == "udp":
        raise UsageError("--transport udp would go beside TLS, readably: leave it away with rtsps://")
    trust = Trust(settings.fingerprint)
    token = _token(settings, address, trust)
    address = address.with_token(token)
    status = _status_url(settings, address)
    cv2 = load_cv2(quiet=settings.log_level != "debug")
    structured.structlog()  # now: a line that is logged later is to cost no picture its import
    startup.loaded()
    plan = backends.plan(settings.backend, address, available(cv2))
    with tunnel.opened(address, trust, settings.connection_timeout) as source:
        if test_connection:
            from zlfeed.receiver import probe

            return probe.run(settings, address, plan, status, token, as_json=as_json, source=source)
        if save is not None:
            saver.check(save)
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        window = _window(cv2, mode, address)
        return Receiver(settings, address, plan, status, token, window, save, as_json=as_json, source=source).run()


def _token(settings: Settings, target: Target, trust: Trust) -> str:
    """The token as named, else the one written into the URL, which is for that host only, else this machine's own."""
    written = target.credentials
    if written and settings.status_url is None and tokens.given(settings) is None:
        return written[1]
    return token_for(settings, target.host, lambda: describe(target, settings.connection_timeout, trust).wants_token)


def _status_url(settings: Settings, target: Target) -> str | None:
    """The status server's URL, None when it is not wanted. Raises UsageError."""
    if settings.status_url == "none":
        return None
    place = settings.status_url or authority(target.host, settings.websocket_port)
    return status_url(place, settings.websocket_port, secure=target.scheme == "rtsps")


def _window(cv2: Any, mode: Mode, target: Target) -> Window | None:
    """The window that the mode asks for. Raises StartError when --display is asked for and cannot be had."""
    if mode in ("headless", "save") or (mode == "auto" and not display.is_likely()):
        return None
    try:
        return Window(cv2, f"zlfeed {target.url}")
    except StartError as error:
        if mode == "display":
            raise
        log.warning("no_window", reason=str(error), meaning="going on without one, as with --headless")
        return None


class Receiver:
    """The running receiver: its parts, and the main thread's loop."""

    def __init__(
        self,
        settings: Settings,
        target: Target,
        plan: backends.Plan,
        status: str | None,
        token: str,
        window: Window | None,
        save: Path | None,
        *,
        as_json: bool,
        source: Target,
    ) -> None:
        self._settings = settings
        self._target = target
        self._report: Report = JsonReport() if as_json else TextReport()
        self._code: int | None = None
        self._events: deque[Event] = deque(maxlen=1000)
        self._link: StatusLink | None = None
        self._linked: bool | None = None
        if status is not None:
            hello = Hello(token, "receive", platform.node(), "", __version__)
            self._link = StatusLink(
                status,
                hello,
                camera=target.stream,
                timeout_s=settings.connection_timeout,
                on_link=self._link_changed,
                trust=Trust(settings.fingerprint),
            )
        self._saver = Saver(save, lambda text: self._event("error", "recording_stopped", text)) if save else None
        self._reader = Reader(
            target,
            plan,
            transport=settings.transport,
            timeout_s=settings.connection_timeout,
            clock=self._link or NoClock(),
            source=source,
            trust=Trust(settings.fingerprint),
            on_event=self._events.append,
            on_picture=self._saver.put if self._saver else lambda _picture: None,
        )
        self._view = (
            View(window, self._reader, state=self.state, end=self.end, save=self._save_picture) if window else None
        )
        self._missed = 0
        self._next_second = 0.0

    def run(self) -> int:
        """Receives until something ends it; the exit code."""
        began = time.monotonic()
        ends = began + self._settings.duration if self._settings.duration else float("inf")
        self._next_second = began + 1.0
        with self._signals():
            self._reader.start()
            if self._link:
                self._link.start()
            if self._saver:
                self._saver.start()
            try:
                while self._code is None and (now := time.monotonic()) < ends:
                    if self._view:
                        self._view.turn()
                    else:
                        time.sleep(max(0.0, min(0.05, ends - now)))
                    self._tell()
            finally:
                stopped = self._end()
            code = self._result()
        if not stopped:
            # A thread is inside FFmpeg until its time-out; taking the process down around it may crash.
            sys.stdout.flush()
            os._exit(code)
        return code

    def _result(self) -> int:
        if self._code is not None:
            return self._code
        if self._reader.newest is None:
            error = self._reader.connection.error or "the server has not answered"
            raise StartError(f"no picture from {self._target.url} within {self._settings.duration:g} s: {error}")
        return ExitCode.FAILURE if self._saver and self._saver.error else ExitCode.OK

    def _end(self) -> bool:
        """Ends the parts, and says how it was; False when the reader's thread would not end."""
        figures = self._reader.summary()
        stopped = self._reader.stop(_STOP_S)
        if self._saver:
            self._saver.stop()
        if self._link:
            self._link.stop()
        if self._view:
            self._view.close()
        self._print(self._tell_events)
        self._print(lambda: self._report.summary(figures, {**self._saved(), **self._display(run=True)}))
        return stopped

    # ------------------------------------------------------------ what is asked and told meanwhile

    def end(self, code: int = ExitCode.OK) -> None:
        """Has the run end with this exit code; the first to ask decides it."""
        if self._code is None:
            self._code = code

    def state(self) -> State:
        """How the stream stands."""
        newest = self._reader.newest
        camera = self._link.camera_state() if self._link else None
        last_us = newest.in_hand_us if newest else None
        return state_of(self._reader.connection, self._target.url, last_us, camera, monotonic_us())

    def _save_picture(self, picture: Picture | None) -> str:
        """Writes a picture as it came to a PNG file in the working folder; a word on where."""
        if picture is None:
            return "no picture yet"
        path = Path(f"zlfeed-{datetime.now():%Y%m%d-%H%M%S}-{picture.number}.png").absolute()
        cv2 = load_cv2()
        try:
            done, png = cv2.imencode(".png", picture.image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
            if not done:
                raise OSError(0, "OpenCV cannot encode it")
            path.write_bytes(png.tobytes())
        except OSError as error:
            self._event("error", "picture_not_saved", f"{path} cannot be written: {error.strerror}")
            return "not saved"
        self._event("info", "picture_saved", f"saved {path}")
        return f"saved {path.name}"

    def _event(self, level: str, code: str, text: str) -> None:
        self._events.append(Event(time.time_ns() // 1000, level, code, text, self._target.stream))

    def _link_changed(self, state: LinkState) -> None:
        if state.connected and not self._linked:
            self._linked = True
            self._event("info", "status_connected", f"the status server {state.url} answers")
        elif not state.connected and state.error and self._linked is not False:
            meaning = "latency is unknown" if self._linked is None else "the latency's error grows"
            self._linked = False
            self._event("warning", "status_lost", f"no contact with the status server, {meaning}: {state.error}")

    def _tell(self) -> None:
        """What is due: events at once, figures once a second."""
        self._print(self._tell_events)
        now = time.monotonic()
        if now < self._next_second:
            return
        self._next_second = max(self._next_second + 1.0, now)
        figures = self._reader.second()
        self._missed += figures.missed
        stages = stage_times(figures.latency_ms, self._link.stages() if self._link else ())
        shown = self._display(run=False)
        if self._link:
            self._link.report(self._viewer_report(figures, stages or {}, shown.get("display_ms") or {}))
        extra = {"stages_ms": stages, **shown}
        self._print(lambda: self._report.second(figures, self.state(), extra))

    def _viewer_report(
        self, figures: Figures, stages: Mapping[str, float | None], shown: Mapping[str, float | None]
    ) -> ViewerReport:
        latency = figures.latency_ms
        return ViewerReport(
            camera=self._target.stream,
            fps=figures.fps,
            latency_p50_ms=latency.p50 if latency else None,
            latency_p95_ms=latency.p95 if latency else None,
            latency_error_ms=figures.latency_error_ms,
            missed=self._missed,
            session=session_name(self._target.port),
            longest_freeze_ms=figures.longest_freeze_ms,
            network_decode_ms=stages.get("network_decode"),
            display_ms=shown.get("p50"),
            latency_buckets=figures.latency_buckets,
            latency_sum_ms=figures.latency_sum_ms,
        )

    def _saved(self) -> dict[str, Any]:
        if not self._saver:
            return {}
        return {
            "saved": str(self._saver.path),
            "saved_pictures": self._saver.written,
            "save_dropped": self._saver.dropped,
            "save_error": self._saver.error,
        }

    def _display(self, *, run: bool) -> dict[str, Any]:
        return {"display_ms": self._view.delay(run=run)} if self._view else {}

    def _tell_events(self) -> None:
        while self._events:
            event = self._events.popleft()
            getattr(log, event.level)(event.code, text=event.text)
            self._report.event(event)

    def _print(self, write: Any) -> None:
        try:
            write()
        except OSError as error:
            log.warning("stdout_gone", error=os.strerror(error.errno or 0))
            silence_stdout()
            if isinstance(error, BrokenPipeError) and self._view is None and self._saver is None:
                self.end()  # whoever read the figures has had enough, and they were all there was to do

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGINT, SIGTERM and, on a terminal, SIGHUP end the run in order; a second one ends it at once."""
        codes = {"SIGINT": ExitCode.SIGINT, "SIGTERM": ExitCode.SIGTERM}
        if sys.stdin is not None and sys.stdin.isatty():
            codes["SIGHUP"] = ExitCode.SIGTERM
        by_number = {getattr(signal, name): code for name, code in codes.items() if hasattr(signal, name)}

        def on_signal(number: int, _frame: object) -> None:
            if self._code is not None:
                force(by_number[signal.Signals(number)])
            self.end(by_number[signal.Signals(number)])

        previous = {number: signal.signal(number, on_signal) for number in by_number}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
