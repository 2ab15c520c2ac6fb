"""Video devices of Linux: which there are, and why one cannot be opened."""

from __future__ import annotations

import errno
import os
import re
import struct
import sys
from pathlib import Path
from typing import NamedTuple

from zlfeed.errors import CameraError
from zlfeed.publisher.camera.holders import holders_text
from zlfeed.publisher.camera.source import CameraSpec

_VIDIOC_QUERYCAP = 0x80685600
_CAPABILITY = struct.Struct("16s32s32sIII12x")
_CAP_VIDEO_CAPTURE = 0x1
_CAP_VIDEO_CAPTURE_MPLANE = 0x1000
_CAP_DEVICE_CAPS = 0x80000000

_NOT_CAMERAS = {
    "bcm2835-codec",
    "bcm2835-codec-decode",
    "bcm2835-isp",
    "rpivid",
    "rpi-hevc-dec",
    "pispbe",
    "hantro-vpu",
}
"""Drivers of decoders, encoders and picture processors, which have /dev/videoN too."""
_RAW_SENSORS = {"unicam", "bcm2835-unicam", "rp1-cfe"}
"""Drivers of the Raspberry Pi's CSI ports: raw sensor data that only libcamera can make a picture of."""


class Capability(NamedTuple):
    """What VIDIOC_QUERYCAP says of a device (linux/videodev2.h, struct v4l2_capability)."""

    driver: str
    card: str
    captures: bool


def parse_capability(data: bytes) -> Capability:
    """Reads a struct v4l2_capability, 104 bytes."""
    driver, card, _bus, _version, whole, own = _CAPABILITY.unpack(data)
    flags = own if whole & _CAP_DEVICE_CAPS else whole
    return Capability(_text(driver), _text(card), bool(flags & (_CAP_VIDEO_CAPTURE | _CAP_VIDEO_CAPTURE_MPLANE)))


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace").strip()


def device_path(target: str) -> str:
    """The device's path: "0" is /dev/video0, a link such as /dev/v4l/by-id/… is followed."""
    return f"/dev/video{target}" if target.isdigit() else os.path.realpath(target)


def query(path: str) -> Capability:
    """Opens the device and asks what it is. Raises CameraError that says why it cannot be a camera."""
    import fcntl

    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise CameraError(_why_not(path, error)) from None
    try:
        data = bytearray(_CAPABILITY.size)
        fcntl.ioctl(fd, _VIDIOC_QUERYCAP, data)
    except OSError as error:
        raise CameraError(_why_not(path, error)) from None
    finally:
        os.close(fd)
    capability = parse_capability(bytes(data))
    if capability.driver in _RAW_SENSORS:
        raise CameraError(
            f"{path} is the port of a ribbon-cable (CSI) camera, which cannot be read as a video device: {_others()}"
        )
    if not capability.captures:
        raise CameraError(f"{path} ({capability.card}) is no camera: {_others()}")
    return capability


def _why_not(path: str, error: OSError) -> str:
    match error.errno:
        case errno.ENOENT | errno.ENXIO | errno.ENODEV:
            return f"there is no camera {path}: {_others()}"
        case errno.EACCES | errno.EPERM:
            return (
                f"no permission to open the camera {path}: add the user to its group with "
                "sudo usermod -aG video $USER, then log in again"
            )
        case errno.EBUSY:
            return _busy(path)
        case errno.ENOTTY | errno.EINVAL:
            return f"{path} is no camera: {_others()}"
        case _:
            return f"the camera {path} cannot be opened ({error.strerror}): unplug it and plug it in again"


def _busy(path: str) -> str:
    by = holders_text(path) or f"another program, which fuser -v {path} names"
    return f"the camera {path} is in use by {by}: end that, or name another with --camera"


def _others() -> str:
    found = [spec.target for spec in _devices(Path("/dev"), Path("/sys/class/video4linux"))]
    if found:
        return f"--camera can be {', '.join(found)} or test"
    return "this machine has no video device; plug a camera in, or try --camera test"


def candidates(
    spec: CameraSpec, dev: Path = Path("/dev"), sysfs: Path = Path("/sys/class/video4linux")
) -> list[CameraSpec]:
    """The devices that `auto` tries, in order. Raises CameraError when there is none.

    Nothing is opened here (that may block): what is known for no camera is left out by its driver's name in sysfs,
    and a device's first node comes before its others, which hold metadata.
    """
    if not sys.platform.startswith("linux"):
        return [CameraSpec(spec.name, "device", str(number)) for number in range(4)]
    found = _devices(dev, sysfs)
    if not found:
        raise CameraError("this machine has no camera (no /dev/video…): plug one in, or try --camera test")
    return [CameraSpec(spec.name, "device", device.target) for device in found]


class _Device(NamedTuple):
    secondary: bool
    number: int
    target: str


def _devices(dev: Path, sysfs: Path) -> list[_Device]:
    found = []
    for path in dev.glob("video*"):
        if not (match := re.fullmatch(r"video(\d+)", path.name)):
            continue
        about = sysfs / path.name
        if (about / "device" / "driver").resolve().name in _NOT_CAMERAS | _RAW_SENSORS:
            continue
        try:
            secondary = (about / "index").read_text().strip() != "0"
        except OSError:
            secondary = False
        found.append(_Device(secondary, int(match[1]), str(path)))
    return sorted(found)
