"""The FFmpeg child that encodes: raw frames in by a pipe from the capture thread, encoded frames out on the loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zlfeed import logs
from zlfeed.errors import EncoderError
from zlfeed.exits import exit_words
from zlfeed.pdeath import with_parent
from zlfeed.publisher.camera import FrameInfo
from zlfeed.publisher.encode.ffmpeg import EncoderSettings, encode_argv
from zlfeed.publisher.encode.nut import NutDemuxer, NutError, Packet, StreamInfo
from zlfeed.publisher.logpipe import LogPipe

log = logs.get(__name__)

_PIPE_BYTES = 1 << 20
_READ_BYTES = 1 << 18
_FOURCC = {"h264": b"H264", "h265": b"HEVC", "av1": b"AV01"}
START_S = 10.0
"""How long an encoder may take to its first frame: on a small or busy machine FFmpeg needs seconds to load."""
_STALL_S = 1.5
"""One that has given frames, has more, and gives none for this long is of no more use."""
_MAX_PENDING = 120
"""Frames inside the encoder before it counts as stalled and gets no more."""
_STOP_STEPS = ((signal.SIGINT, 0.5), (signal.SIGTERM, 0.5), (signal.SIGKILL, 2.0))


@dataclass(frozen=True, slots=True)
class Submitted:
    """A raw frame on its way through the encoder; `started_ns` is when writing it began."""

    frame: FrameInfo
    started_ns: int


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One encoded frame with the raw frame it was made from."""

    data: bytes
    keyframe: bool
    source: Submitted
    encoded_ns: int


