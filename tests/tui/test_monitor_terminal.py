"""The monitor in a real terminal: tmux."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from tests.tui.test_monitor_command import Publisher, publishing
from zlfeed.errors import ExitCode

pytestmark = [pytest.mark.needs("tmux")]
LIMIT_S = 25.0
COMMAND = [sys.executable, "-m", "zlfeed", "monitor"]


class Terminal:
    """A shell in a tmux server of its own."""

    def __init__(self, socket: Path) -> None:
        self._tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]

    def tmux(self, *arguments: str) -> str:
        """Runs a tmux command; what it prints."""
        done = subprocess.run([*self._tmux, *arguments], capture_output=True, text=True, timeout=LIMIT_S, check=True)
        return done.stdout

    def type(self, line: str) -> None:
        """Types a line and Enter."""
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")

    def screen(self, *, escapes: bool = False) -> str:
        """What the terminal shows."""
        return self.tmux("capture-pane", "-p", *(["-e"] if escapes else []))

    async def shows(self, *words: str, gone: str | None = None, like: str = "") -> str:
        """Waits until all words and something like `like` are on the screen, and others are no more."""
        try:
            async with asyncio.timeout(LIMIT_S):
                while True:
                    shown = self.screen()
                    fits = all(word in shown for word in words) and re.search(like, shown)
                    if fits and (gone is None or gone not in shown):
                        return shown
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{words} {like} did not come; the terminal shows:\n{shown}") from None

    def modes(self) -> str:
        """What a program may leave changed: the other screen, the cursor, the mouse, the paste brackets."""
        flags = ("alternate_on", "cursor_flag", "mouse_any_flag", "mouse_sgr_flag", "keypad_flag")
        return self.tmux("display-message", "-p", " ".join(f"#{{{flag}}}" for flag in flags)).strip()

    def pid(self) -> int:
        """The process that runs in the shell."""
        shell = self.tmux("display-message", "-p", "#{pane_pid}").strip()
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", shell], capture_output=True, text=True, check=True)
        return int(found.stdout.split()[0])


@contextlib.asynccontextmanager
async def terminal(
    folder: Path, size: tuple[int, int] = (120, 40), term: str = "tmux-256color"
) -> AsyncIterator[Terminal]:
    """A terminal with a plain shell."""
    made = Terminal(folder / "tmux")
    made.tmux("new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), "sh")
    try:
        made.type("unset NO_COLOR; export LC_ALL=C.UTF-8; clear; echo rea''dy")
        await made.shows("ready")
        yield made
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            made.tmux("kill-server")


async def test_it_draws_follows_keys_and_sizes_and_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    async with publishing(Publisher()) as server, terminal(tmp_path) as term:
        term.type(f"export COLUMNS=80 LINES=24; stty -a > {tmp_path}/before.txt")  # which tells nothing of the size
        modes = term.modes()
        term.type(shlex.join([*COMMAND, f"127.0.0.1:{server.port}"]) + "; echo ended with $?")
        await term.shows("pi-garage", "healthy", "787 kbit/s", "wlan0")
        term.tmux("resize-window", "-x", "60", "-y", "18")
        await term.shows("healthy", "libx264 · 787 kbit/s")
        term.tmux("resize-window", "-x", "50", "-y", "12")
        await term.shows("the monitor needs")
        term.tmux("resize-window", "-x", "100", "-y", "30")
        await term.shows("a frame's way")
        term.tmux("send-keys", "?")
        await term.shows("Log to a file")
        term.tmux("send-keys", "Escape")
        await term.shows("pi-garage", gone="Log to a file")  # Escape and q at once would be Alt+q
        term.tmux("send-keys", "u")
        await term.shows("Enter copies")
        term.tmux("send-keys", "Enter")
        await term.shows("copied rtsp://127.0.0.1:8554/zerolatency")
        assert term.tmux("show-buffer") == "rtsp://127.0.0.1:8554/zerolatency"
        term.tmux("send-keys", "u")
        await term.shows("pi-garage", gone="copied")
        term.tmux("send-keys", "q")
        await term.shows("ended with 0")
        assert term.modes() == modes
        term.type(f"stty -a > {tmp_path}/after.txt; echo do''ne")
        await term.shows("done")
        assert settings(tmp_path / "before.txt") == settings(tmp_path / "after.txt")


def settings(file: Path) -> list[str]:
    """The terminal's settings, without its size."""
    return file.read_text().split("line = ")[1].split()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 143), (signal.SIGINT, 130)], ids=str
)
async def test_signals_leave_the_terminal_as_it_was(tmp_path: Path, number: int, code: int) -> None:
    async with publishing(Publisher()) as server, terminal(tmp_path, (80, 24)) as term:
        term.type(f"stty -a > {tmp_path}/before.txt")
        modes = term.modes()
        term.type(shlex.join([*COMMAND, f"127.0.0.1:{server.port}"]) + "; echo ended with $?")
        await term.shows("healthy")
        os.kill(term.pid(), number)
        await term.shows(f"ended with {code}")
        assert term.modes() == modes
        term.type(f"stty -a > {tmp_path}/after.txt; echo do''ne")
        await term.shows("done")
        assert settings(tmp_path / "before.txt") == settings(tmp_path / "after.txt")


