from __future__ import annotations

from tests.support.commands import Running


def test_each_line_is_a_check_and_the_whole_chain_is_tried() -> None:
    with Running("doctor", "--self-test", "--json") as doctor:
        found = {}
        while (line := doctor.line("check", 60))["check"] != "self test":
            found[line["check"]] = line
        verdict = doctor.line("verdict")
        assert doctor.wait() == 0
        assert doctor.left_behind() == []
    assert found["encoder h264"]["text"].startswith("libx264: ")
    assert found["encoder h264"]["level"] in ("ok", "warn"), "this machine may be busy"
    assert {"python", "opencv", "ffmpeg", "mediamtx", "display", "network"} <= set(found)
    assert line["level"] in ("ok", "warn")
    assert "latency p50" in line["text"]
    assert verdict["level"] in ("ok", "warn")
