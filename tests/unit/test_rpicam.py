"""What rpicam-vid is told and what it says; the texts are as users posted them to rpicam-apps' issues."""

from __future__ import annotations

import pytest

from tests.support import standin_rpicam
from zlfeed.publisher.camera import rpicam
from zlfeed.publisher.camera.facts import Mode
from zlfeed.publisher.camera.rpicam import Metadata, Padding, Talk

SQUARE = """Available cameras
-----------------
0 : ov5647 [2592x1944] (/base/soc/i2c0mux/i2c@1/ov5647@36)
    Modes: 'SGBRG10_CSI2P' : 640x480 [58.92 fps - (16, 0)/2560x1920 crop]
                             1920x1080 [30.62 fps - (348, 434)/1928x1080 crop]

1 : imx585 [3840x2160 16-bit RGGB] (/base/axi/pcie@120000/rp1/i2c@80000/imx585@1A)
    Modes: 'SRGGB12_CSI2P' : 1928x1090 [87.60 fps - (0, 0)/3840x2160 crop]
           'SRGGB16' : 1928x1090 [30.00 fps - (0, 0)/3840x2160 crop]
                       3856x2180 [21.90 fps - (0, 0)/3840x2160 crop]
"""
ROUND = """Available cameras
-----------------
0 : imx477 [4056x3040] (/base/soc/i2c0mux/i2c@1/imx477@1a)
    Modes: 'SRGGB10_CSI2P' : 1332x990 (120.00 fps)
           'SRGGB12_CSI2P' : 2028x1080 (50.00 fps), 4056x3040 (10.00 fps)
"""
BARE = """Available cameras
-----------------
0 : imx477 [4056x3040] (/base/soc/i2c0mux/i2c@1/imx477@1a)
    Modes: 'SRGGB10_CSI2P' : 1332x990 
           'SRGGB12_CSI2P' : 2028x1080 2028x1520 4056x3040
"""  # noqa: W291
VERBOSE = """Available cameras
-----------------
0 : imx708_wide [4608x2592] (/base/soc/i2c0mux/i2c@1/imx708@1a)
    Modes: 'SRGGB10_CSI2P' : 1536x864 [120.13 fps - (768, 432)/3072x1728 crop]

    Available controls for 4608x2592 SRGGB10_CSI2P mode:
    ----------------------------------------------------
    AeEnable : [false..true]
    AfMode : [0..2]
    AnalogueGain : [1.122807..16.000000]
    Brightness : [-1.000000..1.000000]
    ScalerCrop : [(0, 0)/0x0..(65535, 65535)/65535x65535]
"""


def test_the_list_of_today() -> None:
    first, second = rpicam.parse_list(SQUARE)
    assert (first.source, first.name, first.id) == ("csi:0", "ov5647", "/base/soc/i2c0mux/i2c@1/ov5647@36")
    assert first.modes == (
        Mode(1920, 1080, "SGBRG10_CSI2P", (30.62,)),
        Mode(640, 480, "SGBRG10_CSI2P", (58.92,)),
    )
    assert (second.source, second.name) == ("csi:1", "imx585")
    assert [(mode.width, mode.format, mode.best_fps) for mode in second.modes] == [
        (3856, "SRGGB16", 21.9), (1928, "SRGGB12_CSI2P", 87.6), (1928, "SRGGB16", 30.0),
    ]  # fmt: skip


def test_the_lists_of_older_programs() -> None:
    (camera,) = rpicam.parse_list(ROUND)
    assert [(mode.width, mode.best_fps) for mode in camera.modes] == [(4056, 10.0), (2028, 50.0), (1332, 120.0)]
    (camera,) = rpicam.parse_list(BARE)
    assert [(mode.width, mode.best_fps) for mode in camera.modes] == [
        (4056, None), (2028, None), (2028, None), (1332, None)
    ]  # fmt: skip
    assert rpicam.parse_list("No cameras available!\n") == []


def test_the_ranges_are_the_cameras() -> None:
    (camera,) = rpicam.parse_list(VERBOSE)
    found = {control.name: control for control in camera.controls}
    assert set(found) == {"autofocus", "gain", "brightness"}, "what the camera has not, it has not"
    assert (found["gain"].minimum, found["gain"].maximum) == (0, 16), "0 is automatic"
    assert (found["brightness"].minimum, found["brightness"].maximum) == (-1, 1)
    assert [mode.width for mode in camera.modes] == [1536], "a control's range is no mode"


