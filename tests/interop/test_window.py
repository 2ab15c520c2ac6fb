"""The OpenCV window on a real X server: what it shows, its keys, and displays that cannot be opened."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.commands import Running, publishing
from zlfeed import opencv, timecode

pytestmark = [
    pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="X11"),
    pytest.mark.needs("Xvfb", "import", "xdotool"),
]
Image = npt.NDArray[np.uint8]


class Display:
    """An X server of the test's own, without a window manager."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.env = {"DISPLAY": name, "WAYLAND_DISPLAY": ""}

    def screenshot(self) -> Image:
        """What the window shows, BGR."""
        command = ["import", "-display", self.name, "-window", self.window(), "png:-"]
        png = subprocess.run(command, capture_output=True, check=True, timeout=20).stdout
        cv2 = opencv.load_cv2()
        return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), np.uint8)

    def window(self, within_s: float = 20.0) -> str:
        """The window's id, once it is there."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            found = self._xdotool("search", "--onlyvisible", "--name", "^zlfeed rtsp://").split()
            if found:
                return found[0]
            time.sleep(0.1)
        raise AssertionError("no window")

    def key(self, key: str) -> None:
        """Presses a key in the window."""
        self._xdotool("windowfocus", "--sync", self.window())
        self._xdotool("key", key)

    def close_window(self) -> None:
        """Asks the window to close, as a window manager does when its X is clicked (ICCCM section 4.2.8.1)."""
        x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        x11.XInternAtom.restype = ctypes.c_ulong
        x11.XInternAtom.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
        x11.XSendEvent.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
        x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
        display = x11.XOpenDisplay(self.name.encode())
        protocols, delete = (x11.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
        window = int(self.window())
        # XClientMessageEvent: type 33, then serial, send_event, display, window, message type, format 32, data.
        event = (ctypes.c_long * 24)(33, 0, 0, 0, window, protocols, 32, delete, 0)
        x11.XSendEvent(display, window, 0, 0, ctypes.byref(event))
        x11.XCloseDisplay(display)

    def _xdotool(self, *arguments: str) -> str:
        environment = {**os.environ, "DISPLAY": self.name}
        done = subprocess.run(
            ["xdotool", *arguments], env=environment, capture_output=True, text=True, check=False, timeout=20
        )
        return done.stdout


@pytest.fixture(scope="module")
def display() -> Iterator[Display]:
    read_fd, write_fd = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_fd), "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(command, pass_fds=[write_fd], stderr=subprocess.DEVNULL)
    os.close(write_fd)
    try:
        with open(read_fd) as numbers:
            yield Display(f":{int(numbers.readline())}")
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    with publishing() as publisher:
        yield publisher.line("ready")["urls"]


def watching(urls: dict[str, str], display: Display, *arguments: str, cwd: Path | None = None) -> Running:
    command = ("receive", urls["rtsp"], "--status-url", urls["websocket"], "--display", "--json", *arguments)
    return Running(*command, env=display.env, cwd=cwd)


def shown(display: Display, receiver: Running) -> Image:
    """The window, once pictures are in it."""
    receiver.line("second", state="live")
    receiver.line("second", state="live")
    return display.screenshot()


def test_the_window_shows_the_moving_picture_under_its_header(urls: dict[str, str], display: Display) -> None:
    with watching(urls, display) as receiver:
        first = shown(display, receiver)
        assert first.shape == (490, 640, 3)
        second = shown(display, receiver)
        header, picture = first[:26], first[26:]
        # The header is dark with bright text, and a green mark for "live" at its right.
        assert np.median(header) < 60
        assert header.max() > 200
        green = (header[:, 320:, 1].astype(int) - header[:, 320:, 2]) > 60
        assert green.any()
        assert picture.std() > 20
        assert np.abs(first.astype(int) - second).mean() > 0.5
        delays = receiver.line("second")["display_ms"]
        assert 0 < delays["p50"] <= delays["max"]
        display.key("q")
        assert receiver.wait(20) == 0
        assert receiver.line("summary")["latency_ms"] is not None
        assert receiver.left_behind() == []


def test_s_saves_the_picture_as_it_came_and_says_where(urls: dict[str, str], display: Display, tmp_path: Path) -> None:
    with watching(urls, display, cwd=tmp_path) as receiver:
        receiver.line("second", state="live")
        display.key("s")
        said = receiver.line("event", code="picture_saved")["text"]
        display.key("Escape")
        assert receiver.wait(20) == 0
    (saved,) = tmp_path.glob("zlfeed-*.png")
    assert str(saved) in said
    image = opencv.load_cv2().imread(str(saved))
    assert image is not None
    assert image.shape == (480, 640, 3)
    assert timecode.read(np.asarray(image, np.uint8)) is not None


def test_closing_the_window_quits(urls: dict[str, str], display: Display) -> None:
    with watching(urls, display) as receiver:
        receiver.line("second", state="live")
        display.close_window()
        assert receiver.wait(20) == 0
        assert receiver.line("summary")["frames"] > 0


def test_f_goes_on_without_harm(urls: dict[str, str], display: Display) -> None:
    with watching(urls, display) as receiver:
        receiver.line("second", state="live")
        for _ in range(2):
            display.key("f")
            receiver.line("second", state="live")
        assert receiver.end(signal.SIGTERM) == 143


def test_a_lost_stream_dims_the_picture_and_is_said(display: Display) -> None:
    with publishing() as publisher:
        urls = publisher.line("ready")["urls"]
        with watching(urls, display) as receiver:
            live = shown(display, receiver)
            publisher.end()
            receiver.line("second", state="reconnecting")
            lost = display.screenshot()
            assert lost[40:120].mean() < 0.7 * live[40:120].mean()
            band = lost[220:290]
            assert np.median(band) < 60
            assert band.max() > 150
            red = (lost[:26, 320:, 2].astype(int) - lost[:26, 320:, 1]) > 60
            assert red.any()
            display.key("q")
            assert receiver.wait(20) == 0


def test_without_a_stream_the_window_says_what_to_do(display: Display) -> None:
    nowhere = {"rtsp": "rtsp://127.0.0.1:9/zerolatency", "websocket": "none"}
    with watching(nowhere, display) as receiver:
        receiver.line("second", state="connecting")
        assert display.screenshot()[220:290].max() > 150
        display.key("q")
        assert receiver.wait(20) == 0


def test_a_display_that_cannot_be_opened_is_found_out_before_qt_aborts() -> None:
    command = ("receive", "127.0.0.1:9", "--status-url", "none", "--duration", "1")
    nowhere = {"DISPLAY": ":9999", "WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": "wayland"}
    with Running(*command, "--display", env=nowhere) as receiver:
        assert receiver.wait(20) == 3
        assert "the display :9999 cannot be opened" in receiver.words
    # Nobody asked for a window: then it goes on without one.
    with Running(*command, "--json", env=nowhere) as receiver:
        assert receiver.wait(20) == 3
        assert "no_window" in receiver.words
        assert receiver.line("summary")["frames"] == 0
