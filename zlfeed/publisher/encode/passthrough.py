"""Another RTSP server's encoded frames, on to our relay as they come (`--passthrough`).

Nothing is decoded: no strip, no slate, no privacy shutter, and size, rate and bitrate are the source's. While it is
away viewers keep their session and see their last picture; frames go on with its next keyframe.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zlfeed import __version__, logs, tls
from zlfeed.dial import Dialler
from zlfeed.errors import UsageError
from zlfeed.model import CameraStatus
from zlfeed.publisher import target
from zlfeed.publisher.camera import CameraSpec
from zlfeed.publisher.controls.definitions import Refused
from zlfeed.publisher.encode.direct import DirectPipeline
from zlfeed.publisher.pipeline import PipelineSettings
from zlfeed.rtsp.client import Action, Playing, Rtp
from zlfeed.rtsp.client_connection import ClientConnection
from zlfeed.rtsp.codecs import Codec
from zlfeed.rtsp.depacketizer import Depacketizer
from zlfeed.rtsp.player import PlayingClient
from zlfeed.rtsp.sps import picture_size
from zlfeed.tls import Trust

if TYPE_CHECKING:
    from zlfeed.config import Settings

log = logs.get(__name__)

CONNECT_S, ANSWER_S, SILENCE_S = 5.0, 5.0, 5.0
KEEP_ALIVE_S = 20.0
"""Asked at least this often, more often where the server forgets us sooner."""
_TICK_S = 0.25


def check(settings: Settings, specs: Sequence[CameraSpec]) -> None:
    """Raises UsageError when frames cannot be passed on, or not as is asked for."""
    if not settings.passthrough:
        return
    for spec in specs:
        if spec.kind != "rtsp":
            raise UsageError(
                f"--passthrough is for cameras with an rtsp:// URL, whose frames are encoded already: leave it away "
                f"for {spec.text}"
            )
        try:
            target.parse(spec.target, tls=True)
        except ValueError as error:
            raise UsageError(f"--camera {spec.text}: {error}") from None
    given = {
        "--size": settings.size,
        "--fps": settings.fps,
        "--gop": settings.gop,
        "--min-bitrate": settings.min_bitrate,
        "--preset": settings.preset,
        "--encoder": settings.encoder != "auto",
        "--codec": settings.codec != "h264",
        "--bitrate": "bitrate" in settings.model_fields_set,
    }
    if name := next((name for name, value in given.items() if value), None):
        raise UsageError(f"--passthrough encodes nothing, the source does: leave {name} away, and set it there")


class ParameterSets:
    """What a source says of its coding, in its description or in the stream. Pure."""

    def __init__(self, codec: Codec, units: Iterable[bytes]) -> None:
        self._codec = codec
        self._known: dict[int, list[bytes]] = {}
        self._learn(units)

    def _learn(self, units: Iterable[bytes]) -> None:
        new: dict[int, list[bytes]] = {}
        for unit in units:
            if self._codec.is_parameter_set(unit):
                new.setdefault(unit[0] & (0x1F if self._codec.name == "h264" else 0x7E), []).append(unit)
        self._known.update(new)

    def _shows(self, unit: bytes) -> bool:
        """Whether it holds a slice (ITU-T H.264 and H.265, table 7-1)."""
        return 1 <= unit[0] & 0x1F <= 5 if self._codec.name == "h264" else unit[0] >> 1 & 0x3F < 32

    @property
    def stream(self) -> bytes:
        """All of them, as a byte stream (Annex B)."""
        return _stream(unit for units in self._known.values() for unit in units)

    def completed(self, units: Sequence[bytes]) -> tuple[bytes, bool]:
        """An access unit as a byte stream, and whether it is a keyframe; that has all parameter sets before it.

        Empty when there is no picture in it: what it says of the coding goes before the next keyframe.
        """
        own = [unit for unit in units if self._codec.is_parameter_set(unit)]
        self._learn(own)
        if not any(self._shows(unit) for unit in units):
            return b"", False
        keyframe = any(self._codec.is_keyframe(unit) for unit in units)
        rest = _stream(unit for unit in units if not self._codec.is_parameter_set(unit))
        return (self.stream + rest if own or keyframe else rest), keyframe


def _stream(units: Iterable[bytes]) -> bytes:
    return b"".join(b"\0\0\0\1" + unit for unit in units)


class PassthroughPipeline(DirectPipeline):
    """The feed of such a source."""

    unknown = "the source's frames are passed on as they are, without a timecode strip of ours"
    encoder_name = "passthrough"
    without = DirectPipeline.without | {"bitrate", "gop", "fps", "size", "restart_encoder"}
    refusal = "with --passthrough the picture is the source's, and nothing is encoded here: set it there"
    trust = Trust()
    """Whose certificate is taken, of an rtsps:// source."""
    _size: tuple[int, int] | None = None
    _broken = 0
    _source: _Source | None = None

    async def feed(self) -> str:
        """One connection to the source from beginning to end; why it ended."""
        there = target.parse(self.settings.capture.spec.target, tls=True)
        dialler = Dialler(there.host, there.port)
        try:
            async with asyncio.timeout(CONNECT_S):
                sock = await dialler.connect()
        except TimeoutError:
            return self._words(f"{there.address} does not answer within {CONNECT_S:g} s")
        except OSError as error:
            return self._words(dialler.words(error))
        core = PlayingClient(there.url, there.login, f"zlfeed/{__version__}")
        try:
            self._source = source = _Source(core, self)
            encrypted: dict[str, Any] = {}
            if there.secure:
                context = self.trust.context(there.host)
                encrypted = {"ssl": context, "server_hostname": there.host, "ssl_handshake_timeout": tls.HANDSHAKE_S}
            transport, _ = await asyncio.get_running_loop().create_connection(lambda: source, sock=sock, **encrypted)
        except OSError as error:
            sock.close()
            return self._words(tls.words(error, there.address, self.trust.option))
        except BaseException:
            sock.close()
            raise
        try:
            if there.secure:
                self.trust.check(there.address, transport.get_extra_info("ssl_object"))
        except tls.Untrusted as error:
            transport.abort()
            return self._words(str(error))
        try:
            while not source.lost.done() and not self._again.is_set():
                source.tick(time.monotonic())
                await asyncio.wait((source.lost,), timeout=_TICK_S)
            return self._words(source.lost.result().reason if source.lost.done() else "it was asked to begin anew")
        finally:
            self._source = None
            self._broken += source.broken
            await asyncio.shield(source.leave())

    def _words(self, reason: str) -> str:
        return f"the stream {self.settings.capture.spec.text} cannot be passed on: {reason}"

    def playing(self, core: PlayingClient, sets: ParameterSets) -> None:
        """The first keyframe is here."""
        assert core.stream is not None
        self.source_codec = core.stream.codec
        if core.basic:
            log.warning(
                "source_password_readable", camera=self.name,
                meaning="that server knows only Basic: the password crosses the net readably",
            )  # fmt: skip
        self._size = picture_size(self.source_codec.name, self.source_codec.split(sets.stream))
        size = f" in {self._size[0]}x{self._size[1]}" if self._size else ""
        text = f"{self.settings.capture.spec.text}, its own {self.source_codec.encoding}{size}, passed on as it is"
        self.begin(sets.stream, None, text)

    # ------------------------------------------------------------ what can be changed

    async def change(self, wanted: PipelineSettings, *, reopen: bool = False) -> None:
        """Connects anew. Raises Refused for any other value: all of them are the source's; TimeoutError."""
        if wanted != self.settings:
            raise Refused(self.refusal)
        await super().change(wanted, reopen=reopen)

    def status(self, now: float) -> CameraStatus:
        """What this pipeline knows of itself: the rate and bitrate that were asked for are the source's own affair."""
        status = super().status(now)
        broken = self._broken + (self._source.broken if self._source else 0)
        drops = {**status.frames_dropped, "source_incomplete": broken} if broken else status.frames_dropped
        width, height = self._size or (None, None)
        return replace(
            status, width=width, height=height, fps_asked=None, gop=None, bitrate_asked_kbps=None, frames_dropped=drops
        )


