"""The camera in its own process: real processes, real shared memory."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from zlfeed.errors import CameraError
from zlfeed.publisher.camera import CameraProcess, CameraSpec, parse_camera
from zlfeed.publisher.camera import process as process_module
from zlfeed.publisher.camera.child import started_ahead

SOURCES = """
    import contextlib, os, re, signal, sys, threading, time
    import numpy as np
    from zlfeed.errors import CameraError
    from zlfeed.publisher.camera.source import Opened, Stamp

    class Steady:
        "Frame n is filled with n."
        period, last = 0.02, None
        def __init__(self, request):
            self.opened = Opened(64, 48, 50.0, "steady")
            self.n = -1
        def read(self, into):
            time.sleep(self.period)
            self.n += 1
            if self.n == self.last:
                self.end()
            into[:] = self.n % 251
            return Stamp(time.time_ns() // 1000, time.monotonic_ns())

    class Fast(Steady):
        period = 0.0002

    class Fails(Steady):
        last = 3
        def end(self):
            raise CameraError("the lens fell off: screw it on")

    class Breaks(Steady):
        last = 3
        def end(self):
            {}["bug"]

    class Dies(Steady):
        last = 3
        def end(self):
            os.write(2, b"the last words\\n")
            os.kill(os.getpid(), signal.SIGSEGV)

    class Chatty(Steady):
        def read(self, into):
            for fd in (1, 2):
                with contextlib.suppress(BlockingIOError):  # a library in C would not even look
                    os.write(fd, b"a library talks " * 200)
            return super().read(into)

    class Hangs(Steady):
        last = 3
        def end(self):
            threading.Event().wait()

    class Stubborn(Steady):
        "Keeps Python's lock for ever and minds no SIGTERM."
        last = 3
        def end(self):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            re.match("(a*)*b", "a" * 40)

    def never(request):
        threading.Event().wait()

    def refuses(request):
        raise CameraError("it does not want to")
"""


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], CameraSpec]:
    """Cameras of all kinds, by name; the camera process imports them."""
    (tmp_path / "made_up_cameras.py").write_text(textwrap.dedent(SOURCES))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("ZLFEED_TEST_SOURCES", "1")
    return lambda name: CameraSpec("cam", "module", f"made_up_cameras:{name}")


@pytest.fixture
def start() -> Iterator[Callable[..., CameraProcess]]:
    """Starts cameras, and sees to it that every one is stopped, reaped and gone."""
    started: list[CameraProcess] = []

    def begin(spec: CameraSpec, timeout_s: float = 20.0) -> CameraProcess:
        started.append(CameraProcess.start(spec, size=None, fps=None, timeout_s=timeout_s))
        return started[-1]

    yield begin
    for camera in started:
        camera.stop()
        assert not psutil.pid_exists(camera.pid)


def room(camera: CameraProcess) -> np.ndarray:
    return np.empty((camera.opened.height * 3 // 2, camera.opened.width), np.uint8)


def read_for_ever(camera: CameraProcess) -> None:
    into = room(camera)
    while True:
        assert camera.next_frame(into, 10.0) is not None


def open_fds() -> int:
    return psutil.Process().num_fds() if hasattr(psutil.Process, "num_fds") else 0


def test_the_test_picture_arrives_with_its_times(start: Callable[..., CameraProcess]) -> None:
    camera = start(parse_camera("test", "cam"))
    assert (camera.opened.width, camera.opened.height, camera.opened.fps) == (640, 480, 30.0)
    into = room(camera)
    frames = []
    for _ in range(15):
        frame = camera.next_frame(into, 10.0)
        assert frame is not None
        assert into.std() > 20
        assert abs(frame.captured_us - time.time() * 1e6) < 5e6
        frames.append(frame)
    assert [frame.seq for frame in frames] == sorted({frame.seq for frame in frames})
    ticks = [(frame.captured_ns - frames[0].captured_ns) / 1e9 * 30 for frame in frames]
    assert ticks[-1] == pytest.approx(frames[-1].seq - frames[0].seq, abs=6), "30 a second"


def test_size_and_rate_are_those_asked_for(start: Callable[..., CameraProcess]) -> None:
    camera = CameraProcess.start(parse_camera("test", "cam"), size=(322, 242), fps=10, timeout_s=20)
    try:
        assert (camera.opened.width, camera.opened.height, camera.opened.fps) == (322, 242, 10)
        assert camera.next_frame(room(camera), 10.0)
    finally:
        camera.stop()


def test_a_slow_reader_gets_the_newest_picture_and_the_others_are_counted(
    sources: Callable[[str], CameraSpec], start: Callable[..., CameraProcess]
) -> None:
    camera = start(sources("Steady"))
    into = room(camera)
    got = []
    for _ in range(5):
        time.sleep(0.2)
        frame = camera.next_frame(into, 10.0)
        assert frame is not None
        assert (into == frame.seq % 251).all()
        assert time.monotonic_ns() - frame.captured_ns < 5e9
        got.append(frame.seq)
    assert got == sorted(set(got))
    assert camera.captured == got[-1] + 1
    assert camera.dropped == camera.captured - len(got) > 10


def test_no_picture_is_ever_torn_however_fast_the_camera(
    sources: Callable[[str], CameraSpec], start: Callable[..., CameraProcess]
) -> None:
    camera = start(sources("Fast"))
    into = room(camera)
    seen = 0
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        frame = camera.next_frame(into, 10.0)
        assert frame is not None
        assert (into == frame.seq % 251).all()
        seen += 1
    assert seen > 50


def test_a_parent_that_does_not_read_stops_nothing(
    sources: Callable[[str], CameraSpec], start: Callable[..., CameraProcess]
) -> None:
    camera = start(sources("Fast"))
    into = room(camera)
    time.sleep(2.0)  # more records than the pipe holds
    first = camera.next_frame(into, 10.0)
    assert first is not None
    time.sleep(0.1)
    second = camera.next_frame(into, 10.0)
    assert second is not None
    assert (into == second.seq % 251).all()
    assert time.monotonic_ns() - second.captured_ns < 5e9, "not a picture from when the pipe ran full"


def test_nothing_new_is_none_at_the_time_out(
    sources: Callable[[str], CameraSpec], start: Callable[..., CameraProcess]
) -> None:
    camera = start(sources("Hangs"))
    into = room(camera)
    while camera.next_frame(into, 2.0) is not None:
        pass
    began = time.monotonic()
    assert camera.next_frame(into, 0.1) is None
    assert 0.09 < time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Fails", "^the lens fell off: screw it on$"),
        ("Breaks", "failed: KeyError: 'bug'"),
        ("Dies", "was ended by SIGSEGV: the last words"),
    ],
)
def test_a_camera_that_ends_says_why(
    name: str, says: str, sources: Callable[[str], CameraSpec], start: Callable[..., CameraProcess]
) -> None:
    camera = start(sources(name))
    with pytest.raises(CameraError, match=says):
        read_for_ever(camera)
    with pytest.raises(CameraError, match=says):
        camera.next_frame(room(camera), 0)


def test_a_camera_that_refuses_leaves_nothing_behind(sources: Callable[[str], CameraSpec]) -> None:
    before = open_fds()
    children = psutil.Process().children()
    with pytest.raises(CameraError, match="it does not want to"):
        CameraProcess.start(sources("refuses"), size=None, fps=None, timeout_s=20)
    assert psutil.Process().children() == children
    assert open_fds() == before


def test_a_camera_that_never_opens_is_given_up_in_time(sources: Callable[[str], CameraSpec]) -> None:
    children = psutil.Process().children()
    with pytest.raises(CameraError, match=r"did not open within 1\.5 s"):
        CameraProcess.start(sources("never"), size=None, fps=None, timeout_s=1.5)
    assert psutil.Process().children() == children


def test_what_a_library_prints_disturbs_nothing(
    sources: Callable[[str], CameraSpec], start: Callable[..., CameraProcess]
) -> None:
    camera = start(sources("Chatty"))
    into = room(camera)
    time.sleep(1.0)
    for _ in range(10):
        frame = camera.next_frame(into, 10.0)
        assert frame is not None
        assert (into == frame.seq % 251).all()


def test_a_picture_of_another_shape_is_refused(start: Callable[..., CameraProcess]) -> None:
    camera = start(parse_camera("test", "cam"))
    with pytest.raises(ValueError, match="shape"):
        camera.next_frame(np.empty((10, 10), np.uint8), 5.0)


@pytest.mark.parametrize("name", ["Steady", "Hangs", "Stubborn"])
def test_stop_ends_it_whatever_it_does(
    name: str, sources: Callable[[str], CameraSpec], start: Callable[..., CameraProcess]
) -> None:
    camera = start(sources(name))
    into = room(camera)
    for _ in range(3):
        camera.next_frame(into, 0.3)
    began = time.monotonic()
    camera.stop()
    assert time.monotonic() - began < 5
    assert not psutil.pid_exists(camera.pid)
    camera.stop()
    with pytest.raises(CameraError, match="stopped"):
        camera.next_frame(into, 1.0)


def test_stop_from_another_thread_wakes_the_reader(
    sources: Callable[[str], CameraSpec], start: Callable[..., CameraProcess]
) -> None:
    camera = start(sources("Hangs"))
    into = room(camera)
    while camera.next_frame(into, 0.5) is not None:
        pass
    stopper = threading.Timer(0.2, camera.stop)
    stopper.start()
    with pytest.raises(CameraError, match="stopped"):
        camera.next_frame(into, 30.0)
    stopper.join(10)
    assert not stopper.is_alive()


def test_open_and_stop_leave_no_descriptor(
    sources: Callable[[str], CameraSpec], start: Callable[..., CameraProcess]
) -> None:
    start(sources("Steady")).stop()
    before = open_fds()
    for _ in range(3):
        start(sources("Steady")).stop()
    assert open_fds() == before


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_the_terminals_ctrl_c_is_left_to_the_parent(start: Callable[..., CameraProcess]) -> None:
    camera = start(parse_camera("test", "cam"))
    into = room(camera)
    assert os.getsid(camera.pid) == camera.pid
    os.kill(camera.pid, signal.SIGINT)
    for _ in range(5):
        assert camera.next_frame(into, 10.0) is not None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG")
@pytest.mark.parametrize("name", ["Steady", "Stubborn"])
def test_a_killed_parent_leaves_no_camera_process(name: str, sources: Callable[[str], CameraSpec]) -> None:
    script = f"""
import sys, time
from zlfeed.publisher.camera import CameraProcess, CameraSpec
camera = CameraProcess.start(CameraSpec("c", "module", {sources(name).target!r}), size=None, fps=None, timeout_s=20)
time.sleep(0.3)
print(camera.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    deadline = time.monotonic() + 10
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the camera process outlived its parent"
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_after_a_standstill_pictures_are_skipped_not_hurried_after(start: Callable[..., CameraProcess]) -> None:
    camera = start(parse_camera("test", "cam"))
    into = room(camera)
    camera.next_frame(into, 10.0)
    os.kill(camera.pid, signal.SIGSTOP)
    time.sleep(0.6)
    os.kill(camera.pid, signal.SIGCONT)
    times = [frame.captured_ns for _ in range(12) if (frame := camera.next_frame(into, 10.0))]
    assert sum(b - a < 5_000_000 for a, b in itertools.pairwise(times)) <= 2


def test_auto_passes_over_what_refuses_or_hangs(
    sources: Callable[[str], CameraSpec], start: Callable[..., CameraProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = [sources(name) for name in ("refuses", "never", "Steady")]
    monkeypatch.setattr(process_module, "candidates", lambda _: devices)
    monkeypatch.setattr(process_module, "_CANDIDATE_TIMEOUT_S", 5.0)
    camera = start(CameraSpec("cam", "auto", ""))
    assert camera.opened.description == "steady"
    assert camera.next_frame(room(camera), 10.0) is not None


def test_auto_tells_why_each_device_was_refused(
    sources: Callable[[str], CameraSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    children = psutil.Process().children()
    monkeypatch.setattr(process_module, "candidates", lambda _: [sources("refuses")] * 2)
    with pytest.raises(CameraError, match=r"\(it does not want to; it does not want to\).*--camera test"):
        CameraProcess.start(CameraSpec("cam", "auto", ""), size=None, fps=None, timeout_s=20)
    assert psutil.Process().children() == children


def test_made_up_sources_are_for_tests_only(
    sources: Callable[[str], CameraSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZLFEED_TEST_SOURCES")
    with pytest.raises(CameraError, match="cannot be read"):
        CameraProcess.start(sources("Steady"), size=None, fps=None, timeout_s=20)


def test_an_opencv_that_does_not_load_names_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cv2.py").write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(CameraError, match=r"libGL\.so\.1 is missing.*apt install libgl1"):
        CameraProcess.start(parse_camera("test", "cam"), size=None, fps=None, timeout_s=20)


def test_a_csi_camera_is_refused_plainly() -> None:
    with pytest.raises(CameraError, match="CSI"):
        CameraProcess.start(parse_camera("csi:1", "cam"), size=None, fps=None, timeout_s=20)


def test_a_process_that_was_started_ahead_is_the_first_cameras() -> None:
    with started_ahead(["test", "file"]):
        ahead = {
            child.cmdline()[-1]: child for child in psutil.Process().children() if "worker" in str(child.cmdline())
        }
        pids = []
        for _ in range(2):
            camera = CameraProcess(parse_camera("test", "front"), None, None)
            pids.append(camera.pid)
            camera.stop()
        assert pids[0] == ahead["test"].pid
        assert pids[1] != ahead["test"].pid
        assert ahead["file"].is_running()
    assert not ahead["file"].is_running(), "nobody has taken it"
