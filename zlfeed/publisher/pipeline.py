"""One camera's way from the capture thread through FFmpeg into its live stream, supervised."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zlfeed import logs
from zlfeed.errors import CameraError, EncoderError
from zlfeed.metrics import Rate, Window
from zlfeed.model import CameraStatus, Control, Stage
from zlfeed.publisher.camera import DEFAULT_FPS, CameraSpec, Opened
from zlfeed.publisher.capture import SLATE_SIZE, Capture, CaptureSettings
from zlfeed.publisher.controls.definitions import FeedValues, Refused, checked, named
from zlfeed.publisher.encode.choice import EncoderChoice
from zlfeed.publisher.encode.encoder import EncodedFrame, Encoder
from zlfeed.publisher.encode.encoding import Encoding
from zlfeed.publisher.encode.ffmpeg import EncoderSettings
from zlfeed.publisher.picture.orientation import turned_size
from zlfeed.publisher.picture.outlet import FrameSink, Picture
from zlfeed.retry import backoff
from zlfeed.rtsp.codecs import CODECS
from zlfeed.rtsp.stream import LiveStream

log = logs.get(__name__)

STATS_S = 2.0
CHANGE_S = 15.0
"""A change that has neither come about nor failed by then waits for something: a camera that is away."""
PICTURE_S = 2.0
_LOOK_S = 0.02
_GUESSED = ("auto", "test", "device", "csi")
"""Cameras that mostly give what is asked for: FFmpeg starts while they open, by a guess at what they will give."""
MANY_FAILURES, FAILURES_S = 3, 60.0
"""An encoder that fails so often within this time is not what was tried at the start."""

EventSink = Callable[[str, str, str], None]
"""level, code, text"""


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """What a camera's feed is made of. `gop` None: one second."""

    capture: CaptureSettings
    ffmpeg: Path
    bitrate: int
    gop: int | None
    codec: str
    encoder: str
    preset: str = ""

    def encoder_for(self, width: int, height: int, fps: float | None) -> EncoderSettings:
        """The encoder's settings for what the camera turned out to give."""
        rate = fps or self.capture.fps or DEFAULT_FPS
        gop = self.gop or max(1, round(rate))
        return EncoderSettings(width, height, rate, self.bitrate, gop, self.codec, self.encoder, self.preset)


@dataclass(slots=True, eq=False)
class _Verdict:
    """What came of a change. `safe`: neither camera nor encoder can refuse it."""

    safe: bool
    given: bool = False
    refusal: str | None = None


def _shielded(settings: PipelineSettings, shutter: PipelineSettings) -> PipelineSettings:
    """`settings` with the privacy shutter and the clock of others, which neither camera nor encoder can refuse."""
    look = replace(settings.capture.look, overlay=shutter.capture.look.overlay)
    return replace(settings, capture=replace(settings.capture, look=look, privacy=shutter.capture.privacy))


