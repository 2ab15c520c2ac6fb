"""What a Raspberry Pi tells of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from zlfeed.pi import ThrottleReader, Throttling, model, parse_throttled


@pytest.mark.parametrize(
    ("text", "now", "ever"),
    [
        ("throttled=0x0\n", (), ()),
        ("throttled=0x50000", (), ("under-voltage", "throttled")),
        ("throttled=0x50005", ("under-voltage", "throttled"), ("under-voltage", "throttled")),
        ("e0008\n", ("soft temperature limit",), ("frequency capped", "throttled", "soft temperature limit")),
    ],
)
def test_the_flags_by_name(text: str, now: tuple[str, ...], ever: tuple[str, ...]) -> None:
    assert parse_throttled(text) == Throttling(now, ever)


@pytest.mark.parametrize("text", ["", "VCHI initialization failed", "throttled=", "0xg"])
def test_what_is_no_answer_is_unknown(text: str) -> None:
    assert parse_throttled(text) is None


def test_the_kernel_is_asked_first_and_the_program_seldom(tmp_path: Path) -> None:
    program, calls = tmp_path / "vcgencmd", tmp_path / "calls"
    program.write_text(f"#!/bin/sh\necho $1 >> {calls}\necho throttled=0x1\n")
    program.chmod(0o755)
    reader = ThrottleReader(tmp_path / "none", str(program))
    assert [reader.read(), reader.read()] == [Throttling(("under-voltage",), ())] * 2
    assert calls.read_text() == "get_throttled\n", "once in five seconds"
    (tmp_path / "sysfs").write_text("20000\n")
    assert ThrottleReader(tmp_path / "sysfs", str(program)).read() == Throttling((), ("frequency capped",))
    assert calls.read_text() == "get_throttled\n"


def test_elsewhere_it_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ThrottleReader(tmp_path / "none").read() is None
    assert model(tmp_path / "none") is None
    (tmp_path / "model").write_bytes(b"Raspberry Pi 4 Model B Rev 1.4\0")
    assert model(tmp_path / "model") == "Raspberry Pi 4 Model B Rev 1.4"
