"""A stand-in for rpicam-vid: its options and no others, its words, its padding; a picture that shows a wrong stride.

By the source of rpicam-apps 1.13. `install(folder)` puts it there as rpicam-vid. What it does is in the file that
STANDIN_RPICAM names, JSON, read once at the start:
  cameras: how many (default 1), sensor: imx708 …, align: 64 (Pi 0 to 4) or 128 (Pi 5), start_s: delay,
  fail: "busy" | "crash" | "hang" | "timeout" (after `frames` pictures), unknown: options it does not know,
  flat: [y, u, v] fills the picture instead, log: a file for the command lines, slow_metadata: s, one a picture,
  most_fps: in the mode that is taken (default 120)
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

ID = "/base/soc/i2c0mux/i2c@1/{sensor}@1a"

# Every option of core/options.cpp and core/video_options.hpp: its name, its letter, whether it takes a value.
VALUES = (
    "camera config:c info-text width height timeout:t output:o post-process-file post-process-libs preview:p "
    "preview-libs preview-backend rotation roi shutter analoggain gain metering exposure ev awb awbgains ccm wrap "
    "brightness contrast saturation sharpness framerate denoise viewfinder-width viewfinder-height tuning-file "
    "lores-width lores-height mode viewfinder-mode buffer-count viewfinder-buffer-count autofocus-mode autofocus-range "
    "autofocus-speed autofocus-window lens-position metadata metadata-format flicker-period bitrate:b profile level "
    "intra:g codec encoder-libs save-pts quality:q initial:i segment frames libav-video-codec libav-video-codec-opts "
    "libav-format audio-codec audio-source audio-device audio-channels audio-bitrate audio-samplerate av-sync sync"
)
FLAGS = (
    "help:h version list-cameras nopreview:n fullscreen:f qt-preview hflip vflip flush lores-par no-raw inline "
    "listen:l keypress:k signal:s split libav-audio low-latency"
)
IMPLICIT = {"verbose:v": "2", "hdr": "auto", "circular": "4"}
CHOICES = {
    "metering": ("centre", "spot", "average", "matrix", "custom"),
    "exposure": ("normal", "sport", "short", "long", "custom"),
    "awb": ("auto", "normal", "incandescent", "tungsten", "fluorescent", "indoor", "daylight", "cloudy", "custom"),
    "autofocus_mode": ("default", "manual", "auto", "continuous"),
    "denoise": ("auto", "off", "cdn_off", "cdn_fast", "cdn_hq"),
    "hdr": ("off", "single-exp", "sensor", "auto"),
    "codec": ("h264", "libav", "yuv420", "mjpeg"),
    "metadata_format": ("json", "txt"),
}
INVALID = {"metering": "Invalid metering mode: ", "exposure": "Invalid exposure mode:", "awb": "Invalid AWB mode: "}
NUMBERS = ("width", "height", "framerate", "brightness", "contrast", "saturation", "sharpness", "ev", "gain", "intra")
SENSORS: dict[str, tuple[str, list[str]]] = {
    "imx708": (
        "[4608x2592 10-bit RGGB]",
        [
            "1536x864 [120.13 fps - (768, 432)/3072x1728 crop]",
            "2304x1296 [56.03 fps - (0, 0)/4608x2592 crop]",
            "4608x2592 [14.35 fps - (0, 0)/4608x2592 crop]",
        ],
    ),
    "ov5647": (
        "[2592x1944 10-bit GBRG]",
        [
            "640x480 [58.92 fps - (16, 0)/2560x1920 crop]",
            "1296x972 [43.25 fps - (0, 0)/2592x1944 crop]",
            "1920x1080 [30.62 fps - (348, 434)/1928x1080 crop]",
            "2592x1944 [15.63 fps - (0, 0)/2592x1944 crop]",
        ],
    ),
}
CONTROLS = """    AeEnable : [false..true]
    AeExposureMode : [0..3]
    AeMeteringMode : [0..3]
    AnalogueGain : [1.122807..16.000000]
    AwbEnable : [false..true]
    AwbMode : [0..7]
    Brightness : [-1.000000..1.000000]
    ColourGains : [0.000000..32.000000]
    Contrast : [0.000000..32.000000]
    ExposureTime : [26..220417486]
    ExposureValue : [-8.000000..8.000000]
    FrameDurationLimits : [8333..220535845]
    NoiseReductionMode : [0..4]
    Saturation : [0.000000..32.000000]
    ScalerCrop : [(0, 0)/0x0..(65535, 65535)/65535x65535]
    Sharpness : [0.000000..16.000000]"""
LENS = """    AfMode : [0..2]
    AfRange : [0..2]
    LensPosition : [0.000000..32.000000]"""


def install(folder: Path, name: str = "rpicam-vid", **behaviour: Any) -> dict[str, str]:
    """Puts it into `folder`, to do as `behaviour` says; the variables under which a program finds it."""
    folder.mkdir(parents=True, exist_ok=True)
    orders = folder / "orders.json"
    orders.write_text(json.dumps(behaviour))
    program = folder / name
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -S {__file__} "$@"\n')
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "STANDIN_RPICAM": str(orders)}


def say(*words: object) -> None:
    """A line on stderr, as LOG() of rpicam-apps writes it."""
    print(*words, file=sys.stderr, flush=True)


def fail(why: str) -> NoReturn:
    """What main() of rpicam-vid does with an exception."""
    say(f"ERROR: *** {why} ***")
    sys.exit(255)


class Parser(argparse.ArgumentParser):
    """Refuses like boost::program_options."""

    def error(self, message: str) -> NoReturn:
        if "unrecognized arguments: " in message:
            fail(f"unrecognised option '{message.partition(': ')[2].split()[0]}'")
        fail(message)


def parser(unknown: list[str]) -> Parser:
    """The options, but for those that an older program does not know."""
    made = Parser(add_help=False, allow_abbrev=False)
    options: list[tuple[str, dict[str, Any]]] = [
        *((names, {}) for names in VALUES.split()),
        *((names, {"action": "store_true"}) for names in FLAGS.split()),
        *((names, {"nargs": "?", "const": value}) for names, value in IMPLICIT.items()),
    ]
    for names, arguments in options:
        name, _, letter = names.partition(":")
        if f"--{name}" not in unknown:
            made.add_argument(f"--{name}", *([f"-{letter}"] if letter else []), **arguments)
    return made


def check(options: Any) -> None:
    """The checks of OptsInternal::Parse and ParseVideo."""
    for name in NUMBERS:
        value = getattr(options, name, None)
        try:
            float(value or 0)
        except ValueError:
            fail(f"the argument ('{value}') for option '--{name}' is invalid")
    for name, allowed in CHOICES.items():
        value = getattr(options, name, None)
        if value is not None and value not in allowed:
            fail(INVALID.get(name, f"unrecognised {name} ") + value)


def list_cameras(behaviour: dict[str, Any], verbose: bool) -> None:
    """--list-cameras."""
    count, sensor = behaviour.get("cameras", 1), behaviour.get("sensor", "imx708")
    if not count:
        print("No cameras available!")
        return
    print("Available cameras\n-----------------")
    array, modes = SENSORS[sensor]
    for index in range(count):
        print(f"{index} : {sensor} {array} ({ID.format(sensor=sensor).replace('i2c@1', f'i2c@{index + 1}')})")
        fmt = "'SRGGB10_CSI2P' : " if sensor != "ov5647" else "'SGBRG10_CSI2P' : "
        print(f"    Modes: {fmt}" + ("\n" + " " * (len(fmt) + 11)).join(modes))
        if verbose:
            print("\n    Available controls for 4608x2592 SRGGB10_CSI2P mode:\n    " + "-" * 52)
            print(CONTROLS + ("\n" + LENS if sensor == "imx708" else ""))
        print()


def picture(width: int, height: int, stride: int, number: int, flat: list[int] | None) -> bytes:
    """Full range, padded: a slanting edge that a wrong stride shears, a bar that moves, padding that would glare."""
    rows = []
    for y in range(height):
        if flat:
            row = bytes([flat[0]]) * width
        else:
            edge = min(width, (y * width) // height)
            row = bytes([230]) * edge + bytes([60]) * (width - edge)
            if y >= height * 3 // 4:
                at = number * 8 % max(1, width - 32)
                row = row[:at] + bytes([140]) * 32 + row[at + 32 :]
        rows.append(row + bytes([255]) * (stride - width))
    u, v = (flat[1], flat[2]) if flat else (100, 160)
    chroma = [bytes([value]) * (width // 2) + bytes([255]) * ((stride - width) // 2) for value in (u, v)]
    return b"".join(rows) + chroma[0] * (height // 2) + chroma[1] * (height // 2)


def main() -> None:
    """rpicam-vid."""
    behaviour = json.loads(Path(os.environ["STANDIN_RPICAM"]).read_text())
    if log := behaviour.get("log"):
        with open(log, "a") as file:
            file.write(json.dumps(sys.argv[1:]) + "\n")
    options = parser(behaviour.get("unknown", [])).parse_args()
    check(options)
    verbose = getattr(options, "verbose", None) == "2"
    if options.list_cameras:
        if behaviour.get("fail") == "hang":
            time.sleep(60)
        list_cameras(behaviour, verbose)
        return
    time.sleep(behaviour.get("start_s", 0.0))
    sensor, camera = behaviour.get("sensor", "imx708"), int(options.camera or 0)
    if not behaviour.get("cameras", 1):
        fail("no cameras available")
    if camera >= behaviour.get("cameras", 1):
        fail("selected camera is not available")
    camera_id = ID.format(sensor=sensor)
    say("[0:35:18.466183867] [2005]  INFO Camera camera_manager.cpp:326 libcamera v0.5.0+59-d83ff0a4")
    if behaviour.get("fail") == "busy":
        say("[0:35:18.5] [2005]  INFO Camera camera.cpp:1007 Pipeline handler in use by another process")
        fail(f"failed to acquire camera {camera_id}")
    if verbose:
        say("Opening camera...")
        say(f"Acquired camera {camera_id}")
    width, height = int(options.width or 640), int(options.height or 480)
    if behaviour.get("only"):
        width, height = behaviour["only"]
        say("Stream configuration adjusted")
    say(
        "[0:35:18.526183867] [2005]  INFO Camera camera.cpp:1202 configuring streams: "
        f"(0) {width}x{height}-YUV420/sYCC (1) 1536x864-SRGGB10_CSI2P/RAW"
    )
    if verbose:
        say("Camera streams configured")
        say("Available controls:")
        limits = f"FrameDurationLimits : [{round(1e6 / behaviour.get('most_fps', 120))}"
        say(CONTROLS.replace("FrameDurationLimits : [8333", limits) + ("\n" + LENS if sensor == "imx708" else ""))
        say("Buffers allocated and mapped")
    if options.codec == "yuv420":
        raw(options, behaviour, width, height, verbose)
    else:
        h264(options, behaviour, width, height, verbose)


def raw(options: Any, behaviour: dict[str, Any], width: int, height: int, verbose: bool) -> None:
    """Pictures as the NullEncoder passes them on."""
    stopped = []
    signal.signal(signal.SIGINT, lambda *_: stopped.append(True))
    align = behaviour.get("align", 64)
    stride = math.ceil(width / align) * align
    period = 1 / min(float(options.framerate or 30), behaviour.get("most_fps", 120))
    limit = behaviour.get("frames", 0)
    metadata = getattr(options, "metadata", None)
    told = open(metadata, "w", buffering=1) if metadata else None  # noqa: SIM115
    shutter = int(options.shutter or 0) or 9_998
    number, due = 0, time.monotonic()
    ready = {n: picture(width, height, stride, n, behaviour.get("flat")) for n in range(8)}
    while not stopped:
        due += period
        time.sleep(max(0.0, due - time.monotonic()))
        sensor_ns = time.monotonic_ns() - behaviour.get("age_ms", 12) * 1_000_000
        if limit and number >= limit:
            match behaviour.get("fail"):
                case "crash":
                    os.kill(os.getpid(), signal.SIGSEGV)
                case "hang":
                    time.sleep(600)
                case "timeout":
                    say("[0:36:00.1] [2010] ERROR RPI pipeline_base.cpp:1389 Camera frontend has timed out!")
                    say("ERROR: Device timeout detected, attempting a restart!!!")
                    time.sleep(600)
        frame = ready[number % 8]
        if verbose:
            say(f"Viewfinder frame {number}")
            say(f"FileOutput: output buffer 0x7f9c000000 size {len(frame)}")
        try:
            sys.stdout.buffer.write(frame)
            sys.stdout.buffer.flush()
            if told and options.metadata_format == "txt":
                time.sleep(behaviour.get("slow_metadata", 0.0))
                told.write(f"ExposureTime={shutter}\nSensorTimestamp={sensor_ns}\nAnalogueGain=1.5\n\n")
        except OSError:
            return
        number += 1


def h264(options: Any, behaviour: dict[str, Any], width: int, height: int, verbose: bool) -> None:
    """The camera's own H.264, made by FFmpeg here: Annex B, a frame a write, parameter sets as --inline says."""
    stopped = []
    signal.signal(signal.SIGINT, lambda *_: stopped.append(True))
    fps = float(options.framerate or 30)
    encoded = subprocess.run(
        [
            *("ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", f"testsrc=size={width}x{height}:rate={fps:g}"),
            *("-frames:v", "30", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast"),
            *("-tune", "zerolatency", "-b:v", options.bitrate or "2000000", "-g", options.intra or "60"),
            *("-x264-params", f"aud=1:repeat-headers={int(options.inline)}", "-f", "h264", "pipe:1"),
        ],
        check=True,
        capture_output=True,
    ).stdout
    delimiter = b"\x00\x00\x00\x01\x09\xf0"
    frames = [frame for frame in encoded.split(delimiter) if frame]
    number, due, limit = 0, time.monotonic(), behaviour.get("frames", 0)
    while not stopped and not (limit and number >= limit):
        due += 1 / fps
        time.sleep(max(0.0, due - time.monotonic()))
        frame = frames[number % len(frames)]
        if verbose:
            say(f"FileOutput: output buffer 0x7f9c000000 size {len(frame)}")
        try:
            sys.stdout.buffer.write(frame)
            sys.stdout.buffer.flush()
        except OSError:
            return
        number += 1


if __name__ == "__main__":
    main()
