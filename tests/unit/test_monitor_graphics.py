"""Pictures in the terminal's own pixels: which way, what is written, what the terminal answers."""

from __future__ import annotations

import base64
import io
import os
import pty
import re
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping

import pytest
from PIL import Image

from tests.unit.test_monitor_preview import jpeg
from zlfeed.monitor import asking, graphics, preview

pytestmark = [pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")]


@pytest.mark.parametrize(
    ("said", "environ", "expected"),
    [
        ("auto", {"TERM": "xterm-kitty"}, "kitty"),
        ("auto", {"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ("auto", {"TERM": "xterm-ghostty"}, "kitty"),
        ("auto", {"TERM": "xterm-256color"}, "sixel"),
        ("auto", {"TERM": "tmux-256color", "TMUX": "/tmp/x", "KITTY_WINDOW_ID": "1"}, "sixel"),
        ("auto", {"TERM": "linux"}, ""),
        ("auto", {"TERM": "dumb"}, ""),
        ("auto", {}, ""),
        ("kitty", {"TERM": "xterm"}, "kitty"),
        ("kitty", {"TERM": "xterm", "STY": "1.x"}, ""),
        ("sixel", {"TERM": "xterm-kitty"}, "sixel"),
        ("blocks", {"TERM": "xterm-kitty"}, ""),
    ],
)
def test_which_way(said: str, environ: Mapping[str, str], expected: str) -> None:
    assert graphics.kind(said, environ) == expected


def test_without_the_extra_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert graphics.kind("auto", {"TERM": "xterm-256color"}) == ""
    assert graphics.kind("sixel", {"TERM": "xterm-256color"}) == ""


@pytest.mark.parametrize("size", [(16, 12), (160, 120)])
def test_kittys_picture_is_the_picture(size: tuple[int, int]) -> None:
    noise = Image.frombytes("RGB", size, os.urandom(3 * size[0] * size[1]))
    written = graphics.kitty(noise, 20, 8)
    chunks = re.findall("\x1b_G([^;]*);([^\x1b]*)\x1b\\\\", written)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in chunks) == written
    assert chunks[0][0].startswith("a=T,f=100,") and "c=20,r=8,C=1,q=2" in chunks[0][0]  # noqa: PT018
    assert [keys[-3:] for keys, _ in chunks] == ["m=1"] * (len(chunks) - 1) + ["m=0"]
    assert max(len(data) for _, data in chunks) <= 4096
    assert (len(chunks) > 1) == (size[0] > 16)
    shown = Image.open(io.BytesIO(base64.standard_b64decode("".join(data for _, data in chunks))))
    assert shown.size == size
    same = re.search(r"i=\d+", written)
    assert same and same[0] in graphics.kitty_gone()  # noqa: PT018


def test_sixels_have_the_cells_size_and_the_terminal_is_not_asked() -> None:
    """In a process of its own on a terminal: textual-image would ask it, and take NumPy."""
    program = """if True:
        import sys
        from zlfeed.monitor import graphics, preview
        from tests.unit.test_monitor_preview import jpeg
        image = preview.image(jpeg())
        for cell in ((9, 18), (6, 13)):
            said = graphics.Sixel(cell).encode(image, 12, 4)
            print(repr(said[:40]), repr(said[-2:]), file=sys.stderr)
        print([name for name in ("numpy", "cv2", "textual") if name in sys.modules], file=sys.stderr)
    """
    ours, its = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", program], stdin=its, stdout=its, stderr=subprocess.PIPE, text=True, check=True
        )
        os.set_blocking(ours, False)
        with pytest.raises(BlockingIOError):
            os.read(ours, 1)
    finally:
        os.close(ours)
        os.close(its)
    first, second, loaded = done.stderr.splitlines()
    assert '"1;1;108;72' in first
    assert '"1;1;72;52' in second
    assert "x1bP" in first and first.endswith(r"'\x1b\\'")  # noqa: PT018
    assert loaded == "[]"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"\x1b[6;18;9t\x1b[?62;4;22c", (True, (9, 18))),
        (b"\x1b[?62;22c", (False, None)),
        (b"\x1b[?64c", (False, None)),
        (b"abc\x1b[6;0;9t\x1b[?4c", (True, None)),
        (b"", (False, None)),
    ],
)
def test_the_terminals_answer(said: bytes, expected: tuple[bool, tuple[int, int] | None]) -> None:
    assert asking.parse(said) == expected


@pytest.mark.parametrize("answer", [b"\x1b[6;18;9t\x1b[?62;4c", b"", b"x"])
def test_a_terminal_is_asked_and_left_as_it_was(answer: bytes) -> None:
    ours, its = pty.openpty()
    try:
        before = termios.tcgetattr(its)
        question = asking.Question(its)
        assert os.read(ours, 100) == asking.QUESTION
        assert termios.tcgetattr(its) != before
        sender = threading.Timer(0.02, os.write, (ours, answer))
        sender.start()
        assert question.answer() == ((True, (9, 18)) if len(answer) > 1 else (False, None))
        sender.join()
        assert termios.tcgetattr(its) == before
    finally:
        os.close(ours)
        os.close(its)


def test_a_picture_that_is_none_is_said() -> None:
    with pytest.raises(preview.NoPicture):
        preview.image(b"garbage")
    assert preview.image(jpeg()).size == (64, 48)