async def test_a_terminal_that_goes_takes_the_monitor_with_it(tmp_path: Path) -> None:
    async with publishing(Publisher()) as server, terminal(tmp_path, (80, 24)) as term:
        term.type(shlex.join([*COMMAND, f"127.0.0.1:{server.port}"]))
        await term.shows("healthy")
        monitor = psutil.Process(term.pid())
        term.tmux("kill-server")
        await asyncio.to_thread(monitor.wait, LIMIT_S)


async def test_a_terminal_that_takes_nothing_more_does_not_keep_it() -> None:
    """A connection that hangs: what is drawn waits in the kernel, and with it whoever draws."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    before = termios.tcgetattr(its)
    async with publishing(Publisher()) as server:
        command = [*COMMAND, f"127.0.0.1:{server.port}"]
        monitor = await asyncio.to_thread(
            subprocess.Popen, command, stdin=its, stdout=its, stderr=its, start_new_session=True
        )
        try:
            async with asyncio.timeout(LIMIT_S):
                while termios.tcgetattr(its) == before:
                    await asyncio.sleep(0.05)
            await asyncio.sleep(3.0)  # nobody reads: it has drawn all that the kernel takes
            monitor.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(monitor.wait, LIMIT_S) == ExitCode.SIGTERM
            assert termios.tcgetattr(its) == before
        finally:
            monitor.kill()
            monitor.wait(LIMIT_S)
            os.close(ours)
            os.close(its)


async def test_a_terminal_that_goes_without_a_signal_takes_the_monitor_with_it_too() -> None:
    """One that is not its controlling terminal, as under setsid."""
    async with publishing(Publisher()) as server:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        process = await asyncio.create_subprocess_exec(
            *COMMAND, f"127.0.0.1:{server.port}", stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        os.close(slave)
        try:
            async with asyncio.timeout(LIMIT_S):
                shown = b""
                while b"healthy" not in shown:
                    shown += await asyncio.to_thread(os.read, master, 1 << 16)
                os.close(master)
                assert await process.wait() == ExitCode.SIGTERM
        finally:
            if process.returncode is None:
                process.kill()


async def test_control_c_is_an_interrupt(tmp_path: Path) -> None:
    async with publishing(Publisher()) as server, terminal(tmp_path, (80, 24)) as term:
        term.type(shlex.join([*COMMAND, f"127.0.0.1:{server.port}"]) + "; echo ended with $?")
        await term.shows("healthy")
        term.tmux("send-keys", "C-c")
        await term.shows("ended with 130")


async def test_a_publisher_that_goes_and_comes_back_is_shown_so(tmp_path: Path) -> None:
    async with terminal(tmp_path) as term:
        async with publishing(Publisher()) as server:
            port = server.port
            term.type(shlex.join([*COMMAND, f"127.0.0.1:{port}"]))
            await term.shows("● live")
        await term.shows("no contact with pi-garage", "next in", "contact lost")
        source = Publisher()
        async with publishing(source, port):
            await term.shows("● live", "in contact again")


async def test_a_refused_token_is_one_sentence_on_a_clean_screen(tmp_path: Path) -> None:
    async with publishing(Publisher(token="the-right-one")) as server, terminal(tmp_path) as term:
        term.type(shlex.join([*COMMAND, f"127.0.0.1:{server.port}"]) + "; echo ended with $?")
        shown = await term.shows("ended with 3")
        assert "refuses the token" in shown
        assert "live" not in shown


@pytest.mark.parametrize(
    ("setting", "colours", "unicode"),
    [
        ("NO_COLOR=1", False, True),
        ("NO_COLOR=", True, True),
        ("TERM=xterm-16color", True, True),
        ("TERM=linux", True, False),
        ("LC_ALL=C", True, False),
    ],
)
async def test_the_terminals_abilities_are_respected(
    tmp_path: Path, setting: str, colours: bool, unicode: bool
) -> None:
    async with publishing(Publisher()) as server, terminal(tmp_path) as term:
        term.type(f"{setting} {shlex.join([*COMMAND, f'127.0.0.1:{server.port}'])}")
        shown = await term.shows("pi-garage", "healthy", "787 kbit/s")
        escapes = term.screen(escapes=True)
        assert bool(re.search(r"\x1b\[(\d+;)*(3[0-8]|4[0-8]|9[0-7])[;m]", escapes)) == colours
        assert shown.isascii() is not unicode
        if "16color" in setting:
            assert "38;2;" not in escapes
            assert "38;5;" not in escapes
