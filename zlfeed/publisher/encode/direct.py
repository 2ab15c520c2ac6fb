"""Encoded frames that go to the relay as they come; and a CSI camera whose own H.264 does (`--encoder rpicam`).

The latter is for a Pi that cannot encode otherwise: the Raspberry Pi 0 to 4 have such an encoder, the 5 has none.
Nothing is drawn on such frames, so there is no timecode strip and latency is unknown, but for the relay's part; there
is no slate, no privacy shutter, no turning.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zlfeed import logs
from zlfeed.errors import CameraError, UsageError
from zlfeed.exits import exit_words
from zlfeed.model import CameraStatus, Control
from zlfeed.pdeath import with_parent
from zlfeed.publisher.camera import DEFAULT_FPS, CameraSpec, Opened, rpicam
from zlfeed.publisher.camera.csi import DEFAULT_SIZE
from zlfeed.publisher.camera.csi_ways import PICAMERA2, find_program
from zlfeed.publisher.controls.definitions import Refused
from zlfeed.publisher.encode.encoders import RPICAM
from zlfeed.publisher.picture.outlet import Picture
from zlfeed.publisher.pipeline import Pipeline, PipelineSettings
from zlfeed.retry import backoff
from zlfeed.rtsp.codecs import CODECS, Codec

if TYPE_CHECKING:
    from zlfeed.config import Settings

log = logs.get(__name__)

_SILENCE_S = 5.0
_QUIET_S = 0.005
"""Where a frame's size is not told, it has ended when nothing more comes for this long."""
_STOP_S = 0.5
_READ_BYTES = 1 << 18
_SLICES = range(1, 6)


def check(settings: Settings, specs: Sequence[CameraSpec]) -> None:
    """Raises UsageError when the camera's own encoder is asked for what it cannot do."""
    if settings.encoder != RPICAM:
        return
    if settings.codec != "h264":
        raise UsageError(f"--encoder {RPICAM} is the camera's own H.264: leave --codec {settings.codec} away")
    if other := next((spec for spec in specs if spec.kind != "csi"), None):
        raise UsageError(f"--encoder {RPICAM} is for CSI cameras, and {other.text} is none: say --camera csi")
    if any(spec.backend == PICAMERA2 for spec in specs):
        raise UsageError(f"--encoder {RPICAM} is rpicam-vid's H.264, which picamera2 has not: say --camera csi")


