"""rpicam-vid, the Raspberry Pi's own camera program: its arguments, and what it says. Pure.

By the source of rpicam-apps 1.0 to 1.13 (core/options.cpp, core/rpicam_app.cpp, apps/rpicam_vid.cpp). It was called
libcamera-vid until Bookworm's first year, and some systems have only that name.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from zlfeed.errors import CameraError
from zlfeed.model import Control
from zlfeed.publisher.camera.facts import CameraFacts, Mode

PROGRAMS = ("rpicam-vid", "libcamera-vid")
BUFFERS = 4
"""One is filled, one waits, one is being written to us, one to spare; the program's own six may be that old."""
OPTIONAL = ("--metadata", "--metadata-format", "--verbose", "--low-latency", "--buffer-count")
"""What older programs do not know, and we can do without."""

_AWB = ("auto", "incandescent", "tungsten", "fluorescent", "indoor", "daylight", "cloudy")
CONTROLS: tuple[tuple[str, str, Control], ...] = (
    # libcamera's name, the option, and what can be said by it. Ranges: as libcamera tells, else the program's own.
    ("Brightness", "--brightness", Control("brightness", "float", -1.0, 1.0, 0.05, 0.0)),
    ("Contrast", "--contrast", Control("contrast", "float", 0.0, 15.99, 0.05, 1.0)),
    ("Saturation", "--saturation", Control("saturation", "float", 0.0, 15.99, 0.05, 1.0)),
    ("Sharpness", "--sharpness", Control("sharpness", "float", 0.0, 15.99, 0.1, 1.0)),
    ("ExposureValue", "--ev", Control("ev", "float", -8.0, 8.0, 0.1, 0.0, unit="EV")),
    ("ExposureTime", "--shutter", Control("exposure", "int", 0, 1_000_000, 500, 0, unit="µs")),
    ("AnalogueGain", "--gain", Control("gain", "float", 0.0, 16.0, 0.1, 0.0, unit="×")),
    ("AeExposureMode", "--exposure", Control("exposure_mode", "choice", choices=("normal", "sport"))),
    ("AeMeteringMode", "--metering", Control("metering", "choice", choices=("centre", "spot", "average"))),
    ("AwbMode", "--awb", Control("awb", "choice", choices=_AWB)),
    ("NoiseReductionMode", "--denoise", Control("denoise", "choice", choices=("auto", "off", "cdn_off", "cdn_fast"))),
    ("AfMode", "--autofocus-mode", Control("autofocus", "choice", choices=("default", "manual", "auto", "continuous"))),
    ("LensPosition", "--lens-position", Control("focus", "float", 0.0, 15.0, 0.1, None, unit="1/m")),
    ("HdrMode", "--hdr", Control("hdr", "choice", choices=("off", "auto", "single-exp"))),
)
_AUTOMATIC_AT_ZERO = ("exposure", "gain")
_MODE = re.compile(r"(?<![/\d])(\d+)x(\d+)(?: *[\[(]([\d.]+) fps)?")
"""A size with its rate, if there is one; what stands behind a slash is a crop."""
_WITH_LENS = ("AfMode", "LensPosition")
_ONLY_IF_TOLD = (*_WITH_LENS, "HdrMode")


def argv(
    program: str,
    camera: int,
    size: tuple[int, int],
    fps: float,
    controls: Mapping[str, str],
    *,
    metadata: str | None,
    without: Sequence[str] = (),
) -> list[str]:
    """The command line for raw pictures on stdout. `metadata` is a file that gets each picture's; `without` leaves out.

    --verbose makes it say the size of each picture's buffer, which tells how rows are padded, and the controls' ranges.
    """
    options = [
        ("--camera", str(camera)),
        ("--nopreview",),
        ("--timeout", "0"),
        ("--codec", "yuv420"),
        ("--width", str(size[0])),
        ("--height", str(size[1])),
        ("--framerate", f"{fps:g}"),
        ("--buffer-count", str(BUFFERS)),
        *control_options(controls),
        *((("--metadata", metadata), ("--metadata-format", "txt")) if metadata else ()),
        ("--verbose",),
        ("--flush",),
        ("--output", "-"),
    ]
    return [program, *(word for option in options if option[0] not in without for word in option)]


def h264_argv(
    program: str,
    camera: int,
    size: tuple[int, int],
    fps: float,
    bitrate: int,
    gop: int,
    controls: Mapping[str, str],
) -> list[str]:
    """The command line for the camera's own H.264 on stdout: Annex B, parameter sets before each keyframe.

    `bitrate` in bit/s, `gop` in frames. --verbose makes it say the size of each encoded frame.
    """
    options = [
        ("--camera", str(camera)),
        ("--nopreview",),
        ("--timeout", "0"),
        ("--codec", "h264"),
        ("--inline",),
        ("--profile", "high"),
        ("--intra", str(gop)),
        ("--bitrate", str(bitrate)),
        ("--width", str(size[0])),
        ("--height", str(size[1])),
        ("--framerate", f"{fps:g}"),
        *control_options(controls),
        ("--verbose",),
        ("--flush",),
        ("--output", "-"),
    ]
    return [program, *(word for option in options for word in option)]


