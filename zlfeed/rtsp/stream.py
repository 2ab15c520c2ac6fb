"""One camera's live stream: what DESCRIBE says of it, its current GOP, its readers; no I/O."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from zlfeed import logs
from zlfeed.rtsp import sdp
from zlfeed.rtsp.codecs import Codec
from zlfeed.rtsp.rtp import AccessUnit, RtpStream, burst, burst_begin

log = logs.get(__name__)

BURST_MAX_BYTES = 256 << 10
BURST_MAX_S = 2.0


class FrameReader(Protocol):
    """Someone who plays the stream."""

    def deliver(self, unit: AccessUnit, now: float) -> None:
        """Takes or drops one access unit; must not block and must not raise."""


class LiveStream:
    """Turns encoded frames into access units and hands them to the readers.

    SSRC, sequence and timestamps go on when the encoder restarts; parameter sets stand before each keyframe.
    """

    def __init__(self, name: str, *, closed_frames: bool = True) -> None:
        self.name = name
        self.session_id = secrets.randbits(31)
        self.rtp = RtpStream(
            ssrc=secrets.randbits(32),
            sequence=secrets.randbits(16),
            timestamp_base=secrets.randbits(32),
            closed_frames=closed_frames,
        )
        self.readers: set[FrameReader] = set()
        self.want_keyframe: Callable[[], None] = lambda: None
        """Asks the encoder for a keyframe out of turn; set by who owns the encoder."""
        self.codec: Codec | None = None
        self._parameter_sets: list[bytes] = []
        self.gop: list[AccessUnit] = []
        """The current GOP, its keyframe first."""
        self._gop_bytes = 0
        self._keyframe_at: float | None = None
        self._keyframes_apart: deque[float] = deque(maxlen=2)

    @property
    def ready(self) -> bool:
        """Whether it can be described and played: a keyframe has been published."""
        return bool(self.gop)

    def set_parameters(self, codec: Codec, extradata: bytes) -> None:
        """A new encoder's codec and parameter sets; what came before no longer helps to decode."""
        self.codec = codec
        self._parameter_sets = [unit for unit in codec.split(extradata) if codec.is_parameter_set(unit)]
        self.gop = []
        self._gop_bytes = 0
        self._keyframe_at = None  # the time without an encoder is none between keyframes

    def publish(self, data: bytes, *, captured_us: int, captured_ns: int, now: float) -> AccessUnit | None:
        """Sends one encoded frame as the container has them to all readers. None when it held nothing to show."""
        if self.codec is None:
            raise RuntimeError("set_parameters first")
        codec = self.codec
        units = [unit for unit in codec.split(data) if not codec.is_dispensable(unit)]
        keyframe = any(codec.is_keyframe(unit) for unit in units)
        if own := [unit for unit in units if codec.is_parameter_set(unit)]:
            self._parameter_sets = own
        elif keyframe:
            units = self._parameter_sets + units
        if not units:
            return None
        unit = self.rtp.packetize(units, codec, keyframe=keyframe, captured_us=captured_us, captured_ns=captured_ns)
        self._remember(unit)
        if keyframe:
            if self._keyframe_at is not None:
                self._keyframes_apart.append(now - self._keyframe_at)
            self._keyframe_at = now
        for reader in tuple(self.readers):
            try:
                reader.deliver(unit, now)
            except Exception:
                # It must not raise; should it all the same, it costs itself the stream and nobody else a frame.
                log.exception("reader_failed", stream=self.name)
                self.readers.discard(reader)
        return unit

    def _remember(self, unit: AccessUnit) -> None:
        if unit.keyframe:
            self.gop = []
            self._gop_bytes = 0
        elif not self.gop:
            return
        self.gop.append(unit)
        self._gop_bytes += unit.size
        # What is too long to be sent need not be kept; the keyframe stays, so that `ready` holds.
        if self._gop_bytes > BURST_MAX_BYTES or self._gop_seconds() > BURST_MAX_S:
            del self.gop[1:]
            self._gop_bytes = BURST_MAX_BYTES + 1

    def _gop_seconds(self) -> float:
        return (self.gop[-1].captured_ns - self.gop[0].captured_ns) / 1e9

    def next_keyframe_s(self, now: float) -> float | None:
        """How long until the next keyframe, if it comes as the last ones did; None when only one was seen so far.

        Of the last two times between keyframes the longer counts: one that was asked for out of turn says nothing.
        """
        if self._keyframe_at is None or not self._keyframes_apart:
            return None
        return max(0.0, self._keyframe_at + max(self._keyframes_apart) - now)

    def burst(self) -> list[AccessUnit]:
        """The current GOP, drawn together, for a reader that joins now.

        Empty when it is too long to catch up with; then a fresh keyframe is asked for.
        """
        if self._gop_bytes > BURST_MAX_BYTES:
            self.want_keyframe()
            return []
        return burst(self.gop)

    def begins_at(self) -> tuple[int, int] | None:
        """Sequence number and timestamp of the first packet of `burst`; None while that would be empty."""
        if not self.gop or self._gop_bytes > BURST_MAX_BYTES:
            return None
        return int.from_bytes(self.gop[0].packets[0][2:4], "big"), burst_begin(self.gop)

    def describe(self, host: str) -> str:
        """The SDP for a client that reached us at `host`."""
        if self.codec is None:
            raise RuntimeError("set_parameters first")
        return sdp.describe(self.name, self.codec, self.parameter_sets, session_id=self.session_id, host=host)

    @property
    def parameter_sets(self) -> Sequence[bytes]:
        """SPS and PPS (VPS too for H.265) as they are sent before each keyframe."""
        return self._parameter_sets