class Frames:
    """Cuts the program's output into encoded frames by the sizes that it tells; nothing is held back. Pure."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._sizes: deque[int] = deque()
        self._headers = b""
        self.told = False
        """Whether sizes are told."""

    def size(self, size: int) -> None:
        """The next buffer has that many bytes."""
        self.told = True
        self._sizes.append(size)

    def feed(self, data: bytes) -> None:
        """Takes in what was written."""
        self._data += data

    def whole(self) -> Iterator[bytes]:
        """The frames that are complete, parameter sets before the keyframe they belong to."""
        while self._sizes and len(self._data) >= self._sizes[0]:
            yield from self._frame(self._sizes.popleft())

    def rest(self) -> Iterator[bytes]:
        """What is there as one frame."""
        yield from self._frame(len(self._data))

    def _frame(self, size: int) -> Iterator[bytes]:
        frame = self._headers + bytes(self._data[:size])
        del self._data[:size]
        shows = any(unit[0] & 0x1F in _SLICES for unit in CODECS["h264"].split(frame) if unit)
        self._headers = b"" if shows else frame
        if shows:
            yield frame


class DirectPipeline(Pipeline):
    """The feed of a source that encodes by itself: `feed` gives its frames to `send`."""

    adapts = False  # a camera's own encoder would have to be started anew for each step, with a gap
    unknown = ""
    """Why latency is unknown."""
    encoder_name = RPICAM
    without = frozenset({"orientation", "overlay", "privacy", "snapshot"})
    refusal = "with --encoder rpicam nothing is drawn on the picture: end publish for privacy"
    source_codec: Codec = CODECS["h264"]
    _controls: tuple[Control, ...] = ()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._connected = False
        self._lost = 0
        self._again = asyncio.Event()

    async def run(self) -> None:
        """Publishes what the source gives, until cancelled. Raises CameraError when the start fails."""
        delays = backoff()
        text = f"{self.unknown}: latency is unknown, but for the relay's"
        self._on_event("info", "latency_unknown", f"camera {self.name}: {text}")
        while True:
            began = time.monotonic()
            self._again.clear()
            reason = await self.feed()
            was, self._connected = self._connected, False
            if self._again.is_set():
                continue
            if not self.first_frame.is_set() and not self._wait_camera:
                raise CameraError(reason)
            self._lost += was
            if was or reason != self._error:
                self._on_event("error", "camera_lost", reason)
            self._error = reason
            self._on_change()
            if time.monotonic() - began > _SILENCE_S:
                delays = backoff()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._again.wait(), next(delays))

    @abstractmethod
    async def feed(self) -> str:
        """Has the source give frames once; why that ended."""

    def begin(self, parameter_sets: bytes, opened: Opened | None, description: str) -> None:
        """The source gives pictures now."""
        self.stream.set_parameters(self.source_codec, parameter_sets)
        self._connected, back = True, self._error is not None
        self._error = None
        self.opened = opened
        if opened:
            self._camera = (opened.width, opened.height, opened.fps)
        code = "camera_back" if back else "camera_opened"
        self._on_event("info", code, f"camera {self.name}: {description}")
        self._on_change()

    def send(self, frame: bytes) -> None:
        """Publishes an encoded frame that has just come."""
        now_ns = time.monotonic_ns()
        unit = self.stream.publish(frame, captured_us=time.time_ns() // 1000, captured_ns=now_ns, now=now_ns / 1e9)
        if unit is None:
            return
        self.frames_sent += 1
        self._bytes_sent += len(frame)
        self._fps.add(now_ns / 1e9)
        self._bitrate.add(now_ns / 1e9, len(frame) * 8)
        self._stages["relay"].add(now_ns / 1e9, (time.monotonic_ns() - now_ns) / 1e6)
        if not self.first_frame.is_set():
            self.first_frame.set()
            self._on_change()

    # ------------------------------------------------------------ what can be changed

    @property
    def camera_controls(self) -> Sequence[Control]:
        """What can be set on the camera itself, with its values."""
        return self._controls

    async def change(self, wanted: PipelineSettings, *, reopen: bool = False) -> None:
        """Has the source begin anew with other options. Raises Refused for what must be drawn, TimeoutError."""
        now, then = wanted.capture, self.settings.capture
        if (now.look, now.privacy) != (then.look, then.privacy):
            raise Refused(self.refusal)
        self.settings = wanted
        self._connected = False
        self._again.set()
        async with asyncio.timeout(15):
            while not self._connected:
                await asyncio.sleep(0.02)

    async def renew_encoder(self) -> None:
        """Has the source begin anew."""
        await self.change(self.settings)

    async def picture(self) -> Picture:
        """Raises TimeoutError: there are no pictures here, only encoded frames."""
        raise TimeoutError

    def status(self, now: float) -> CameraStatus:
        """What this pipeline knows of itself."""
        encoder = self.encoder_wanted()
        status = super().status(now)
        state = "starting" if not self.first_frame.is_set() else "live" if self._connected else "no_signal"
        return replace(
            status,
            is_connected=self._connected,
            state=state,
            frames_captured=self.frames_sent,
            encode_ms_avg=None,
            encode_ms_max=None,
            stages=[stage for stage in status.stages if stage.name == "relay"],
            camera_restarts=self._lost,
            parts=[],
            width=encoder.width,
            height=encoder.height,
            codec=self.source_codec.name,
            encoder=self.encoder_name,
            fps_asked=encoder.fps,
            gop=encoder.gop,
        )


class RpicamPipeline(DirectPipeline):
    """The feed of a CSI camera that encodes."""

    unknown = "the camera's own encoder leaves no room for the timecode strip"

    async def feed(self) -> str:
        """Runs the program once; why it ended."""
        program = find_program()
        if program is None:
            return "CSI cameras are read by rpicam-vid, which is not installed: sudo apt install rpicam-apps-lite"
        capture, number = self.settings.capture, int(self.settings.capture.spec.target)
        size, fps = capture.size or DEFAULT_SIZE, capture.fps or DEFAULT_FPS
        encoder = self.settings.encoder_for(*size, fps)
        words = rpicam.h264_argv(program, number, size, fps, encoder.bitrate, encoder.gop, dict(capture.controls))
        process = await asyncio.create_subprocess_exec(
            *with_parent(words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=_READ_BYTES,
        )
        talk, frames = rpicam.Talk(), Frames()
        hearing = asyncio.create_task(self._hear(process, talk, frames))
        silent = False
        try:
            silent = await self._until_end(process, talk, frames)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGINT)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), _STOP_S)
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await process.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(hearing, _STOP_S)
            hearing.cancel()
        if silent:
            return f"the camera csi:{number} gave no picture for {_SILENCE_S:g} s"
        return rpicam.why_not(talk, number, "", f"{os.path.basename(program)} {exit_words(process.returncode or 0)}")

    async def _hear(self, process: asyncio.subprocess.Process, talk: rpicam.Talk, frames: Frames) -> None:
        assert process.stderr
        while line := await process.stderr.readline():
            text = line.decode("utf-8", "replace").rstrip("\n")
            if (size := rpicam.buffer_size(text)) is not None:
                frames.size(size)
                self._deliver(frames.whole(), talk)
            else:
                talk.hear(text)

    async def _until_end(self, process: asyncio.subprocess.Process, talk: rpicam.Talk, frames: Frames) -> bool:
        """Publishes until the output ends, or a restart is wanted; True when it fell silent."""
        assert process.stdout
        last = time.monotonic()
        unfinished = False
        while not self._again.is_set() and not talk.timed_out:
            try:
                patience = _QUIET_S if unfinished and not frames.told else 0.25
                data = await asyncio.wait_for(process.stdout.read(_READ_BYTES), patience)
            except TimeoutError:
                if unfinished and not frames.told:
                    self._deliver(frames.rest(), talk)
                    unfinished = False
                if time.monotonic() - last > _SILENCE_S * (1 if self._connected else 3):
                    return True
                continue
            if not data:
                return False
            last, unfinished = time.monotonic(), True
            frames.feed(data)
            self._deliver(frames.whole(), talk)
        return False

    def _deliver(self, frames: Iterator[bytes], talk: rpicam.Talk) -> None:
        codec = CODECS["h264"]
        for frame in frames:
            if not self._connected:
                if not any(codec.is_parameter_set(unit) for unit in codec.split(frame)):
                    continue
                self._begin(talk, frame)
            self.send(frame)

    def _begin(self, talk: rpicam.Talk, frame: bytes) -> None:
        """The program gives pictures now."""
        capture = self.settings.capture
        width, height = talk.size or capture.size or DEFAULT_SIZE
        fps, how = rpicam.rate_given(capture.fps or DEFAULT_FPS, talk.ranges.get("FrameDurationLimits", (None,))[0])
        name = f"{talk.sensor} (csi:{capture.spec.target})" if talk.sensor else capture.spec.text
        self._controls = tuple(rpicam.controls_of(talk.ranges, dict(capture.controls)))
        description = f"{name} {width}x{height} {how}, its own H.264"
        self.begin(frame, Opened(width, height, fps, description), description)
