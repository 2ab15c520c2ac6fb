"""The catalogue of encoders, how trials are judged, and how they are kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from zlfeed.publisher.encode.choice import FAILURE_HOLDS_S, TrialStore, size_class
from zlfeed.publisher.encode.encoders import KINDS, default_name, kind_of, kinds_for
from zlfeed.publisher.encode.ffmpeg import EncoderSettings, encode_argv
from zlfeed.publisher.encode.trial import Trial, _cause, order

X264 = Trial("libx264", "ffmpeg", True, 0, 2.0, 4.0)
WISH = EncoderSettings(640, 480, 30, 800_000, 30)


def test_each_encoder_has_a_name_of_its_own_and_each_codec_a_default_in_software() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    for codec in ("h264", "h265", "av1"):
        assert not kinds_for(codec)[0].hardware
        assert default_name(codec) == kinds_for(codec)[0].name


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_command_line_has_options_in_pairs_and_no_b_frames(kind: object) -> None:
    assert isinstance(kind, type(KINDS[0]))
    argv = encode_argv(Path("ffmpeg"), replace(WISH, codec=kind.codec, encoder=kind.name), warm=True)
    assert argv[argv.index("-c:v") + 1] == kind.name
    assert argv[argv.index("-bf") + 1] == "0"
    assert "{device}" not in " ".join(argv)
    assert argv.index("-i") < argv.index("-c:v")
    if kind.limits == "vbv":
        assert argv[argv.index("-bufsize") + 1] == "200000"


@pytest.mark.parametrize(
    ("encoder", "option"), [("libx264", "-preset"), ("h264_nvenc", "-preset"), ("libaom-av1", "-cpu-used")]
)
def test_a_preset_takes_the_place_of_ours(encoder: str, option: str) -> None:
    argv = encode_argv(Path("ffmpeg"), replace(WISH, encoder=encoder, preset="other"), warm=False)
    assert argv[argv.index(option) + 1] == "other"
    assert argv.count("other") == 1
    bare = encode_argv(Path("ffmpeg"), replace(WISH, encoder="h264_vaapi", preset="other"), warm=False)
    assert "other" not in bare


def test_of_an_unknown_encoder_nothing_is_assumed() -> None:
    assert kind_of("h264_other", "h264").options == ()


@pytest.mark.parametrize(
    ("trials", "best"),
    [
        ([X264, replace(X264, encoder="h264_v4l2m2m", p50_ms=14.0, p95_ms=18.0)], "libx264"),
        # At 30 fps there are 33 ms a frame: one that takes them all drops frames, however little it holds back.
        ([replace(X264, p50_ms=30.0, p95_ms=36.0), replace(X264, encoder="h264_v4l2m2m", p50_ms=14.0)], "h264_v4l2m2m"),
        ([replace(X264, held=3), replace(X264, encoder="h264_vaapi", p50_ms=9.0)], "h264_vaapi"),
        ([replace(X264, works=False), replace(X264, encoder="h264_vaapi", held=1)], "h264_vaapi"),
    ],
)
def test_the_best_holds_nothing_back_keeps_pace_and_is_quick(trials: list[Trial], best: str) -> None:
    assert order(trials, 30)[0].encoder == best


def test_none_that_fails_is_chosen() -> None:
    assert order([replace(X264, works=False)], 30) == []


def test_swift_is_a_quarter_of_a_frame() -> None:
    assert X264.swift(30)
    assert not X264.swift(120)
    assert not replace(X264, held=1).swift(30)
    assert not Trial("x", "ffmpeg", True).swift(30)


@pytest.mark.parametrize(
    ("size", "name"),
    [((320, 240), "SD"), ((640, 480), "SD"), ((800, 600), "HD"), ((1920, 1080), "FHD"), ((3840, 2160), "UHD")],
)
def test_sizes_have_classes(size: tuple[int, int], name: str) -> None:
    assert size_class(*size) == name


def test_the_cause_is_ffmpeg_s_first_complaint() -> None:
    lines = ["[vost#0:0 @ 0x5][h264_nvenc @ 0x55] Cannot load libcuda.so.1", "Error while opening encoder."]
    assert _cause(lines) == "Cannot load libcuda.so.1"
    assert _cause([]) == ""


def test_trials_are_kept_and_failures_for_a_day(tmp_path: Path) -> None:
    file = tmp_path / "state" / "encoders.json"
    store = TrialStore(file)
    failure = replace(X264, works=False, why="busy")
    assert store.get("a") is None
    store.put("a", X264)
    store.put("b", failure)
    assert TrialStore(file).get("a") == X264
    assert TrialStore(file).get("b") == failure
    kept = json.loads(file.read_text())
    for entry in kept.values():
        entry["at"] -= FAILURE_HOLDS_S + 1
    file.write_text(json.dumps(kept))
    assert store.get("a") == X264
    assert store.get("b") is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"a": 1}', '{"a": {"at": "x", "trial": {}}}', '{"a": {"at": 1, "trial": {"no": 1}}}']
)
def test_a_file_that_is_damaged_counts_as_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "encoders.json"
    file.write_text(text)
    assert TrialStore(file).get("a") is None
    TrialStore(file).put("a", X264)
    assert TrialStore(file).get("a") == X264


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = TrialStore(tmp_path / "file" / "encoders.json")
    store.put("a", X264)
    assert store.get("a") is None
