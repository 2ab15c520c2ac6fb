"""Which way of reading a CSI camera is fitter, and its controls as libcamera has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from zlfeed.publisher.camera import csi_ways, parse_camera
from zlfeed.publisher.camera import picamera_controls as controls
from zlfeed.publisher.camera.csi_ways import PICAMERA2, RPICAM, Fitness, Verdict, fitter
from zlfeed.publisher.camera.source import ControlRefused

TOLD = {
    "Brightness": (-1.0, 1.0, 0.0), "ExposureTime": (26, 220417486, 20000), "AnalogueGain": (1.0, 16.0, None),
    "AwbMode": (0, 7, 0), "AfMode": (0, 2, 0), "NoiseReductionMode": (0, 4, 0), "AeEnable": (False, True, True),
    "ScalerCrop": ((0, 0, 0, 0), (9, 9, 9, 9), (0, 0, 0, 0)),
}  # fmt: skip


def sampled(backend: str, fps: float, age_ms: float | None) -> Fitness:
    fitness = Fitness(backend)
    for number in range(31):
        fitness.picture(number / fps, age_ms)
    return fitness


@pytest.mark.parametrize(
    ("rpicam", "picamera2", "expected"),
    [
        ((30, 20.0), (30, 12.0), PICAMERA2),
        ((30, 12.0), (30, 20.0), RPICAM),
        ((30, 12.0), (30, 14.0), PICAMERA2),  # alike: controls are set live
        ((30, 12.0), (22, 2.0), RPICAM),  # a rate that is not reached weighs more
        ((12, 12.0), (15, 40.0), PICAMERA2),  # none reaches it: the quicker
        ((30, None), (30, 90.0), PICAMERA2),  # of unknown age is older than known
    ],
)
def test_the_fitter_way(
    rpicam: tuple[float, float | None], picamera2: tuple[float, float | None], expected: str
) -> None:
    best = fitter([sampled(RPICAM, *rpicam), sampled(PICAMERA2, *picamera2)], 30)
    assert best is not None
    assert best.backend == expected


def test_what_gives_no_picture_is_not_fit() -> None:
    broken = Fitness(PICAMERA2, "it cannot be loaded")
    working = sampled(RPICAM, 30, 12.0)
    assert fitter([working, broken], 30) is working
    assert fitter([broken], 30) is None
    assert (str(working), str(broken)) == ("rpicam-vid: 30 fps, 12 ms old", "picamera2 gave no picture")


def test_a_rate_that_the_camera_has_not_is_not_asked_of_the_ways() -> None:
    ways = [sampled(RPICAM, 20.1, 12.0), sampled(PICAMERA2, 20.0, 5.0)]
    for fitness in ways:
        fitness.offered = 20.0
    best = fitter(ways, 30)
    assert best is not None
    assert best.backend == PICAMERA2, "both give what there is"


def test_a_sample_is_a_second_and_some_pictures() -> None:
    fitness = Fitness(RPICAM)
    assert not fitness.sampled(100.0), "the first picture is waited for elsewhere"
    for number in range(6):
        fitness.picture(100.0 + number / 5, None)
    assert not fitness.sampled(101.05), "six pictures are too few"
    assert fitness.sampled(110.0), "but it is not waited for ever"
    assert sampled(RPICAM, 30, None).sampled(1.01)


def test_a_verdict_is_kept_until_one_of_the_two_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    program = tmp_path / "rpicam-vid"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    spec, verdict = parse_camera("csi", "cam"), Verdict(PICAMERA2, "tried")
    csi_ways.remember(spec, (640, 480), 30, verdict)
    csi_ways._verdicts.clear()
    assert csi_ways.recall(spec, (640, 480), 30) == verdict
    assert csi_ways.recall(spec, (1920, 1080), 30) is None
    assert csi_ways.recall(parse_camera("csi:1", "cam"), (640, 480), 30) is None
    program.write_text("#!/bin/sh\n# another version\n")
    assert csi_ways.recall(spec, (640, 480), 30) is None
    csi_ways._verdicts.clear()
    (tmp_path / "zlfeed" / "csi.json").write_text("[]")
    assert csi_ways.recall(spec, (640, 480), 30) is None, "what is no file of ours is passed over"
    csi_ways.remember(spec, (640, 480), 30, verdict)
    csi_ways._verdicts.clear()
    assert csi_ways.recall(spec, (640, 480), 30) == verdict
    csi_ways.remember(spec, (640, 480), 30, None)
    assert csi_ways.recall(spec, (640, 480), 30) is None


def test_controls_have_the_words_of_rpicam_and_the_ranges_of_the_camera() -> None:
    found = {control.name: control for control in controls.controls_of(TOLD, {"exposure": "8000"})}
    assert set(found) == {"brightness", "exposure", "gain", "awb", "autofocus", "denoise"}
    assert (found["brightness"].minimum, found["brightness"].maximum) == (-1.0, 1.0)
    assert (found["exposure"].value, found["exposure"].maximum) == ("8000", 1_000_000)
    for control, value, expected in (
        ("brightness", "0.25", ("Brightness", 0.25)),
        ("brightness", "default", ("Brightness", 0.0)),
        ("exposure", "8000", ("ExposureTime", 8000)),
        ("exposure", "default", ("ExposureTime", 0)),
        ("awb", "daylight", ("AwbMode", 5)),
        ("denoise", "auto", ("NoiseReductionMode", 1)),
        ("autofocus", "default", ("AfMode", 2)),
    ):
        assert controls.setting(found[control], value) == expected
    for control, value in (("brightness", "7"), ("brightness", "bright"), ("awb", "moonlight")):
        with pytest.raises(ControlRefused):
            controls.setting(found[control], value)


def test_a_later_picture_tells_what_became_of_a_control() -> None:
    found = {control.name: control for control in controls.controls_of(TOLD, {})}

    def expected(name: str, value: str) -> controls.Expected:
        return controls.Expected(found[name], value, *controls.setting(found[name], value))

    brightness = expected("brightness", "0.2")
    assert brightness.told({"ExposureTime": 9998}) is None
    assert brightness.told({"Brightness": 0.20000000298023224}) == "0.2"
    exposure = expected("exposure", "8000")
    assert exposure.told({"ExposureTime": 19998}) is None, "the sensor follows two pictures later"
    assert exposure.told({"ExposureTime": 7985}) == "7985"
    stubborn = expected("gain", "16")
    assert [stubborn.told({"AnalogueGain": 8.0}) for _ in range(12)] == [None] * 11 + ["8"]
    assert expected("exposure", "0").told({"ExposureTime": 19998}) == "0", "automatic again"
    assert expected("denoise", "cdn_fast").told({"NoiseReductionMode": 1}) == "cdn_fast", "not auto, which is the same"
    untold = expected("autofocus", "continuous")
    assert [untold.told({}) for _ in range(12)][-1] == "continuous"