class Encoder:
    """One FFmpeg process. Made and stopped on the event loop; `write` is called by the capture thread.

    The container's timestamp tells which raw frame an encoded one was, never a count of what came out.
    """

    def __init__(
        self,
        ffmpeg: Path,
        settings: EncoderSettings,
        on_frame: Callable[[Encoder, EncodedFrame], None],
        *,
        warm: bool = False,
    ) -> None:
        """Starts nothing yet. Raises EncoderError when no descriptors are left."""
        self.settings = settings
        self.stream: StreamInfo | None = None
        self.parameters = b""
        """Where its parameter sets are, in the codec's byte stream: in its header, or in a frame that nobody sees."""
        self.other_codec = False
        """Whether what comes is not what was asked for."""
        self.last_output = time.monotonic()
        self._ffmpeg = settings.program or ffmpeg
        self._on_frame = on_frame
        self._warm = warm
        self._rate = settings.rate
        self._warmed = asyncio.Event()
        self._demuxer = NutDemuxer()
        self._pending: dict[int, Submitted] = {}
        self._index = 0
        self._write_fd = -1
        self._read_fd = -1
        self._lock = threading.Lock()  # the write end is closed by the loop while the capture thread may write
        self._closed = threading.Event()
        self._ended = asyncio.Event()
        self._error: str | None = None
        self._process: asyncio.subprocess.Process | None = None
        try:
            self._log_pipe = LogPipe("ffmpeg")
        except OSError as error:
            raise EncoderError(f"{ffmpeg} cannot be run: {os.strerror(error.errno or 0)}") from None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the frames it takes, in pixels."""
        return self.settings.width, self.settings.height

    @property
    def pid(self) -> int:
        """FFmpeg's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def pending(self) -> int:
        """Frames written and not yet encoded."""
        return len(self._pending)

    def stalled(self, now: float) -> str | None:
        """Why it must be replaced although it lives: frames wait in it for too long. `now` is monotonic."""
        waiting = tuple(self._pending.values())
        if not waiting:
            return None
        limit = START_S if self.stream is None else _STALL_S
        since = max(self.last_output, min(submitted.started_ns for submitted in waiting) / 1e9)
        return f"FFmpeg gave no frame for {limit:g} s with {len(waiting)} waiting" if now - since > limit else None

    async def start(self) -> None:
        """Starts FFmpeg. Raises EncoderError."""
        theirs: list[int] = []
        try:
            child_in, self._write_fd = os.pipe()
            theirs.append(child_in)
            self._read_fd, child_out = os.pipe()
            theirs.append(child_out)
            for fd in (self._write_fd, child_out):
                _enlarge(fd)
            os.set_blocking(self._write_fd, False)
            os.set_blocking(self._read_fd, False)
            self._process = await asyncio.create_subprocess_exec(
                *with_parent(encode_argv(self._ffmpeg, self.settings, warm=self._warm)),
                stdin=child_in,
                stdout=child_out,
                stderr=self._log_pipe.write_fd,
                # Ctrl-C at the terminal is for us; we stop our children in order.
                start_new_session=True,
            )
        except OSError as error:
            self._close_fds()
            raise EncoderError(f"{self._ffmpeg} cannot be run: {os.strerror(error.errno or 0)}") from None
        finally:
            for fd in theirs:
                os.close(fd)
            self._log_pipe.started()
        asyncio.get_running_loop().add_reader(self._read_fd, self._readable)

    async def warm_up(self, timeout_s: float) -> bool:
        """Has a black frame encoded that nobody sees; whether the encoder then stands ready."""
        luma = self.settings.width * self.settings.height
        black = b"\x10" * luma + b"\x80" * (self.settings.frame_bytes - luma)
        nobody = FrameInfo(-1, 0, 0)
        if not await asyncio.to_thread(self.write, black, nobody, timeout_s):
            return False
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._warmed.wait(), timeout_s)
        return self._warmed.is_set() and not self._closed.is_set()

    # ------------------------------------------------------------ capture thread

    def write(self, raw: Any, frame: FrameInfo, timeout_s: float) -> bool:
        """Writes one raw I420 frame (a contiguous buffer). False when it was not taken and nothing of it was written.

        A frame that was begun is finished, unless the encoder is closed or stands still for `timeout_s` after that:
        then the encoder is marked as failed, for a half frame would shift every picture after it. One that has given
        no frame yet is waited for longer.
        """
        if self._closed.is_set() or len(self._pending) >= _MAX_PENDING:
            return False
        view = memoryview(raw).cast("B")
        # Noted before it is written: the encoded frame may be back before the last call returns.
        index = self._index
        self._pending[index] = Submitted(frame, time.monotonic_ns())
        deadline = time.monotonic() + (timeout_s if self.stream else max(timeout_s, START_S))
        sent = 0
        while sent < len(view):
            try:
                sent += self._write_some(view[sent:])
            except BlockingIOError:
                left = deadline - time.monotonic()
                if left <= 0 or self._closed.is_set():
                    break
                self._wait_writable(min(left, 0.1))
            except OSError:
                break
        if sent == 0:
            self._pending.pop(index, None)
            return False
        if sent < len(view):
            self._error = self._error or "FFmpeg stopped reading in the middle of a frame"
            self._closed.set()
            return False
        self._index += 1
        return True

    def _write_some(self, view: memoryview) -> int:
        with self._lock:
            if self._write_fd < 0:
                raise OSError(errno.EPIPE, "closed")
            return os.write(self._write_fd, view)

    def _wait_writable(self, timeout_s: float) -> None:
        # Without the lock: should it be closed meanwhile, this waits a moment for nothing, and the next write says so.
        fd = self._write_fd
        if fd >= 0:
            poller = select.poll()
            poller.register(fd, select.POLLOUT)
            poller.poll(timeout_s * 1000)

    # ------------------------------------------------------------ event loop

    def _readable(self) -> None:
        try:
            data = os.read(self._read_fd, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._finish(f"its output broke: {os.strerror(error.errno or 0)}")
            return
        if not data:
            self._finish(None)
            return
        now = time.monotonic_ns()
        try:
            for packet in self._demuxer.feed(data):
                if self.stream is None:
                    self.stream = self._demuxer.stream
                    self.parameters = self.stream.extradata if self.stream else b""
                    if reason := self._wrong_codec():
                        self.other_codec = True
                        self._finish(reason)
                        return
                self._packet(packet, now)
        except NutError as error:
            self._finish(f"its output cannot be understood: {error}")

    def _wrong_codec(self) -> str | None:
        """Why what comes is not what was asked for: an encoder of another codec, named with --encoder."""
        assert self.stream is not None
        if self.stream.fourcc == _FOURCC[self.settings.codec]:
            return None
        found = next((codec for codec, fourcc in _FOURCC.items() if fourcc == self.stream.fourcc), None)
        cure = f"say --codec {found}, or " if found else ""
        return f"{self.settings.name} is no {self.settings.codec} encoder: {cure}choose another with --encoder"

    def _packet(self, packet: Packet, now_ns: int) -> None:
        assert self.stream is not None
        numerator, denominator = self.stream.time_base
        # Nearest integer, in integers: a Fraction costs as much here as the packetizer.
        ticks, unit = packet.pts * numerator * self._rate.numerator, denominator * self._rate.denominator
        index = (2 * ticks + unit) // (2 * unit)
        source = self._pending.pop(index, None)
        self.last_output = now_ns / 1e9
        # What went in before and did not come out never will: an encoder without B-frames keeps the order.
        for stale in [i for i in tuple(self._pending) if i < index]:
            self._pending.pop(stale, None)
        if source is None:
            log.warning("encoded_frame_unknown", pts=packet.pts, index=index)
            return
        if self._warm and not self._warmed.is_set():
            # Hardware encoders write their parameter sets with their first frame, and never again.
            self.parameters = self.stream.extradata or packet.data
            self._warmed.set()
            return
        self._on_frame(self, EncodedFrame(packet.data, packet.keyframe, source, now_ns))

    def _finish(self, error: str | None) -> None:
        asyncio.get_running_loop().remove_reader(self._read_fd)
        self._error = self._error or error
        self._closed.set()
        self._ended.set()
        self._warmed.set()  # there is nothing more to wait for

    async def wait(self) -> str:
        """Waits until the encoder has ended, and says how: exit code or signal, and FFmpeg's last words."""
        assert self._process is not None
        await self._ended.wait()
        code: int | None = None
        with contextlib.suppress(TimeoutError):
            code = await asyncio.wait_for(self._process.wait(), 1.0)
            await asyncio.to_thread(self._log_pipe.close)  # its last words may still be in the pipe
        return self._describe(code)

    @property
    def ended(self) -> bool:
        """Whether its output has ended."""
        return self._ended.is_set()

    @property
    def failed(self) -> str | None:
        """Why the encoder is of no more use although its process may live, else None."""
        return self._error

    def _describe(self, code: int | None) -> str:
        if code is None:
            how = f": {self._error}" if self._error else " closed its output"
        else:
            how = f" {exit_words(code)}" + (f"; {self._error}" if self._error else "")
        last = self._log_pipe.last_line()
        return f"FFmpeg{how}" + (f": {last}" if last else "")

    async def stop(self, *, force: bool = False) -> None:
        """Ends FFmpeg: end of input first, then signals (`force`: killed at once); reaped when this returns."""
        self._closed.set()
        loop = asyncio.get_running_loop()
        if self._read_fd >= 0:
            loop.remove_reader(self._read_fd)
        self._close_fds()
        for step, patience_s in self._stop_steps(force):
            if self._process is None or self._process.returncode is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(step)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), patience_s)
        self._ended.set()
        self._log_pipe.close()

    def _stop_steps(self, force: bool) -> tuple[tuple[signal.Signals, float], ...]:
        if self._process is None:
            return ()
        return _STOP_STEPS[-1:] if force else _STOP_STEPS

    def log_lines(self) -> list[str]:
        """FFmpeg's last messages."""
        return self._log_pipe.lines()

    def _close_fds(self) -> None:
        with self._lock:
            for fd in (self._write_fd, self._read_fd):
                if fd >= 0:
                    os.close(fd)
            self._write_fd = self._read_fd = -1


def _enlarge(fd: int) -> None:
    """A pipe that holds a frame saves wakeups; one that cannot be enlarged still works."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
