"""Video devices of Linux: which there are, and why one cannot be opened."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from zlfeed.errors import CameraError
from zlfeed.publisher.camera.csi_ways import find_program, find_python
from zlfeed.publisher.camera.holders import holders_text
from zlfeed.publisher.camera.source import CameraSpec

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


_DEV, _SYSFS = Path("/dev"), Path("/sys/class/video4linux")
_LINKS = (Path("/dev/v4l/by-id"), Path("/dev/v4l/by-path"))


def stable_link(path: str, folders: Sequence[Path] = _LINKS) -> str | None:
    """The link by which the device is found again after it was unplugged: by its USB id, else by its socket.

    Of two cameras of one kind without serial numbers only one has the link by id (udev); the other has its socket's.
    """
    real = os.path.realpath(path)
    for folder in folders:
        with contextlib.suppress(OSError):
            for link in sorted(folder.iterdir()):
                if os.path.realpath(link) == real:
                    return str(link)
    return None


def device_path(target: str) -> str:
    """The device's path: "0" is /dev/video0, a link such as /dev/v4l/by-id/… is followed."""
    return f"/dev/video{target}" if target.isdigit() else os.path.realpath(target)


def asking() -> ModuleType | None:
    """The module that asks devices; None without linuxpy, which may be left out for its licence (docs/pi.md)."""
    try:
        return importlib.import_module("zlfeed.publisher.camera.v4l2_query")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "linuxpy":
            raise
        return None


def query(path: str) -> str:
    """Opens the device and asks for its name, "" without linuxpy. Raises CameraError that says why it is no camera."""
    v4l2_query = asking()
    if v4l2_query is None:
        return ""
    try:
        driver, card, captures = v4l2_query.card(path)
    except OSError as error:
        raise CameraError(why_not(path, error)) from None
    if driver in _RAW_SENSORS:
        raise CameraError(f"{path} is the port of a ribbon-cable (CSI) camera, which is read as csi: say --camera csi")
    if not captures:
        raise CameraError(f"{path} ({card}) is no camera: {_others()}")
    return str(card)


def why_not(path: str, error: OSError) -> str:
    """The sentence for a device that cannot be opened or asked."""
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
    found = [spec.target for spec in _devices(_DEV, _SYSFS)]
    if found:
        return f"--camera can be {', '.join(found)} or test"
    return "this machine has no video device; plug a camera in, or try --camera test"


def candidates(spec: CameraSpec, dev: Path = _DEV, sysfs: Path = _SYSFS) -> list[CameraSpec]:
    """The cameras that `auto` tries, in order: video devices, then CSI. Raises CameraError when there is none.

    Nothing is opened here (that may block): what is known for no camera is left out by its driver's name in sysfs,
    and a device's first node comes before its others, which hold metadata.
    """
    if not sys.platform.startswith("linux"):
        return [CameraSpec(spec.name, "device", str(number)) for number in range(4)]
    devices = [device.target for device in _devices(dev, sysfs) if device.target not in spec.besides]
    found = [CameraSpec(spec.name, "device", device) for device in devices]
    # Other Pythons are asked only where nothing else is to be had: each takes 50 ms, and a second on a small Pi.
    if "csi:0" not in spec.besides and (find_program() or (not found and find_python())):
        found.append(CameraSpec(spec.name, "csi", "0"))
    if not found and spec.besides:
        raise CameraError(f"this machine has no camera but {' and '.join(spec.besides)}: plug another in")
    if not found:
        raise CameraError("this machine has no camera (no /dev/video…): plug one in, or try --camera test")
    return found


def same_device(specs: Sequence[CameraSpec]) -> tuple[CameraSpec, CameraSpec] | None:
    """Two that are one camera, by whatever names and links; None when there are none."""
    seen: dict[tuple[str, str], CameraSpec] = {}
    for spec in specs:
        if spec.kind == "device":
            key = ("device", device_path(spec.target))
        elif spec.kind in ("csi", "auto"):
            key = (spec.kind, spec.target)
        else:
            continue
        if key in seen:
            return seen[key], spec
        seen[key] = spec
    return None


def video_devices(dev: Path = _DEV, sysfs: Path = _SYSFS) -> list[str]:
    """The paths of the devices that may be cameras, in the order in which `auto` tries them."""
    return [device.target for device in _devices(dev, sysfs)]


def csi_ports(dev: Path = _DEV, sysfs: Path = _SYSFS) -> list[str]:
    """The paths of a Raspberry Pi's CSI ports, which only libcamera can use."""
    return [str(path) for path in sorted(dev.glob("video*")) if _driver(sysfs, path.name) in _RAW_SENSORS]


def is_usb(path: str, sysfs: Path = _SYSFS) -> bool:
    """Whether the device is a USB camera."""
    return _driver(sysfs, os.path.basename(os.path.realpath(path))) == "uvcvideo"


def _driver(sysfs: Path, node: str) -> str:
    return (sysfs / node / "device" / "driver").resolve().name


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
        if _driver(sysfs, path.name) in _NOT_CAMERAS | _RAW_SENSORS:
            continue
        try:
            secondary = (about / "index").read_text().strip() != "0"
        except OSError:
            secondary = False
        found.append(_Device(secondary, int(match[1]), str(path)))
    return sorted(found)
