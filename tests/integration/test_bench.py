"""`zlfeed bench` as its users run it, with real programs."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.commands import Running

QUICK = ("--rounds", "1", "--duration", "1")


def path_without(program: str) -> str:
    """PATH without the folders that hold a program."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if not (Path(folder) / program).exists())


@pytest.mark.alone
@pytest.mark.needs("ffmpeg")
def test_without_mediamtx_the_plain_chain_goes_through_a_relay(tmp_path: Path) -> None:
    svg = tmp_path / "latency.svg"
    env = {"PATH": path_without("mediamtx")}
    with Running("bench", "--only", "plain", *QUICK, "--json", "--picture", str(svg), env=env) as bench:
        plain = bench.line("run", 60, chain="plain chain")
        assert "no MediaMTX" in bench.words
        stock = bench.line("run", 60, chain="stock viewer")
        ours = bench.line("run", 60, chain="zlfeed")
        for run in (plain, stock, ours):
            assert run["error"] is None
            assert run["frames"] > 5
            assert 0 < run["p50_ms"] <= run["p99_ms"] <= run["max_ms"]
            assert run["publisher_cpu"] > 0
            assert run["unread"] == 0
        assert ours["p50_ms"] < plain["p50_ms"]
        assert set(ours["stages_ms"]) >= {"capture", "encode", "relay"}
        assert bench.line("bench", 10)["FFmpeg"]
        assert bench.wait(20) == 0
        assert not bench.left_behind()
    ElementTree.parse(svg)


@pytest.mark.needs("ffmpeg", "mediamtx")
def test_mediamtx_serves_the_plain_chain_where_it_is() -> None:
    with Running("bench", "--only", "plain", *QUICK, "--json") as bench:
        assert bench.line("run", 60, chain="plain chain")["server_cpu"] is not None
        assert bench.end(signal.SIGTERM, 20) == 143
        assert not bench.left_behind()


@pytest.mark.needs("ffmpeg")
@pytest.mark.skipif(importlib.util.find_spec("av") is None, reason="the limit needs PyAV")
def test_the_limit_is_measured_in_one_process() -> None:
    with Running("bench", "--only", "limit", *QUICK, "--json") as bench:
        run = bench.line("run", 60, chain="the limit")
        assert run["error"] is None
        assert set(run["stages_ms"]) == {"draw", "encode", "decode", "convert"}
        assert bench.wait(20) == 0


@pytest.mark.needs("ffmpeg")
def test_ctrl_c_ends_it_with_what_it_has_and_leaves_nothing_running() -> None:
    env = {"PATH": path_without("mediamtx")}
    with Running("bench", "--only", "plain", "--rounds", "9", "--duration", "30", env=env) as bench:
        deadline = time.monotonic() + 30
        while "[1/" not in bench.words and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1.0)  # its children are on their way
        assert bench.end(signal.SIGINT, 20) == 130
        assert not bench.left_behind()
        assert "Traceback" not in bench.words


def test_an_unknown_group_is_a_usage_error() -> None:
    with Running("bench", "--only", "plain,nonsense") as bench:
        assert bench.wait(20) == 2
        assert "--only knows no group 'nonsense'" in bench.words


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--only", ","), "--only takes one or more of plain,"),
        (("--only", "limit", "--picture", "{folder}/none/x.svg"), "x.svg cannot be written"),
        (("--only", "limit", "--picture", "{folder}"), "cannot be written: give a file"),
        (("--only", "slow", "--picture", "{folder}/x.svg"), "--picture draws the latencies of the groups plain,"),
    ],
)
def test_what_cannot_be_told_or_drawn_is_said_before_anything_is_measured(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    with Running("bench", *(argument.format(folder=tmp_path) for argument in arguments)) as bench:
        assert bench.wait(20) == 2
        assert said in bench.words
        assert "[1/" not in bench.words


@pytest.mark.alone
@pytest.mark.needs("ffmpeg")
def test_light_readers_count_every_frame_of_ours(tmp_path: Path) -> None:
    feed = ("--camera", "test", "--size", "320x240", "--fps", "20", "--no-auth", "--server", "embedded")
    with Running("publish", *feed, "--rtsp-port", "0", "--websocket-port", "0", "--json") as publisher:
        url = publisher.line("ready")["urls"]["rtsp"]
        program = ("-m", "zlfeed.bench.programs.crowd")
        with Running(url, "5", "2", program=program) as crowd:
            seen = json.loads(json.dumps(crowd.line("seen", 30)))
            assert seen["errors"] == []
            assert len(seen["frames"]) == 5
            assert all(25 <= frames <= 60 for frames in seen["frames"])


@pytest.mark.alone
@pytest.mark.needs("ffmpeg")
def test_a_slow_link_lets_through_what_it_is_told() -> None:
    feed = ("--camera", "test", "--size", "320x240", "--fps", "20", "--bitrate", "400k", "--no-auth")
    ports = ("--server", "embedded", "--rtsp-port", "0", "--websocket-port", "0", "--json")
    with Running("publish", *feed, *ports) as publisher:
        url = publisher.line("ready")["urls"]["rtsp"]
        port = url.rsplit(":", 1)[1].split("/")[0]
        program = ("-m", "zlfeed.bench.programs.slow_link")
        with Running("127.0.0.1", port, "160000", program=program) as link:
            slow = url.replace(port, str(link.line("ready")["port"])).replace("localhost", "127.0.0.1")
            with Running(slow, "1", "4", program=("-m", "zlfeed.bench.programs.crowd")) as reader:
                seen = reader.line("seen", 40)
                assert seen["errors"] == []
                # 160 kbit/s for 4 s are 80 KB, and what came before and lies in buffers is not much more.
                assert 10_000 < seen["bytes"] < 300_000
