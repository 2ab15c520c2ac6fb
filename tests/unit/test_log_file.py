"""The log file, on real disks: rotated, unwritable, full."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from zlfeed import logs
from zlfeed.log_file import LogFile


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    logs.setup("json", "debug")


def test_lines_are_json_whatever_stderr_gets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "zlfeed.log"
    logs.setup("text", file=path)
    logs.get("zlfeed.part").warning("camera_lost", text="rtsp://me:secret@host is gone", camera="front")
    logs.setup("json")
    assert capsys.readouterr().err.endswith("warning: rtsp://***@host is gone  camera front\n")
    line = json.loads(path.read_text())
    assert (line["event"], line["level"], line["camera"]) == ("camera_lost", "warning", "front")
    assert "secret" not in path.read_text()
    assert line["timestamp"].endswith("Z")


def test_it_is_rotated_by_size_and_old_ones_go(tmp_path: Path) -> None:
    path, trouble = tmp_path / "zlfeed.log", list[str]()
    file = LogFile(path, 1000, 2, trouble.append)
    for number in range(100):
        file.write(f"{number:099d}")
    file.close()
    assert trouble == []
    assert sorted(found.name for found in tmp_path.iterdir()) == ["zlfeed.log", "zlfeed.log.1", "zlfeed.log.2"]
    assert all(found.stat().st_size <= 1000 for found in tmp_path.iterdir())
    assert path.read_text().splitlines()[-1] == f"{99:099d}"


@pytest.mark.parametrize(
    ("place", "why"), [("/nowhere/zlfeed.log", "No such file or directory"), ("/dev/full", "No space left on device")]
)
def test_what_cannot_be_written_is_said_once(place: str, why: str) -> None:
    trouble: list[str] = []
    file = LogFile(Path(place), 1 << 30, 1, trouble.append)
    for _ in range(50):
        file.write("line")
    file.close()
    assert trouble == [f"the log file {place} cannot be written: {why}; the feed goes on without it"]


def test_the_log_says_so_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("json", file=Path("/nowhere/zlfeed.log"))
    logs.get("zlfeed.part").info("begun")
    logs.setup("json")
    events = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert events == ["begun", "log_file_failed"]