@pytest.mark.parametrize(
    ("width", "height", "told", "stride"),
    [
        (640, 480, None, 640),
        (1000, 562, None, 1024),
        (1000, 562, 1024 * 562 * 3 // 2, 1024),  # Pi 0 to 4: 64
        (1920, 1080, 1920 * 1080 * 3 // 2, 1920),
        (800, 600, 896 * 600 * 3 // 2, 896),  # Pi 5: 128
        (1640, 1232, 1664 * 1232 * 3 // 2, 1664),
        (642, 480, 642 * 480 * 3 // 2, 642),  # none
        (640, 480, 700 * 480 * 3 // 2, 700),  # some other
    ],
)
def test_the_padding_is_told_by_the_size_of_the_buffer(width: int, height: int, told: int | None, stride: int) -> None:
    assert rpicam.padding(width, height, told) == Padding(stride, stride * height * 3 // 2)


@pytest.mark.parametrize("told", [640 * 480, 640 * 480 * 3 // 2 + 4096, 10])
def test_a_size_that_no_padding_explains_is_an_error(told: int) -> None:
    with pytest.raises(ValueError, match="bytes for a picture of 640x480"):
        rpicam.padding(640, 480, told)


def test_what_it_says_while_it_runs() -> None:
    talk = Talk()
    for line in (
        "[0:35:18.52] [2005]  INFO Camera camera.cpp:1202 configuring streams: (0) 640x480-YUV420/sYCC (1) 1x1-SRGGB10",
        "Acquired camera /base/soc/i2c0mux/i2c@1/imx708@1a",
        "Available controls:",
        "    Brightness : [-1.000000..1.000000]",
        "    AeEnable : [false..true]",
        "Buffers allocated and mapped",
        "FileOutput: output buffer 0x7f9c000000 size 460800",
    ):
        talk.hear(line)
    assert (talk.size, talk.sensor, talk.frame_bytes, talk.full_range) == ((640, 480), "imx708", 460800, True)
    assert talk.ranges == {"Brightness": (-1.0, 1.0)}
    talk.hear("[1] INFO Camera camera.cpp:1 configuring streams: (0) 1280x720-YUV420/Rec709/Rec709/Rec709/Limited")
    assert not talk.full_range


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (["ERROR: *** no cameras available ***"], "there is no CSI camera: .*ribbon cable.*camera_auto_detect"),
        (["ERROR: *** selected camera is not available ***"], "there is no camera csi:1: zlfeed cameras lists"),
        (["ERROR: *** failed to acquire camera /base/x ***"], "csi:1 is in use by PID 7 \\(motion\\): end that"),
        (["ERROR: Device timeout detected, attempting a restart!!!"], "csi:1 has stopped answering .*ribbon cable"),
        (["ERROR: *** Invalid AWB mode: x ***"], "gives no picture: ended with code 255: Invalid AWB mode: x"),
        ([], "the camera csi:1 gives no picture: ended with code 255$"),
    ],
)
def test_why_it_gives_no_picture(said: list[str], sentence: str) -> None:
    talk = Talk()
    for line in said:
        talk.hear(line)
    import re

    assert re.search(sentence, rpicam.why_not(talk, 1, "PID 7 (motion)", "ended with code 255"))


def test_every_option_that_is_used_is_one_that_the_program_has() -> None:
    every = {"exposure": "10000", "gain": "2", **{c.name: "0.5" for c in rpicam.controls_of({}, {}) if not c.choices}}
    words = rpicam.argv("rpicam-vid", 1, (640, 480), 30.0, every, metadata="/dev/fd/9")
    known = {f"--{name.partition(':')[0]}" for name in (*standin_rpicam.VALUES.split(), *standin_rpicam.FLAGS.split())}
    assert {word for word in words if word.startswith("--")} <= known | {"--verbose", "--hdr"}
    for option in ("--brightness", "--shutter", "--gain", "--timeout", "--flush", "--nopreview"):
        assert option in words


def test_controls_left_to_the_camera_are_not_mentioned() -> None:
    assert rpicam.control_options({"brightness": "default", "exposure": "0", "gain": "0.0", "nonsense": "1"}) == []
    wrong = {"brightness": "7", "awb": "moonlight", "contrast": "much", "gain": ""}
    assert rpicam.control_options(wrong) == [], "it would end for them"
    assert {c.name: c.value for c in rpicam.controls_of({}, wrong) if c.name in wrong} == {
        "brightness": "0", "awb": "auto", "contrast": "1", "gain": "0",
    }  # fmt: skip
    assert rpicam.control_options({"brightness": "-0.2", "awb": "daylight"}) == [
        ("--brightness", "-0.2"), ("--awb", "daylight"),
    ]  # fmt: skip


def test_metadata_in_pieces() -> None:
    metadata = Metadata()
    metadata.feed(b"ExposureTime=9998\nSensorTimesta")
    assert metadata.pictures == 0
    metadata.feed(b"mp=1000\n\nLux=3\n\nSensorTimestamp=3000\n\n")
    assert metadata.pictures == 3
    assert [metadata.sensor_ns(n) for n in (1, 2, 3, 4)] == [1000, None, 3000, None]
