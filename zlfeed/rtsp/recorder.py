"""One connection that records a live stream at a server: the edge of client.py."""

from __future__ import annotations

import time
from collections.abc import Callable

from zlfeed.rtsp.client import Action, Recording, RecordingClient, Rtcp
from zlfeed.rtsp.client_connection import ClientConnection
from zlfeed.rtsp.session import Session
from zlfeed.rtsp.stream import LiveStream
from zlfeed.rtsp.tcp_reader import Framer, TcpReader
from zlfeed.rtsp.transport import TcpTransport

ANSWER_S = 5.0
"""MediaMTX lets a wrong password wait for 2 s."""
KEEP_ALIVE_S = 10.0
"""Asked at least this often: a server that hangs is found out by the answer that does not come."""
REPORT_S = 2.0


class _Reader(TcpReader):
    """The server as a reader of the stream. It keeps no GOP: it begins with a fresh keyframe, without the burst."""

    transport_name = "push"

    def play(self) -> None:
        self.delivery.round_trip_s = self._minimum_round_trip()
        self.session.stream.readers.add(self)
        self.session.stream.want_keyframe()


class Recorder(ClientConnection):
    """Carries out what its RecordingClient decides, until `lost` has a result. `on_recording`: frames go out now."""

    def __init__(
        self,
        core: RecordingClient,
        stream: LiveStream,
        peer: str,
        *,
        framer: Framer,
        on_recording: Callable[[], None],
    ) -> None:
        super().__init__(core)
        self._core = core
        self._stream = stream
        self._peer = peer
        self._framer = framer
        self._on_recording = on_recording
        self._reader: _Reader | None = None
        self._keep_alive_s = KEEP_ALIVE_S
        self._next_keep_alive = 0.0
        self._next_report = 0.0

    @property
    def frames_dropped(self) -> int:
        """Frames that the server was not given because the link is too slow."""
        return self._reader.delivery.frames_dropped if self._reader else 0

    def data_received(self, data: bytes) -> None:
        self._do(self._core.receive(data))

    def _act(self, action: Action) -> None:
        match action:
            case Recording(channel, timeout_s):
                self._start(channel, timeout_s)
            case Rtcp(packet) if self._reader:
                self._reader.take_rtcp(packet)

    def _start(self, channel: int, timeout_s: int) -> None:
        now = time.monotonic()
        self._keep_alive_s = min(KEEP_ALIVE_S, timeout_s / 2)
        self._next_keep_alive = now + self._keep_alive_s
        self._next_report = now + REPORT_S
        session = Session(self._stream, TcpTransport(channel))
        self._reader = _Reader(session, self._peer, lambda: "", self._transport, self._framer)
        self._reader.play()
        self._on_recording()

    def tick(self, now: float) -> None:
        """Looks after time-outs, keep-alives and sender reports; to be called a few times a second."""
        if self._core.waiting and now - self._asked_at > ANSWER_S:
            self._fail(f"it does not answer within {ANSWER_S:g} s")
        reader = self._reader
        if reader is None or self.lost.done():
            return
        if reason := reader.end_reason(now):
            self._fail(f"it {reason}")
        if now >= self._next_keep_alive:
            self._next_keep_alive = now + self._keep_alive_s
            self._do(self._core.keep_alive())
        if now >= self._next_report:
            self._next_report = now + REPORT_S
            reader.report()
            reader.log_drops()

    async def leave(self) -> None:
        if self._reader:
            self._reader.close()
        await super().leave()
