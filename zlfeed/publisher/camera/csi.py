"""A ribbon-cable (CSI) camera of a Raspberry Pi, read from the stdout of rpicam-vid."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import time

import cv2
import numpy as np

from zlfeed.errors import CameraError
from zlfeed.exits import exit_words
from zlfeed.pdeath import with_parent
from zlfeed.publisher.camera import rpicam
from zlfeed.publisher.camera.csi_ways import find_program, holder
from zlfeed.publisher.camera.records import Request
from zlfeed.publisher.camera.sensor_time import age_ns
from zlfeed.publisher.camera.source import Opened, Stamp
from zlfeed.publisher.picture.i420 import Plane, split

DEFAULT_SIZE = (640, 480)
DEFAULT_FPS = 30.0
_PIPE_BYTES = 1 << 20
_READ_BYTES = 1 << 18
_METADATA_S = 0.005
"""A picture's metadata is written right behind it; later than this its time is reckoned from the last one's delay."""
_BUSY_S, _BUSY_TRIES = 0.3, 3
"""A program that has just been ended may hold the camera for a moment."""
_STOP_S = 0.3

# Full range (0 … 255) to limited range (16 … 235, chroma 16 … 240), BT.601 both: libcamera's sYCC, as rpicam-vid sets
# it for yuv420, is not what the rest of the chain and players without a colour tag take pictures for. The same pass
# takes the padding off: 0.07 ms at 640x480 and 0.5 ms at 1920x1080 on an x86 core, where the bare copy is 0.01 and 0.2.
_LUMA = (219 / 255, 16.0)
_CHROMA = (224 / 255, 128 - 128 * 224 / 255)


class RpicamSource:
    """Reads raw pictures from rpicam-vid, as soon as they are written; a picture's time is its first row's read-out."""

    def __init__(self, request: Request) -> None:
        """Starts the program and waits for its first picture. Raises CameraError."""
        program = find_program()
        if program is None:
            raise CameraError(
                "CSI cameras are read by rpicam-vid, which is not installed: sudo apt install rpicam-apps-lite"
            )
        self._program = program
        self._camera = int(request.spec.target)
        self._asked = request.size or DEFAULT_SIZE
        self._fps = request.fps or DEFAULT_FPS
        self._controls = dict(request.controls)
        self._without: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._begin()
        talk = self._talk
        width, height = rpicam.checked_size(self._asked, talk.size)
        try:
            self._padding = rpicam.padding(width, height, talk.frame_bytes)
        except ValueError as error:
            raise CameraError(f"the camera csi:{self._camera} pads its pictures in an unknown way ({error})") from None
        fps, how = rpicam.rate_given(self._fps, talk.ranges.get("FrameDurationLimits", (None,))[0])
        if (width, height) != self._asked:
            how += f", the nearest to {self._asked[0]}x{self._asked[1]}"
        name = f"{talk.sensor} (csi:{self._camera})" if talk.sensor else f"csi:{self._camera}"
        self.opened = Opened(
            width,
            height,
            fps,
            f"{name} {width}x{height} YUV420 {how}",
            controls=tuple(rpicam.controls_of(talk.ranges, self._controls)),
            live_controls=False,
            sensor_time="--metadata" not in self._without,
        )
        self._raw = bytearray(self._padding.frame_bytes)
        self._filled = len(self._early)
        self._raw[: self._filled] = self._early
        self._taken = 0
        self._delay_ns: int | None = None
        self._full_range = talk.full_range
        luma = np.frombuffer(self._raw, np.uint8)
        stride, rows = self._padding.stride, height
        at, half = stride * rows, stride // 2 * (rows // 2)
        self._planes = (
            luma[:at].reshape(rows, stride)[:, :width],
            luma[at : at + half].reshape(rows // 2, stride // 2)[:, : width // 2],
            luma[at + half : at + 2 * half].reshape(rows // 2, stride // 2)[:, : width // 2],
        )

    # ------------------------------------------------------------ the program

    def _begin(self) -> None:
        """Starts it until the first bytes of a picture are there; leaves out options that an old one does not know."""
        tries = 0
        while True:
            self._start()
            failure = self._until_bytes()
            if failure is None:
                return
            option = self._talk.unknown_option
            if option in rpicam.OPTIONAL and option not in self._without:
                self._without.append(option)
                continue
            held_by = holder()
            if self._talk.busy and not held_by and tries < _BUSY_TRIES:
                tries += 1
                time.sleep(_BUSY_S)
                continue
            raise CameraError(rpicam.why_not(self._talk, self._camera, held_by, failure))

    def _start(self) -> None:
        self.close()
        self._talk = rpicam.Talk()
        self._metadata = rpicam.Metadata()
        self._lines = b""
        self._early = b""
        out, child_out = os.pipe()
        err, child_err = os.pipe()
        meta, child_meta = os.pipe()
        with contextlib.suppress(OSError):  # a pipe that holds pictures saves wake-ups; a small one works
            fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        words = rpicam.argv(
            self._program, self._camera, self._asked, self._fps, self._controls,
            metadata=f"/dev/fd/{child_meta}", without=self._without,
        )  # fmt: skip
        try:
            self._process = subprocess.Popen(
                with_parent(words),
                stdin=subprocess.DEVNULL,
                stdout=child_out,
                stderr=child_err,
                pass_fds=(child_meta,),
                start_new_session=True,
            )
        except OSError as error:
            for fd in (out, err, meta):
                os.close(fd)
            raise CameraError(f"{self._program} cannot be run: {error.strerror}") from None
        finally:
            for fd in (child_out, child_err, child_meta):
                os.close(fd)
        self._out, self._err, self._meta = out, err, meta
        self._poll = select.poll()
        for fd in (out, err, meta):
            os.set_blocking(fd, False)
            self._poll.register(fd, select.POLLIN)

    def close(self) -> None:
        """Ends the program; it is reaped when this returns."""
        process = self._process
        if process is None:
            return
        self._process = None
        process.send_signal(signal.SIGINT)  # it stops the camera in order, if it still can
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
        if process.poll() is None:
            process.kill()
            process.wait()
        for fd in (self._out, self._err, self._meta):
            os.close(fd)

    def _until_bytes(self) -> str | None:
        """Waits for the first bytes on stdout; how the program ended when there are none to come."""
        while True:
            self._hear(None)
            if self._talk.timed_out:
                return "time-out"
            if self._early:
                return None
            if self._ended:
                assert self._process is not None
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(1.0)
                code = self._process.poll()
                return f"{os.path.basename(self._program)} {exit_words(code) if code is not None else 'closed it'}"

    _ended = False

    def _hear(self, timeout_s: float | None) -> bool:
        """Waits for something on stderr and the metadata, and the first bytes on stdout; whether there was anything."""
        self._ended = False
        ready = {fd for fd, _ in self._poll.poll(None if timeout_s is None else max(0.0, timeout_s * 1000))}
        if self._err in ready:
            self._hear_words()
        if self._meta in ready and (data := self._read(self._meta)):
            self._metadata.feed(data)
        if self._out in ready and not self._early:
            # Its size was said before the picture was written; it may have come a moment after we looked.
            self._hear_words()
            self._early = self._read(self._out) or b""
            self._ended = not self._early
            if self._ended:
                self._hear_words()
        return bool(ready)

    def _hear_words(self) -> None:
        while data := self._read(self._err):
            *lines, self._lines = (self._lines + data).split(b"\n")
            for line in lines:
                self._talk.hear(line.decode("utf-8", "replace"))
        if data == b"":
            with contextlib.suppress(KeyError):
                self._poll.unregister(self._err)

    @staticmethod
    def _read(fd: int) -> bytes | None:
        """What is there: None for nothing yet, empty at the end."""
        try:
            return os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return None

    # ------------------------------------------------------------ pictures

    def read(self, into: Plane) -> Stamp:
        """Waits for the next picture and writes it into `into` without its padding. Raises CameraError."""
        self._fill()
        stamp = self._stamp()
        planes = split(into, self.opened.width, self.opened.height)
        for source, target, (scale, offset) in zip(self._planes, planes, (_LUMA, _CHROMA, _CHROMA), strict=True):
            if self._full_range:
                cv2.convertScaleAbs(source, target, scale, offset)
            else:
                target[:] = source
        return stamp

    def _fill(self) -> None:
        """Reads until a picture is whole."""
        view = memoryview(self._raw)
        while self._filled < len(view):
            for fd, _ in self._poll.poll():
                if fd == self._err:
                    self._hear_words()
                    if self._talk.timed_out:
                        raise CameraError(rpicam.why_not(self._talk, self._camera, "", "time-out"))
                elif fd == self._meta:
                    self._take_metadata()
                elif fd == self._out:
                    self._take_picture(view)
        self._filled = 0
        self._taken += 1

    def _take_picture(self, view: memoryview) -> None:
        try:
            got = os.readv(self._out, [view[self._filled :]])
        except BlockingIOError:
            return
        if got == 0:
            self._hear_words()
            assert self._process is not None
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
            code = self._process.poll()
            how = f"{os.path.basename(self._program)} {exit_words(code) if code is not None else 'closed its output'}"
            raise CameraError(rpicam.why_not(self._talk, self._camera, "", how))
        self._filled += got

    def _take_metadata(self) -> None:
        data = self._read(self._meta)
        if data:
            self._metadata.feed(data)
        elif data == b"":
            with contextlib.suppress(KeyError):
                self._poll.unregister(self._meta)

    def _stamp(self) -> Stamp:
        """When the picture that is whole now was captured: as the sensor says, else by how old the last one was."""
        now_ns, wall_us = time.monotonic_ns(), time.time_ns() // 1000
        meta = self._metadata
        if meta.pictures or self._taken == 1:
            deadline = time.monotonic() + _METADATA_S
            while meta.pictures < self._taken and (left := deadline - time.monotonic()) > 0:
                for fd, _ in self._poll.poll(max(1, round(left * 1000))):
                    if fd == self._meta:
                        self._take_metadata()
                    elif fd == self._err:
                        self._hear_words()
                    elif fd == self._out:
                        time.sleep(0.0002)  # the next picture; this one's metadata may still be under way
        if (sensor_ns := meta.sensor_ns(self._taken)) is not None:
            self._delay_ns = age_ns(sensor_ns, now_ns)
        delay = self._delay_ns or 0
        return Stamp(wall_us - delay // 1000, now_ns - delay)