class Pipeline:
    """One camera's feed. `run` until cancelled; `first_frame` is set when it can be watched."""

    adapts = True
    """Whether its bitrate can be changed without a gap."""
    without: frozenset[str] = frozenset()
    """The controls that such a feed cannot have, and `refusal` is why."""
    refusal = ""

    def __init__(
        self,
        settings: PipelineSettings,
        stream: LiveStream,
        encoders: EncoderChoice,
        *,
        wait_camera: bool,
        on_event: EventSink,
        on_change: Callable[[], None],
    ) -> None:
        self.name = settings.capture.spec.name
        self.stream = stream
        self.first_frame = asyncio.Event()
        self.ended = asyncio.Event()
        """Set while what was to be played once is over."""
        self.others: Callable[[], Sequence[Pipeline]] = lambda: ()
        """The pipelines of the same publisher, this one among them or not."""
        self.start_failed = False
        """Whether its encoder gave nothing when it was to start."""
        self._waited = False
        """Whether the camera was waited for: what fails after that is no failing start."""
        self.opened: Opened | None = None
        self.settings = settings
        self.most_fps: float | None = None
        """What the camera gave when it was asked for more."""
        self.most_bitrate: int | None = None
        """What the viewers' links carry, bit/s; None while nothing limits it."""
        self._camera: tuple[int, int, float | None] | None = None
        """What the camera gives, or is expected to give once it is open: width, height, fps."""
        self._good = settings
        """The last settings that came about."""
        self._changing: list[_Verdict] = []
        self._private_from_us = 0
        self._on_event = on_event
        self._on_change = on_change
        self._wait_camera = wait_camera
        self._capture = Capture(settings.capture, self, retry_first=wait_camera)
        self._loop = asyncio.get_running_loop()
        self._encoders = encoders
        self._to_choose = asyncio.Event()
        self._no_encoder: str | None = None
        """Why there is no encoder for what is wanted."""
        self._encoding = Encoding(settings.ffmpeg, self._publish, self._encoder_restarted)
        self._encoding.fall_back = self._fall_back
        self._encoding.gives_up = lambda: not self._waited and self._gives_up()
        stream.want_keyframe = self._encoding.want_keyframe
        self._capture_news = asyncio.Event()
        self._failures: deque[float] = deque(maxlen=MANY_FAILURES)
        self._error: str | None = None
        self._described: Encoder | None = None
        self.frames_sent = 0
        self._bytes_sent = 0
        self._fps = Rate(STATS_S)
        self._bitrate = Rate(STATS_S)
        self._stages = {name: Window(STATS_S) for name in ("capture", "encode", "relay")}

    # ------------------------------------------------------------ capture thread's side

    def camera_opened(self, opened: Opened) -> None:
        """The camera gives pictures (capture thread)."""
        self._loop.call_soon_threadsafe(self._on_opened, opened)

    def camera_lost(self, reason: str) -> None:
        """The camera is gone (capture thread)."""
        self._loop.call_soon_threadsafe(self._on_lost, reason)

    def camera_note(self, text: str) -> None:
        """Something that people should know (capture thread)."""
        self._loop.call_soon_threadsafe(self._on_event, "warning", "clip_skipped", f"camera {self.name}: {text}")

    def camera_ended(self, text: str) -> None:
        """What was to be played once is over (capture thread)."""
        self._loop.call_soon_threadsafe(self._on_ended, text)

    def slate_shown(self, width: int, height: int) -> None:
        """There is no camera yet, and slates begin (capture thread)."""
        self._loop.call_soon_threadsafe(self._expect, width, height, None)

    def sink(self) -> FrameSink | None:
        """The encoder of the moment (capture thread)."""
        return self._encoding.current

    # ------------------------------------------------------------ event loop

    def _on_opened(self, opened: Opened) -> None:
        back = self.opened is not None and self._error is not None
        self.opened = opened
        self._error = None
        self.ended.clear()
        asked = self.settings.capture.fps
        if asked and opened.fps and opened.fps < asked * 0.98:
            self.most_fps = opened.fps
        code = "camera_back" if back else "camera_opened"
        self._on_event("info", code, f"camera {self.name}: {opened.description}")
        for name, value in self.settings.capture.controls:
            try:
                if value != "default":
                    checked(named(opened.controls, name), value)
            except Refused as refusal:  # of the configuration, or kept of another camera
                self._on_event("warning", "control_failed", f"camera {self.name}: {refusal}")
        self._expect(opened.width, opened.height, opened.fps)
        self._on_change()

    def _expect(self, width: int, height: int, fps: float | None) -> None:
        """The camera gives, or will give, such pictures: has an encoder for them ready."""
        self._camera = (width, height, fps)
        self._want()

    def _want(self) -> None:
        """Has an encoder made for what is wanted now; one that is not known yet is found out first."""
        wanted = self._encoders.known(self.encoder_wanted())
        self._no_encoder = None
        if wanted is None:
            self._to_choose.set()
        elif wanted != self._encoding.settings:
            self._encoding.want(wanted)

    def encoder_wanted(self) -> EncoderSettings:
        """The encoder's settings for what the camera gives, turned as asked; guessed before anything is known of it."""
        width, height, fps = self._camera or (*(self.settings.capture.size or SLATE_SIZE), None)
        asked = self.settings.encoder_for(*turned_size(width, height, self.settings.capture.look.orientation), fps)
        return replace(asked, bitrate=min(asked.bitrate, self.most_bitrate or asked.bitrate))

    def limit_bitrate(self, most: int | None) -> None:
        """Encodes with at most so many bit/s from now on, whatever is asked for; None: as asked."""
        self.most_bitrate = most
        if self._camera is not None:
            self._want()
        self._on_change()

    def _on_ended(self, text: str) -> None:
        self.ended.set()
        self._on_event("info", "camera_ended", f"camera {self.name}: {text}")
        self._on_change()

    def _on_lost(self, reason: str) -> None:
        if self._capture.on_trial and self._capture.refusal is not None:
            return  # it is opened as before, and who asked is told
        # A camera that fails at the start ends the command with these words: said once is enough.
        if reason != self._error and self._capture.error is None:
            self._on_event("error", "camera_lost", reason)
        self._error = reason
        self._waited = self._waited or self._wait_camera
        self._capture_news.set()
        self._on_change()

    async def _choose_encoders(self) -> None:
        """Finds out which encoder is used, once a class of size. Raises EncoderError when there is none at first.

        Later, or while another camera can be seen, it is tried again and again.
        """
        delays = backoff(first=0.5)
        ever = again = False
        while True:
            await self._to_choose.wait()
            wanted = self.encoder_wanted()
            try:
                await self._encoders.choose(wanted, self._on_event, again=again)
            except EncoderError as error:
                if not ever and self._gives_up():
                    raise
                if wanted != self.encoder_wanted():
                    continue
                if self._no_encoder != str(error):
                    self._on_event("error", "no_encoder", f"camera {self.name}: {error}; it is tried again")
                self._no_encoder = str(error)
                self._on_change()
                self._to_choose.clear()
                again = True
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._to_choose.wait(), next(delays))
                self._to_choose.set()
            else:
                ever, again, delays = True, False, backoff(first=0.5)
                if self._encoders.known(self.encoder_wanted()) is None:
                    continue  # another size came up meanwhile
                self._to_choose.clear()
                if self._camera is not None or self.settings.capture.spec.kind in _GUESSED:
                    self._want()

    def _gives_up(self) -> bool:
        """Whether an encoder that gives nothing at the start ends the command: when no camera runs, or could yet."""
        self.start_failed = True
        return all(other.start_failed and not other.first_frame.is_set() for other in (self, *self.others()))

    def _fall_back(self, failed: EncoderSettings, reason: str) -> bool:
        """Whether another encoder was taken because the one that was found by itself does not do at work."""
        if self.settings.encoder != "auto" or not self._encoders.has_another(failed):
            return False
        self._encoders.exclude(failed, reason)
        text = f"camera {self.name}: {failed.name} failed at work ({reason}): another is used from now on"
        self._on_event("warning", "encoder_fallback", text)
        self._want()
        return True

    def _encoder_restarted(self, reason: str) -> None:
        self._failures.append(time.monotonic())
        used = self._encoding.settings
        if used and len(self._failures) == MANY_FAILURES and self._failures[-1] - self._failures[0] < FAILURES_S:
            self._fall_back(used, reason)
        what = "another took over" if self._encoding.current else "another is tried"
        self._on_event("warning", "encoder_restarted", f"camera {self.name}: {reason}; {what}")
        self._on_change()

    async def run(self) -> None:
        """Captures, encodes and publishes until cancelled. Raises CameraError or EncoderError when the start fails."""
        # Which encoder it will be is found out, by a guess at the size, while the camera opens.
        self._to_choose.set()
        self._capture.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch_capture())
                tasks.create_task(self._choose_encoders())
                tasks.create_task(self._encoding.run())
        finally:
            self._capture.stop()
            # The thread may be in a write to FFmpeg; the encoder is closed by now, which ends that.
            await asyncio.shield(asyncio.to_thread(self._capture.join, 2.0))

    async def _watch_capture(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._capture_news.wait(), 1.0)
            self._capture_news.clear()
            if self._capture.error is not None:
                raise self._capture.error
            if not self._capture.alive:
                raise CameraError(f"the capture thread of camera {self.name} ended unexpectedly")

    # ------------------------------------------------------------ changes while it runs

    async def change(self, wanted: PipelineSettings, *, reopen: bool = False) -> None:
        """Feeds like this from now on (`reopen`: with the camera opened anew); returns when viewers have it.

        Raises Refused when camera or encoder cannot, and then it is as before; TimeoutError when it is still to come.
        Of changes that follow one another quickly all come about, or fail, with the last.
        """
        verdict = _Verdict(safe=not reopen and _shielded(self.settings, wanted) == wanted)
        self._changing.append(verdict)
        self._apply(wanted, reopen=reopen, trial=self._capture.connected or self._capture.on_trial)
        try:
            async with asyncio.timeout(CHANGE_S):
                while True:
                    self._judge()
                    if verdict.given:
                        break
                    await asyncio.sleep(_LOOK_S)
        finally:
            if not verdict.given:
                self._changing.remove(verdict)
        if verdict.refusal is not None:
            raise Refused(f"{verdict.refusal}; it stays as it was")

    def _apply(self, wanted: PipelineSettings, *, reopen: bool, trial: bool) -> None:
        before, self.settings = self.settings, wanted
        now, then = wanted.capture, before.capture
        width, height, fps = self._camera or (*SLATE_SIZE, None)
        if now.size != then.size:
            self.most_fps = None
            width, height = now.size or (width, height)
        if self._camera is not None:
            self._expect(width, height, fps if now.fps == then.fps else now.fps)
        # A camera that was closed for privacy and cannot be opened again is lost; that is no reason to stay private.
        self._capture.change(now, reopen=reopen, trial=trial and now.privacy == then.privacy)
        if now.privacy != then.privacy:
            # Who joins gets the current GOP: nothing from before may be in it.
            self._private_from_us = time.time_ns() // 1000
            self._encoding.renew()
        self._on_change()

    def _judge(self) -> None:
        """Whether what is wanted has come about, or cannot: then it is as before, but for a shutter that was closed."""
        known = self.opened is self._capture.opened
        refusals = (
            self._no_encoder,
            self._encoding.refusal,
            self._capture.refusal,
            self._capture.control_refusal,
        )
        refusal = next((refusal for refusal in refusals if refusal), None)
        if refusal is not None:
            before = _shielded(self._good, self.settings)
            self._apply(before, reopen=self._capture.refusal is not None, trial=False)
        elif (
            known
            and not self._to_choose.is_set()
            and self._encoding.settled
            and self._capture.settled
            and self._nothing_from_before()
        ):
            self._good = self.settings
        else:
            return
        for verdict in [verdict for verdict in self._changing if refusal is None or not verdict.safe]:
            self._changing.remove(verdict)
            verdict.given, verdict.refusal = True, refusal

    def _nothing_from_before(self) -> bool:
        """Whether who joins sees nothing that was captured before the privacy shutter was closed."""
        gop = self.stream.gop
        return self.settings.capture.privacy == "off" or not gop or gop[0].captured_us >= self._private_from_us

    async def renew_encoder(self) -> None:
        """Has another FFmpeg take over; returns when it has. Raises TimeoutError."""
        before = self._encoding.current
        self._encoding.renew()
        async with asyncio.timeout(CHANGE_S):
            while self._encoding.current in (before, None):
                await asyncio.sleep(_LOOK_S)

    async def picture(self) -> Picture:
        """The next picture as viewers get it. Raises TimeoutError when there is none."""
        found: asyncio.Future[Picture] = self._loop.create_future()

        def deliver(picture: Picture) -> None:
            if not found.done():
                found.set_result(picture)

        def hand_over(picture: Picture) -> None:  # capture thread
            self._loop.call_soon_threadsafe(deliver, picture)

        self._capture.outlet.ask(hand_over)
        return await asyncio.wait_for(found, PICTURE_S)

    def _publish(self, encoder: Encoder, frame: EncodedFrame) -> None:
        now_ns = time.monotonic_ns()
        now = now_ns / 1e9
        if encoder is not self._described:
            assert encoder.stream is not None
            self.stream.set_parameters(CODECS[encoder.settings.codec], encoder.parameters)
            self._described = encoder
        source = frame.source
        unit = self.stream.publish(
            frame.data, captured_us=source.frame.captured_us, captured_ns=source.frame.captured_ns, now=now
        )
        if unit is None:
            return
        self.frames_sent += 1
        self._bytes_sent += len(frame.data)
        self._fps.add(now)
        self._bitrate.add(now, len(frame.data) * 8)
        for name, nanoseconds in (
            ("capture", source.started_ns - source.frame.captured_ns),
            ("encode", frame.encoded_ns - source.started_ns),
            ("relay", time.monotonic_ns() - frame.encoded_ns),
        ):
            self._stages[name].add(now, nanoseconds / 1e6)
        if not self.first_frame.is_set():
            self.first_frame.set()
            self._on_change()

    # ------------------------------------------------------------ figures

    @property
    def camera_controls(self) -> Sequence[Control]:
        """What can be set on the camera itself, with its values."""
        return self._capture.controls

    @property
    def found(self) -> CameraSpec | None:
        """The camera that `auto` has taken, None while there is none."""
        return self._capture.found

    def values(self) -> FeedValues:
        """What its controls stand at."""
        encoder, capture = self.encoder_wanted(), self.settings.capture
        known = self._camera
        return FeedValues(
            bitrate_kbps=round(self.settings.bitrate / 1000),
            gop=encoder.gop,
            fps=encoder.fps if known or capture.fps else None,
            size=known[:2] if known else capture.size,
            orientation=capture.look.orientation,
            privacy=capture.privacy,
            overlay=capture.look.overlay,
        )

    def _state(self) -> str:
        if not self.first_frame.is_set():
            return "starting"
        if self._encoding.current is None:
            return "encoder_down"
        if self._capture.privacy != "off":
            return "private"
        if self.ended.is_set():
            return "stopped"
        if self._capture.reopening:
            return "starting"
        return "live" if self._capture.connected else "no_signal"

    def _kbps(self, now: float) -> float | None:
        rate = self._bitrate.per_second(now)
        return rate / 1000 if rate is not None else None

    def _drops(self) -> dict[str, int]:
        drops = {**self._capture.drops(), "encoder_failed": self._encoding.frames_lost}
        return {reason: count for reason, count in drops.items() if count}

    def status(self, now: float) -> CameraStatus:
        """What this pipeline knows of itself; host and viewers are added by the app. `now` is monotonic."""
        encoder = self._encoding.settings
        encode = self._stages["encode"]
        stages = [
            Stage(name, window.mean(now), window.percentile(now, 95), window.max(now), window.percentile(now, 50))
            for name, window in self._stages.items()
        ]
        status = CameraStatus(
            camera=self.name,
            time_us=time.time_ns() // 1000,
            is_connected=self._capture.connected,
            state=self._state(),
            fps=self._fps.per_second(now),
            frames_captured=self._capture.captured,
            frames_sent=self.frames_sent,
            frames_dropped=self._drops(),
            bitrate_asked_kbps=self.settings.bitrate / 1000,
            bitrate_limit_kbps=self.most_bitrate / 1000 if self.most_bitrate else None,
            bitrate_kbps=self._kbps(now),
            bytes_sent=self._bytes_sent,
            encode_ms_avg=encode.mean(now),
            encode_ms_max=encode.max(now),
            stages=stages,
            error_message=self._error,
            encoder_restarts=self._encoding.restarts.total,
            camera_restarts=self._capture.restarts.restarts,
            parts=[self._capture.restarts.part("camera", now), self._encoding.restarts.part("encoder", now)],
        )
        if encoder is None:
            return status
        return replace(
            status,
            width=encoder.width,
            height=encoder.height,
            codec=encoder.codec,
            encoder=encoder.name,
            fps_asked=encoder.fps,
            gop=encoder.gop,
        )
