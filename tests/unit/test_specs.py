"""Which cameras are published, and what each has of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from zlfeed.config import Settings, load
from zlfeed.errors import UsageError
from zlfeed.publisher.operations import takers
from zlfeed.publisher.specs import camera_specs

TWO = """
bitrate = "500k"
fps = 20

[cameras.front]
source = 0
size = "1280x720"
bitrate = "2M"
no_overlay = true

[cameras.front.controls]
brightness = 0.2
exposure = 8000
focus_auto = false

[cameras.back]
source = "clips"
play = "once"
gop = "auto"
"""


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder with a configuration of two cameras, and no variables."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"ZLFEED_{name.upper()}", raising=False)
    monkeypatch.delenv("ZLFEED_CONFIG", raising=False)
    (tmp_path / "zlfeed.toml").write_text(TWO)


def test_the_cameras_of_the_file_are_published_where_none_is_named() -> None:
    front, back = camera_specs(load())
    assert (front.name, front.kind, front.target) == ("front", "device", "0")
    assert (back.name, back.kind, back.target, back.once) == ("back", "file", "clips", True)


def test_each_has_its_own_and_the_rest_is_as_for_all() -> None:
    settings = load()
    front, back = settings.of("front"), settings.of("back")
    assert (front.size, front.bitrate, front.fps, front.no_overlay) == ((1280, 720), 2_000_000, 20, True)
    assert (back.size, back.bitrate, back.fps, back.play) == (None, 500_000, 20, "once")
    assert takers.own_controls(settings, "front") == (
        ("brightness", "0.2"), ("exposure", "8000"), ("focus_auto", "off")
    )  # fmt: skip
    assert takers.own_controls(settings, "back") == ()
    assert settings.of("another").bitrate == 500_000


def test_a_flag_and_a_variable_go_before_the_file_here_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZLFEED_SIZE", "320x240")
    settings = load(bitrate="1M")
    assert (settings.of("front").bitrate, settings.of("front").size) == (1_000_000, (320, 240))
    assert settings.again().of("front").bitrate == 1_000_000


def test_auto_is_told_what_the_others_are() -> None:
    auto, *_ = camera_specs(load(camera=["auto", "front=0", "top=csi", "test"]))
    assert auto.besides == ("/dev/video0", "csi:0")


def test_a_named_camera_takes_the_settings_under_its_name() -> None:
    settings = load(camera=["front=test", "side=1"])
    assert [(spec.name, spec.kind) for spec in camera_specs(settings)] == [("front", "test"), ("side", "device")]
    assert settings.of("front").bitrate == 2_000_000
    (only,) = camera_specs(load(camera=["back"]))
    assert (only.name, only.target) == ("back", "clips"), "a name in the file is that camera"


@pytest.mark.parametrize(
    ("text", "flags", "sentence"),
    [
        ('[cameras.a]\nsize = "64x64"', {}, r"\[cameras.a\] has no source"),
        ('[cameras.a]\nsize = "64x64"', {"camera": ["b=test"]}, r"no --camera is called a"),
        ('[cameras.a]\nsource = "http://x"', {}, r"\[cameras.a\] source: --camera cannot read http:// URLs"),
        ('[cameras.a]\nsource = 0\n[cameras.b]\nsource = "/dev/video0"', {}, "0 and /dev/video0 are the same camera"),
        ("", {"camera": ["a=test", "a=0"]}, "two cameras are called 'a'"),
    ],
)
def test_what_cannot_be(text: str, flags: dict[str, object], sentence: str) -> None:
    Path("zlfeed.toml").write_text(text)
    with pytest.raises(UsageError, match=sentence):
        camera_specs(load(**flags))


def test_what_a_reload_takes_of_a_camera_and_what_waits() -> None:
    old = load()
    Path("zlfeed.toml").write_text(TWO.replace('"2M"', '"3M"').replace('source = "clips"', 'source = "test"'))
    assert takers.waiting(old, load()) == ["cameras.back.source"]