def buffer_size(line: str) -> int | None:
    """The size of the buffer that is about to be written, None for another line."""
    match = re.search(r"FileOutput: output buffer \S+ size (\d+)", line)
    return int(match[1]) if match else None


def control_options(controls: Mapping[str, str]) -> list[tuple[str, ...]]:
    """The options that set controls; "default", like an empty value, leaves one to the program.

    So does a value that it does not take: it would end for it, and there would be no picture.
    """
    by_name = {control.name: (option, control) for _, option, control in CONTROLS}
    found: list[tuple[str, ...]] = []
    for name, value in controls.items():
        if name in by_name and value != "default":
            option, control = by_name[name]
            if _fits(control, value) and not (name in _AUTOMATIC_AT_ZERO and float(value) == 0):
                found.append((option, value))
    return found


def _fits(control: Control, value: str) -> bool:
    """Whether a control can have that value."""
    if control.choices:
        return value in control.choices
    try:
        number = float(value)
    except ValueError:
        return False
    low, high = control.minimum, control.maximum
    return (low is None or number >= low) and (high is None or number <= high)


def controls_of(ranges: Mapping[str, tuple[float, float]], values: Mapping[str, str]) -> list[Control]:
    """The controls of a camera, by the ranges that the program told, with the values that were asked for.

    When it told none, those that every camera has.
    """
    found = []
    for name, _, general in CONTROLS:
        if name not in ranges and (ranges or name in _ONLY_IF_TOLD):
            continue
        control = _ranged(general, ranges[name]) if name in ranges else general
        default = control.choices[0] if control.choices else None
        if default is None and control.default_value is not None:
            default = f"{control.default_value:g}"
        value = values.get(control.name, "default")
        found.append(replace(control, value=value if value != "default" and _fits(control, value) else default))
    return found


def _ranged(control: Control, told: tuple[float, float]) -> Control:
    if control.minimum is None or control.maximum is None:
        return control
    low, high = told
    if control.name in _AUTOMATIC_AT_ZERO:
        # Zero stands for automatic; a shutter of minutes is no video.
        return replace(control, maximum=min(high, control.maximum if control.name == "exposure" else high))
    return replace(control, minimum=max(low, control.minimum), maximum=min(high, control.maximum))


def rate_given(asked: float, shortest_us: float | None) -> tuple[float, str]:
    """The rate that a camera gives whose frames take at least `shortest_us`, and how it is said; None: not told."""
    most = 1e6 / shortest_us if shortest_us else asked
    if most >= 0.98 * asked:
        return asked, f"at {asked:g} fps"
    most = round(most, 2)
    return most, f"at {most:g} fps, the most it has there for the {asked:g} asked"


class Padding(NamedTuple):
    """How a picture lies in its buffer: the bytes of a row of luma (chroma: half), and of the whole."""

    stride: int
    frame_bytes: int


