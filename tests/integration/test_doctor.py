from __future__ import annotations

from pathlib import Path

from tests.support.commands import Running


def test_each_line_is_a_check_and_the_whole_chain_is_tried() -> None:
    with Running("doctor", "--self-test", "--json") as doctor:
        found = {}
        while (line := doctor.line("check", 60))["check"] != "self test":
            found[line["check"]] = line
        verdict = doctor.line("verdict")
        assert doctor.wait() == 0
        assert doctor.left_behind() == []
    assert found["encoder libx264"]["level"] == "ok"
    assert {"python", "opencv", "ffmpeg", "mediamtx", "display", "network"} <= set(found)
    assert line["level"] in ("ok", "warn")
    assert "latency p50" in line["text"]
    assert verdict["level"] in ("ok", "warn")


def test_an_ffmpeg_that_is_none_fails_it_with_words(tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho no video here >&2\nexit 1\n")
    program.chmod(0o755)
    with Running("doctor", "--json", "--ffmpeg-path", str(program)) as doctor:
        line = doctor.line("check", 60, check="encoder libx264")
        assert line["level"] == "fail"
        assert "no video here" in line["text"]
        assert doctor.line("verdict")["level"] == "fail"
        assert doctor.wait() == 1
