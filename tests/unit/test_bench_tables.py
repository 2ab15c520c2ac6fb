"""The bench's tables and its picture."""

from __future__ import annotations

import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from zlfeed.bench import goals, picture, plan, tables
from zlfeed.bench.figures import Behind, Latency
from zlfeed.bench.measure import Crowd, Openings, Run, SlowLink
from zlfeed.bench.plan import Chain, Format
from zlfeed.bench.results import Results
from zlfeed.errors import ZlfeedError

USUAL = Latency(71.7, 73.0, 1174.4, 1276.1, 1113.5, 1156.7, 140.0, 120, 12, 0)
OURS = Latency(3.3, 4.4, 5.2, 5.6, 11.3, 16.0, 40.0, 120, 0, 0)


def runs() -> list[Run]:
    chains = plan.plain_group(Format(), "mediamtx") + plan.limit_group(Format())
    latencies = dict(zip((chain.name for chain in chains), (USUAL, USUAL, OURS, OURS), strict=True))
    return [
        Run(chain, number, latencies[chain.name], 12.3, 1.2, 104.5, {"capture": 0.7, "encode": 1.4}, (3.0, 4.0))
        for number in (1, 2)
        for chain in chains
    ]


def filled() -> Results:
    results = Results(Format(), as_json=False)
    for run in runs():
        results.add(run)
    for chain in plan.clients_group(Format(), "mediamtx", ["opencv", "ffmpeg", "gstreamer"]):
        results.add(Run(chain, 1, USUAL, 112.3, 101.2, 104.5))
    for chain in plan.formats_group("mediamtx"):
        results.add(Run(chain, 1, USUAL, 112.3, 101.2, 104.5))
    for server in ("zlfeed", "MediaMTX"):
        for readers in (1, 10, 50, 200):
            results.add(Crowd(server, readers, 1, 6.0 + readers / 10, 4.0, 120.0, 240, 241))
        results.add(SlowLink(server, 400_000, 1, Behind(6504.3, 11739.9), 14.5, 2650.0))
        results.add(Openings(server, 60, 1, (7.0, 9.0), (12.0, None)))
    return results


def test_every_table_fits_80_columns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    filled().tell({"FFmpeg": "5.1.9-0+deb12u1", "OpenCV": "5.0.0", "MediaMTX": "v1.20.1"})
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert "…" not in said.replace("→", ""), "something was cut short"
    for words in ("plain chain", "gstreamer udp, zlfeed", "h265 1080p60, plain", "1276", "11740", "1 never"):
        assert words in said


def test_ratios_and_goals_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    results = filled()
    by_text = {goal.text: goal for goal in results.goals()}
    assert by_text["p50 against the plain chain"].value == pytest.approx(3.3 / 71.7)
    assert by_text["p50 against the plain chain"].met
    assert by_text["p50 against the limit"].value == 1
    assert by_text["50 readers: CPU against MediaMTX's"].value == 1
    assert by_text["50 readers: CPU against MediaMTX's"].met is False
    results.tell({})
    said = capsys.readouterr().out
    assert "21.7×" in said
    assert "1/21.7" in said
    assert "not met" in said


def test_a_chain_without_a_picture_is_a_row_of_dashes_and_a_reason() -> None:
    chain = Chain("plain", "zlfeed", Format(), None)
    out = io.StringIO()
    console = Console(file=out, width=80)
    for thing in tables.latency({chain.key: [Run(chain, 1, Latency(), error="FFmpeg ended")]}, "plain", "x"):
        console.print(thing)
    assert "–" in out.getvalue()
    assert "zlfeed, round 1: FFmpeg ended" in out.getvalue()


def test_goals_that_were_not_measured_are_not_claimed() -> None:
    assert goals.of_latency({}) == []
    assert goals.of_readers([]) == []
    assert goals.of_openings([Openings("zlfeed", 300, 1, (9.0,), (9.0,))], 30.0) == []


def test_an_opening_that_was_never_live_misses_the_goal() -> None:
    first, live = goals.of_openings([Openings("zlfeed", 60, 1, (9.0, 8.0), (9.0, None))], 30.0)
    assert first.met is True
    assert live.met is False


def test_json_lines_hold_every_run_and_the_medians(capsys: pytest.CaptureFixture[str]) -> None:
    results = Results(Format(), as_json=True)
    for run in runs():
        results.add(run)
    results.tell({"FFmpeg": "7"})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [next(iter(line)) for line in lines] == ["type"] * len(lines)
    assert sum(line["type"] == "run" for line in lines) == 8
    (ours,) = [line for line in lines if line["type"] == "chain" and line["chain"] == "zlfeed"]
    assert ours["p50_ms"] == 3.3
    assert ours["sooner"] == pytest.approx(21.7, abs=0.1)
    assert lines[-1]["type"] == "bench"


def test_the_picture_is_an_svg_with_a_row_a_chain(tmp_path: Path) -> None:
    results = filled()
    results.draw(tmp_path / "x.svg")
    root = ElementTree.parse(tmp_path / "x.svg").getroot()
    assert root.tag.endswith("svg")
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    for name in ("plain chain", "zlfeed", "the limit"):
        assert name in texts
    with pytest.raises(ZlfeedError, match="cannot be written"):
        results.draw(tmp_path / "no" / "x.svg")


@pytest.mark.parametrize("values", [[], [3.0], [0.0, -0.1, 5.0], [3.0] * 100, [1.0, 9999.0]])
def test_any_values_can_be_drawn(values: list[float]) -> None:
    drawn = picture.svg([picture.Row("a & b", values)], "<title>", "about")
    ElementTree.fromstring(drawn)
    assert "nan" not in drawn