def padding(width: int, height: int, told_bytes: int | None) -> Padding:
    """The padding of a yuv420 picture whose buffer has `told_bytes` bytes; None: not told, so rows of 64 bytes.

    The Raspberry Pi 0 to 4 pad rows to 64 bytes (bcm2835-isp), the 5 to 128 (libcamera's pisp doubles the 64 of the
    chroma rows). Raises ValueError for a size that no padding explains.
    """
    if told_bytes is None:
        stride = _padded(width, 64)
        return Padding(stride, stride * height * 3 // 2)
    for align in (64, 128, 32, 256, 2):
        stride = _padded(width, align)
        if stride * height * 3 // 2 == told_bytes:
            return Padding(stride, told_bytes)
    stride, rest = divmod(told_bytes * 2, height * 3)
    if rest or stride < width or stride % 2 or stride > 2 * width + 256:
        raise ValueError(f"{told_bytes} bytes for a picture of {width}x{height}")
    return Padding(stride, told_bytes)


def _padded(width: int, align: int) -> int:
    return (width + align - 1) // align * align


@dataclass(slots=True)
class Talk:
    """What the program has said on stderr, taken in line by line."""

    size: tuple[int, int] | None = None
    """The size in which it really gives pictures."""
    full_range: bool = True
    """Whether black is 0 and white 255, as it makes yuv420."""
    frame_bytes: int | None = None
    sensor: str = ""
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    error: str = ""
    timed_out: bool = False
    busy: bool = False
    unknown_option: str = ""
    last: str = ""
    _in_controls: bool = False

    def hear(self, line: str) -> None:
        """Takes in a line."""
        if in_use := re.search(r"Pipeline handler in use|failed to acquire camera|Device or resource busy", line):
            self.busy = self.busy or bool(in_use)
        if line.strip() == "Available controls:":
            self._in_controls = True
            return
        if self._in_controls:
            if named := parse_range(line):
                self.ranges[named[0]] = named[1]
                return
            if re.match(r"\s+\w+ : ", line):
                return
            self._in_controls = False
        if (size := buffer_size(line)) is not None:
            self.frame_bytes = self.frame_bytes or size
            return
        if match := re.search(r"configuring streams: \(0\) (\d+)x(\d+)-\w+(/\S+)?", line):
            self.size = int(match[1]), int(match[2])
            self.full_range = match[3] is None or match[3].lower() in ("/sycc", "/jpeg") or "/full" in match[3].lower()
        elif match := re.search(r"Acquired camera (\S+)", line):
            self.sensor = sensor_of(match[1])
        elif "Device timeout detected" in line or "frontend has timed out" in line:
            self.timed_out = True
        elif match := re.search(r"unrecognised option '(--[\w-]+)", line):
            self.unknown_option = match[1]
        if match := re.search(r"ERROR: \*\*\* (.*?) \*\*\*", line):
            self.error = match[1]
        if line.strip():
            self.last = line.strip()


def parse_range(line: str) -> tuple[str, tuple[float, float]] | None:
    """`    AnalogueGain : [1.000000..16.000000]` as its name and range; None for what is no range of numbers."""
    match = re.match(r"\s+(\w+) : \[(-?[\d.]+?)\.\.(-?[\d.]+)\]", line)
    if not match:
        return None
    try:
        return match[1], (float(match[2]), float(match[3]))
    except ValueError:
        return None


def sensor_of(camera_id: str) -> str:
    """`/base/soc/i2c0mux/i2c@1/imx708@1a` → imx708."""
    return camera_id.rstrip("/").rsplit("/", 1)[-1].partition("@")[0]


def why_not(talk: Talk, camera: int, held_by: str, how: str) -> str:
    """The sentence for a camera that cannot be opened, or has ended. `how` the program ended, `held_by` whom."""
    name = f"csi:{camera}"
    if talk.timed_out:
        return (
            f"the camera {name} has stopped answering (time-out): switch the Pi off and check both ends of the "
            "ribbon cable"
        )
    if talk.busy or "acquire" in talk.error:
        by = held_by or "another program (rpicam-…, libcamera-…, picamera2 or MediaMTX)"
        return f"the camera {name} is in use by {by}: end that, or name another with --camera"
    match talk.error:
        case "no cameras available":
            return (
                "there is no CSI camera: switch the Pi off and check the ribbon cable; camera_auto_detect=1 must be in "
                "/boot/firmware/config.txt"
            )
        case "selected camera is not available":
            return f"there is no camera {name}: zlfeed cameras lists those that are there"
    said = talk.error or talk.last
    return f"the camera {name} gives no picture: {how}" + (f": {said}" if said else "")


def parse_list(text: str, ranges_wanted: bool = True) -> list[CameraFacts]:
    """What `--list-cameras` printed: without rates (2021), with them in round, and in square brackets (2022 on)."""
    found: list[CameraFacts] = []
    modes: list[Mode] = []
    ranges: dict[str, tuple[float, float]] = {}
    fmt = ""

    def finish() -> None:
        if found:
            controls = controls_of(ranges, {}) if ranges_wanted else []
            found[-1] = replace(found[-1], modes=tuple(_by_size(modes)), controls=tuple(controls))
        modes.clear()
        ranges.clear()

    for line in text.splitlines():
        if head := re.match(r"\s*(\d+) : (\S+) (?:\[.*?\] )?\((.+)\)\s*$", line):
            finish()
            found.append(CameraFacts(f"csi:{head[1]}", head[2], "csi", id=head[3], driver="libcamera"))
            continue
        if named := parse_range(line):
            ranges[named[0]] = named[1]
            continue
        if named_format := re.search(r"'(\w+)'\s*:", line):
            fmt = named_format[1]
        elif not re.match(r"\s+\d+x\d+", line):
            continue
        for width, height, fps in _MODE.findall(line):
            rates = (float(fps),) if fps else ()
            modes.append(Mode(int(width), int(height), fmt, rates))
    finish()
    return found


def _by_size(modes: Iterable[Mode]) -> list[Mode]:
    return sorted(modes, key=lambda mode: (-mode.pixels, mode.format))


class Metadata:
    """The text that --metadata-format txt writes: NAME=VALUE lines, an empty line after each picture's."""

    def __init__(self) -> None:
        self.pictures = 0
        self._stamps: deque[int | None] = deque(maxlen=64)
        self._rest = b""
        self._timestamp: int | None = None

    def feed(self, data: bytes) -> None:
        """Takes in what was written."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"SensorTimestamp="):
                digits = line[16:].strip()
                self._timestamp = int(digits) if digits.isdigit() else None
            elif not line:
                self.pictures += 1
                self._stamps.append(self._timestamp)
                self._timestamp = None

    def sensor_ns(self, picture: int) -> int | None:
        """When the first row of that picture (from 1) was read out, by the kernel's clock; None: not told."""
        at = picture - 1 - (self.pictures - len(self._stamps))
        return self._stamps[at] if 0 <= at < len(self._stamps) else None


def checked_size(size: tuple[int, int] | None, told: tuple[int, int] | None) -> tuple[int, int]:
    """The size that the program gives. Raises CameraError for one that cannot be taken."""
    width, height = told or size or (640, 480)
    if width % 2 or height % 2:
        raise CameraError(f"the camera gives {width}x{height}, and 4:2:0 video wants even numbers: try another --size")
    return width, height