class _Source(ClientConnection):
    """Carries out what its PlayingClient decides, until `lost` has a result."""

    def __init__(self, core: PlayingClient, pipeline: PassthroughPipeline) -> None:
        super().__init__(core)
        self._core = core
        self._pipeline = pipeline
        self._depacketizer: Depacketizer | None = None
        self._sets: ParameterSets
        self._shown = False
        self._heard_at = time.monotonic()
        self._keep_alive_s = KEEP_ALIVE_S
        self._next_keep_alive: float | None = None

    @property
    def broken(self) -> int:
        """Access units from which packets were missing."""
        return self._depacketizer.broken if self._depacketizer else 0

    def data_received(self, data: bytes) -> None:
        if not self.lost.done():
            self._do(self._core.receive(data))

    def _act(self, action: Action) -> None:
        match action:
            case Rtp(packet):
                self._take(packet)
            case Playing(timeout_s):
                self._heard_at = time.monotonic()
                self._keep_alive_s = min(KEEP_ALIVE_S, timeout_s / 2)
                self._next_keep_alive = self._heard_at + self._keep_alive_s

    def _take(self, packet: bytes) -> None:
        stream = self._core.stream
        assert stream is not None
        if self._depacketizer is None:
            self._depacketizer = Depacketizer(stream.codec, stream.payload_type)
            self._sets = ParameterSets(stream.codec, stream.parameter_sets)
        for units in self._depacketizer.feed(packet):
            self._heard_at = time.monotonic()
            frame, keyframe = self._sets.completed(units)
            if not frame:
                continue
            if not self._shown:
                # What comes before the first keyframe refers to pictures that nobody has.
                if not keyframe:
                    continue
                self._shown = True
                self._pipeline.playing(self._core, self._sets)
            self._pipeline.send(frame)

    def tick(self, now: float) -> None:
        """Looks after time-outs and keep-alives; to be called a few times a second."""
        if self._core.waiting and now - self._asked_at > ANSWER_S:
            self._fail(f"it does not answer within {ANSWER_S:g} s")
        if self._next_keep_alive is None:
            return
        if now - self._heard_at > SILENCE_S:
            self._fail(f"it gave no frame for {SILENCE_S:g} s")
        if now >= self._next_keep_alive:
            self._next_keep_alive = now + self._keep_alive_s
            self._do(self._core.keep_alive())
