"""The camera process: reads one source, writes its pictures into shared memory, and announces each on a pipe.

`python -m zlfeed.publisher.camera.worker PARENT_PID MEMORY KIND`, started by CameraChild alone. stdin: lines of JSON,
the request when the camera is to be opened, then what is to be set on it; its end means that the parent is gone, or
wants this process gone. stdout: records.
A driver that blocks for ever blocks this process, which can be killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable

from zlfeed import opencv
from zlfeed.errors import CameraEnded, CameraError, StartError, ZlfeedError
from zlfeed.publisher.camera.csi_ways import PICAMERA2
from zlfeed.publisher.camera.records import ControlSet, End, Failure, Note, Record, Request, pack
from zlfeed.publisher.camera.shm import FrameRing
from zlfeed.publisher.camera.source import ControlRefused, FrameInfo, Source

_PR_SET_PDEATHSIG = 1
_at_exit: list[Callable[[], None]] = []
"""What closes the source in order, before this process ends because its parent wants it so."""


def main() -> None:
    """Runs the camera process; never returns."""
    parent, memory, kind = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    _die_with(parent)
    # The terminal's Ctrl-C goes to every process in it; when to stop is the parent's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    send = _private_stdout()
    _make_ready(kind)
    with os.fdopen(os.dup(0), "rb", buffering=0) as stdin:
        line = stdin.readline()
    if not line:
        os._exit(0)
    request = Request.from_line(line)
    orders: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
    threading.Thread(target=_hear_orders, args=(orders,), daemon=True).start()
    try:
        _run(request, memory, send, orders)
    except BrokenPipeError:
        pass  # The parent is gone: nobody to tell.
    except CameraEnded as end:
        send(End(str(end)), True)
    except ZlfeedError as error:
        send(Failure(str(error)), True)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{os.path.basename(place.filename)}:{place.lineno}"
        send(Failure(f"the camera {request.spec.text} failed: {type(error).__name__}: {error} ({where})"), True)
    # Not sys.exit: joining a decoder's or driver's threads may hang, and the kernel closes the device anyway.
    os._exit(0)


def _run(
    request: Request,
    memory: str,
    send: Callable[[Record, bool], None],
    orders: queue.SimpleQueue[tuple[str, str]],
) -> None:
    source = open_source(request)
    if close := getattr(source, "close", None):
        _at_exit.append(close)
    ring = FrameRing(memory, source.opened.width, source.opened.height, create=True)
    send(source.opened, True)
    seq = 0
    while True:
        stamp = source.read(ring.begin(seq))
        ring.commit(seq)
        send(FrameInfo(seq, stamp.wall_us, stamp.monotonic_ns), False)
        seq += 1
        while notes := getattr(source, "notes", None):
            send(Note(notes.pop(0)), True)
        while not orders.empty():
            if (answer := _set(source, *orders.get())) is not None:
                send(answer, True)
        while answers := getattr(source, "answers", None):
            send(answers.pop(0), True)


def _set(source: Source, name: str, value: str) -> ControlSet | None:
    """Sets one of the camera's controls, between two pictures; None when only a later picture tells what came of it."""
    try:
        set_control = getattr(source, "set_control", None)
        if set_control is None:
            return ControlSet(name, None, f"this camera has no control {name!r}")
        read_back = set_control(name, value)
        return None if read_back is None else ControlSet(name, str(read_back))
    except ControlRefused as refusal:
        # The default is asked for all at once, of controls that are the camera's own to set just now as well.
        return ControlSet(name, None, "" if value == "default" else str(refusal))
    except OSError as error:
        return ControlSet(name, None, f"the camera does not take it ({error.strerror})")


def _make_ready(kind: str) -> None:
    """Loads what takes longest before there is anything to open: a lost camera is back so much sooner."""
    if kind == PICAMERA2:
        with contextlib.suppress(CameraError):
            importlib.import_module("zlfeed.publisher.camera.picamera").load()
        return  # OpenCV is not needed, nor need it be there
    # How long OpenCV waits for a device's picture; its own 10 s are the parent's whole patience.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3")
    with contextlib.suppress(StartError):  # open_source() tries again, and says why it fails
        opencv.load_cv2()
    if kind == "device" and sys.platform.startswith("linux"):
        importlib.import_module("zlfeed.publisher.camera.v4l2").asking()


def open_source(request: Request) -> Source:
    """Opens what is asked for. Raises CameraError; StartError when OpenCV does not load."""
    spec = request.spec
    if spec.backend == PICAMERA2:
        from zlfeed.publisher.camera.picamera import PicameraSource

        return PicameraSource(request)
    opencv.load_cv2()
    match spec.kind:
        case "test":
            from zlfeed.publisher.camera.pattern import PatternSource

            return PatternSource(request.size or (640, 480), request.fps or 30.0)
        case "device":
            from zlfeed.publisher.camera.device import open_device

            return open_device(request)
        case "file":
            from zlfeed.publisher.camera.file import FileSource

            return FileSource(request)
        case "rtsp":
            from zlfeed.publisher.camera.stream import open_stream

            return open_stream(request)
        case "csi":
            from zlfeed.publisher.camera.csi import RpicamSource

            return RpicamSource(request)
        case "module" if os.environ.get("ZLFEED_TEST_SOURCES") == "1":
            module, _, factory = spec.target.partition(":")
            made: Source = getattr(importlib.import_module(module), factory)(request)
            return made
        case _:
            raise CameraError(f"a camera of the kind {spec.kind!r} cannot be read")


def _private_stdout() -> Callable[[Record, bool], None]:
    """Keeps the record pipe to ourselves; what a library prints goes to stderr. Both drop what does not fit."""
    pipe = os.dup(1)
    os.dup2(2, 1)
    if sys.platform != "win32":
        os.set_blocking(pipe, False)
        os.set_blocking(2, False)

    def send(record: Record, must: bool) -> None:
        if must and sys.platform != "win32":
            os.set_blocking(pipe, True)
        try:
            os.write(pipe, pack(record))
        except BlockingIOError:
            return  # Nobody reads just now: the parent sees the gap in the numbers and counts it.
        if must and sys.platform != "win32":
            os.set_blocking(pipe, False)

    return send


def _die_with(parent: int) -> None:
    """Has the kernel kill this process when its parent ends in whatever way (Linux, prctl(2))."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # It ended before the line above.
        os._exit(0)


def _hear_orders(orders: queue.SimpleQueue[tuple[str, str]]) -> None:
    """Takes in what is to be set, until the parent is gone or wants this process gone."""
    rest = b""
    while data := os.read(0, 4096):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            order = json.loads(line)
            orders.put((order["set"], order["value"]))
    for close in _at_exit:
        close()
    os._exit(0)


if __name__ == "__main__":
    main()
