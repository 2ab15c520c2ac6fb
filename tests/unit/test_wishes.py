"""Controls as settings, and what is kept of them for the next start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from zlfeed.publisher.camera import CameraSpec
from zlfeed.publisher.capture import CaptureSettings
from zlfeed.publisher.controls.definitions import FEED_CONTROLS, FeedValues
from zlfeed.publisher.controls.kept import Keeper, identity
from zlfeed.publisher.controls.wishes import Kept, defaults, restored, said, to_keep, with_value
from zlfeed.publisher.pipeline import PipelineSettings

SPEC = CameraSpec("front", "file", "clip.mp4")
STARTED = PipelineSettings(CaptureSettings(SPEC, None, None), Path("ffmpeg"), 800_000, None, "h264", "auto")
SET = {
    "bitrate": "500", "gop": "10", "fps": "15", "size": "320x240", "orientation": "rotate-90", "overlay": "off",
    "privacy": "released",
}  # fmt: skip


def changed(settings: PipelineSettings = STARTED, /, **values: str) -> PipelineSettings:
    for name, value in values.items():
        settings = with_value(settings, name, value)
    return settings


def test_each_control_is_a_setting_and_comes_back() -> None:
    assert set(SET) == set(FEED_CONTROLS)
    settings = changed(**SET)
    assert said(settings) == SET
    assert settings.capture.fps == 15.0
    assert settings.capture.size == (320, 240)
    assert settings.bitrate == 500_000
    for name, value in SET.items():
        alone = said(changed(**{name: value}))
        assert {other for other in SET if alone[other] != said(STARTED)[other]} == {name}


def test_what_was_set_comes_back_at_the_next_start_and_nothing_else() -> None:
    now = changed(orientation="flip", bitrate="500")
    kept = to_keep(now, STARTED)
    assert kept == {"orientation": Kept("flip", "normal"), "bitrate": Kept("500", "800")}
    assert restored(STARTED, kept) == now
    assert to_keep(STARTED, STARTED) == {}
    assert restored(STARTED, {}) == STARTED


def test_what_is_set_back_is_not_kept() -> None:
    assert to_keep(changed(changed(bitrate="500"), bitrate="800"), STARTED) == {}


def test_a_feed_that_is_started_otherwise_has_the_newer_wish() -> None:
    kept = to_keep(changed(**SET), STARTED)
    otherwise = replace(STARTED, bitrate=2_000_000)
    assert said(restored(otherwise, kept)) == {**SET, "bitrate": "2000"}
    sized = replace(STARTED, capture=replace(STARTED.capture, size=(640, 480)))
    assert said(restored(sized, kept)) == {**SET, "size": "640x480"}


@pytest.mark.parametrize(
    "kept",
    [
        {"bitrate": Kept("lots", "800")},
        {"bitrate": Kept("-1", "800")},
        {"size": Kept("1x1", None)},
        {"privacy": Kept("perhaps", "off")},
        {"brightness": Kept("3", None)},
    ],
)
def test_what_is_no_value_is_passed_over(kept: dict[str, Kept]) -> None:
    assert restored(STARTED, kept) == STARTED


def test_defaults_are_those_of_the_start() -> None:
    values = FeedValues(500, 10, 15.0, (320, 240), "flip", "slate", False)
    unknown = defaults(values, changed(**SET), STARTED)
    assert unknown == FeedValues(800, 30, None, None, "normal", "off", True), "what the camera has was never heard of"
    own = defaults(values, STARTED, STARTED)
    assert (own.fps, own.size, own.gop) == (15.0, (320, 240), 15), "as the camera gives it"
    asked = replace(STARTED, gop=60, capture=replace(STARTED.capture, fps=25.0, size=(640, 480)))
    assert defaults(values, changed(**SET), asked) == FeedValues(800, 60, 25.0, (640, 480), "normal", "off", True)


# ------------------------------------------------------------ the file


def test_values_are_kept_by_stream_and_camera(tmp_path: Path) -> None:
    path = tmp_path / "state" / "controls.json"
    keeper, other = Keeper(SPEC, path), Keeper(CameraSpec("front", "file", "other.mp4"), path)
    assert keeper.load() == {}
    values = {"bitrate": Kept("500", "800"), "gop": Kept("10", None)}
    keeper.save(values)
    other.save({"overlay": Kept("off", "on")})
    assert Keeper(SPEC, path).load() == values
    assert other.load() == {"overlay": Kept("off", "on")}
    keeper.save({})
    assert keeper.load() == {}
    assert other.load() != {}
    assert [entry.name for entry in path.parent.iterdir()] == ["controls.json"]


def test_the_test_picture_keeps_nothing(tmp_path: Path) -> None:
    keeper = Keeper(CameraSpec("front", "test", ""), tmp_path / "controls.json")
    keeper.save({"bitrate": Kept("500", "800")})
    assert keeper.load() == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"front=clip.mp4": 3}', '{"front=clip.mp4": {"gop": 3}}', "\udcff"])
def test_a_file_that_is_not_ours_is_passed_over_and_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "controls.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    keeper = Keeper(SPEC, path)
    assert keeper.load() == {}
    keeper.save({"gop": Kept("10", None)})
    assert keeper.load() == {"gop": Kept("10", None)}


def test_a_folder_that_takes_nothing_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    keeper = Keeper(SPEC, tmp_path / "file" / "controls.json")
    keeper.save({"gop": Kept("10", None)})
    assert keeper.load() == {}


def test_a_camera_is_known_by_what_it_is() -> None:
    assert identity(CameraSpec("door", "rtsp", "rtsp://me:secret@10.9.0.2/live")) == "door=rtsp://***@10.9.0.2/live"
    assert identity(CameraSpec("door", "csi", "1")) == "door=csi:1"
    assert identity(CameraSpec("door", "device", "97")) == "door=/dev/video97"


def test_a_usb_camera_is_known_by_its_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "video7"
    device.touch()
    links = tmp_path / "by-id"
    links.mkdir()
    (links / "usb-Some_Camera_1234-index0").symlink_to(device)
    monkeypatch.setattr("zlfeed.publisher.controls.kept._BY_ID", links)
    assert identity(CameraSpec("door", "device", str(device))) == "door=usb-Some_Camera_1234-index0"
