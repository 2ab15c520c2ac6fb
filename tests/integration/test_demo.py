"""`zlfeed demo`: all of it in one command, in words, JSON and a terminal; nothing is left behind, however it ends."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.commands import Running

EMBEDDED = {"ZLFEED_SERVER": "embedded"}
"""Without a MediaMTX that may be on this machine."""
GONE_WITHIN_S = 10.0


def demo(*arguments: str, **options: object) -> Running:
    """A demo, not started yet."""
    return Running("demo", *arguments, env=EMBEDDED, **options)  # type: ignore[arg-type]


def test_json_gives_the_seconds_and_a_summary_and_nothing_is_left() -> None:
    with demo("--headless", "--json", "--duration", "5") as running:
        assert running.wait(60) == 0
        assert running.left_behind() == []
        lines = [json.loads(line) for line in running.out]

    kinds = [line["type"] for line in lines if line["type"] != "event"]
    assert kinds[0] == "ready"
    assert kinds[-1] == "summary"
    assert kinds.count("second") in range(3, 6)
    assert lines[-1]["latency_ms"]["p50"] > 0
    assert lines[-1]["frames"] > 75


def test_in_words_it_says_where_to_look_and_how_fast_it_was() -> None:
    with demo("--headless", "--duration", "3") as running:
        assert running.wait(60) == 0
        words = "".join(running.out)

    assert "rtsp://127.0.0.1:" in words
    assert "latency" in words
    assert "Traceback" not in running.words


def test_a_source_that_is_none_is_said_in_the_publishers_words() -> None:
    with demo("--headless", "--camera", "nowhere.mp4") as running:
        assert running.wait(60) == 3
        assert running.left_behind() == []

    assert running.words.startswith("zlfeed: there is no file 'nowhere.mp4'")
    assert running.words.count("\n") == 1, "one line"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_however_it_is_ended_nothing_is_left(number: signal.Signals, code: int) -> None:
    with demo("--headless", "--json") as running:
        running.line("second", within_s=60)
        assert running.end(number) == code
        assert running.left_behind(GONE_WITHIN_S) == []


def test_it_can_be_ended_before_it_is_ready() -> None:
    with demo("--headless", "--json") as running:
        deadline = time.monotonic() + 30
        while len(running.processes()) < 2 and time.monotonic() < deadline:  # it has begun to start the publisher
            time.sleep(0.05)
        assert running.end(signal.SIGINT) == 130
        assert running.left_behind(GONE_WITHIN_S) == []


@pytest.mark.needs("xvfb-run")
def test_display_shows_the_window_too() -> None:
    with demo("--display", "--json", "--duration", "4", wrapper=("xvfb-run", "-a")) as running:
        assert running.wait(90) == 0
        summary = running.line("summary")

    assert summary["display_ms"] is not None, "pictures went to a window"


@contextlib.contextmanager
def in_terminal(folder: Path, running: Running) -> Iterator[Callable[..., str]]:
    """The demo in tmux; calls tmux, with what it prints."""
    tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
    command = f"{sys.executable} -P -m zlfeed demo; echo exit=$?; sleep 60"

    def call(*arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            [*tmux, *arguments], env=running.env, capture_output=True, text=True, timeout=20, check=check
        )
        return done.stdout

    call("new-session", "-d", "-x", "120", "-y", "40", command)
    try:
        yield call
    finally:
        call("kill-server", check=False)


def wait_for(call: Callable[..., str], *words: str, within_s: float = 40.0) -> str:
    """The screen, as soon as all the words are on it."""
    deadline = time.monotonic() + within_s
    shown = ""
    while time.monotonic() < deadline:
        shown = call("capture-pane", "-p")
        if all(word in shown for word in words):
            return shown
        time.sleep(0.1)
    raise AssertionError(f"{words} did not come; the terminal shows:\n{shown}")


@pytest.mark.needs("tmux")
def test_in_a_terminal_it_is_the_monitor_and_a_key_ends_it(tmp_path: Path) -> None:
    with contextlib.closing(demo()) as running, in_terminal(tmp_path, running) as call:
        wait_for(call, "zerolatency", "live", " ms", "640×480")
        call("resize-window", "-x", "80", "-y", "24")
        wait_for(call, "live")
        call("send-keys", "q")
        wait_for(call, "exit=0")
        call("kill-server")
        assert running.left_behind(GONE_WITHIN_S) == []


@pytest.mark.needs("tmux")
def test_a_terminal_that_is_closed_takes_the_demo_with_it(tmp_path: Path) -> None:
    with contextlib.closing(demo()) as running, in_terminal(tmp_path, running) as call:
        wait_for(call, "zerolatency", "live")
        call("kill-server")
        assert running.left_behind(GONE_WITHIN_S) == []
