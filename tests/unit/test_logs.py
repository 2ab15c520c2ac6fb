"""What the log says to people and to programs."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zlfeed import logs

Said = Callable[[], str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Iterator[Said]:
    """What stderr has got since the last call, without the time of day of the first line."""
    logs.setup("text")
    yield lambda: capsys.readouterr().err[10:].rstrip("\n")
    logs.setup("json", "debug")


@pytest.mark.parametrize(
    ("level", "event", "values", "line"),
    [
        ("info", "camera_opened", {"text": "camera front: open", "camera": "front"}, "camera front: open"),
        ("info", "camera_lost", {"text": "no signal", "camera": "front"}, "no signal  camera front"),
        ("info", "viewer_joined", {"peer": "a:1", "transport": "tcp"}, "viewer joined  peer a:1  transport tcp"),
        ("warning", "no_window", {"reason": "no display"}, "warning: no window: no display"),
        ("error", "reader_failed", {"error": "OSError()"}, "error: reader failed: OSError()"),
    ],
)
def test_people_read_sentences(said: Said, level: str, event: str, values: dict[str, str], line: str) -> None:
    getattr(logs.get("zlfeed.part"), level)(event, **values)
    assert said() == line


def test_what_a_client_says_cannot_draw_on_the_terminal(said: Said) -> None:
    logs.get("zlfeed.part").info("client_joined", name="\x1b[2Jnobody\r\n")
    assert said() == r"client joined  name \x1b[2Jnobody\r\n"


def test_credentials_stay_out(said: Said) -> None:
    logs.get("zlfeed.part").warning("lost", text="rtsp://viewer:secret@host/x was lost")
    assert said() == "warning: rtsp://***@host/x was lost"


def test_a_token_stays_out_wherever_it_stands(said: Said) -> None:
    logs.conceal("s3cret%token")
    log = logs.get("zlfeed.part")
    log.warning(
        "lost",
        text="s3cret%token",
        url="x?t=s3cret%25token",
        deep={"a": ["s3cret%token", 1]},
        error=ValueError("s3cret%token"),
    )
    try:
        raise ValueError("about s3cret%token")
    except ValueError:
        log.exception("part_failed", n=3)
    sys.excepthook(ValueError, ValueError("s3cret%token"), None)
    words = said()
    assert "s3cret" not in words
    assert words.count("***") >= 6
    record = logging.LogRecord("other", logging.ERROR, "f.py", 1, "went wrong with %s", ("s3cret%token",), None)
    assert logs.ScrubbingFormatter("%(name)s: %(message)s").format(record) == "other: went wrong with ***"


def test_what_a_header_says_to_prove_a_login_stays_out(said: Said) -> None:
    logs.get("zlfeed.part").warning("lost", text="Authorization: Basic dmlld2VyOnNlY3JldA== was sent")
    assert said() == "warning: Authorization: Basic *** was sent"


def test_values_without_secrets_stay_what_they_are() -> None:
    logs.conceal("s3cret-token")
    values = {"n": 1, "f": 0.5, "none": None, "yes": True, "list": [1, "two"]}
    assert logs.scrubbed(values) == values
    logs.conceal("short")
    assert logs.scrub("short words stay") == "short words stay"


def test_debug_is_asked_for(said: Said) -> None:
    logs.get("zlfeed.part").debug("detail")
    assert said() == ""


def test_what_a_child_said_stands_line_by_line(said: Said) -> None:
    logs.get("zlfeed.part").info("ffmpeg_log", lines=["one", "rtsp://viewer:secret@host/x\x1b[2J"])
    assert said().splitlines() == ["ffmpeg log", "          one", r"          rtsp://***@host/x\x1b[2J"]


def test_a_failure_brings_its_trace(said: Said) -> None:
    try:
        raise ValueError("why")
    except ValueError:
        logs.get("zlfeed.part").exception("part_failed")

    line, _, trace = said().partition("\n")
    assert line == "error: part failed"
    assert trace.endswith("ValueError: why")


def test_programs_read_json(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("json", "debug")
    logs.get("zlfeed.rtsp.server").info("viewer_joined", peer="a:1")
    line = json.loads(capsys.readouterr().err)

    assert line["event"] == "viewer_joined"
    assert line["part"] == "rtsp.server"
    assert line["timestamp"].endswith("Z")


def test_a_log_that_nobody_reads_any_more_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())
    logs.get("zlfeed.part").error("unheard")


@pytest.mark.parametrize(("log_format", "line"), [("text", "<3>12:00:00  error: part failed"), ("json", '<3>{"part"')])
def test_journald_gets_priorities(log_format: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "strftime", lambda _format: "12:00:00")
    with open(tmp_path / "journal", "w+") as journal:
        monkeypatch.setattr(sys, "stderr", journal)
        found = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        logs.setup(log_format)
        try:
            raise ValueError("why")
        except ValueError:
            logs.get("zlfeed.part").exception("part_failed")
        logs.get("zlfeed.part").warning("odd")
        lines = (tmp_path / "journal").read_text().splitlines()
    logs.setup("json", "debug")
    assert lines[0].startswith(line)
    assert all(words.startswith("<3>") for words in lines[:-1]), "a traceback's lines too"
    assert lines[-1].startswith("<4>")


def test_the_stream_of_another_process_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    logs.setup("json")
    logs.get("zlfeed.part").warning("odd")
    assert capsys.readouterr().err.startswith("{")
