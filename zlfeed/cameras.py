"""Finds the cameras of this machine and prints them: names, modes, controls, and who holds them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from zlfeed.errors import CameraError, ExitCode
from zlfeed.model import Control
from zlfeed.publisher.camera import rpicam, v4l2
from zlfeed.publisher.camera.csi_ways import find_program, find_python
from zlfeed.publisher.camera.facts import CameraFacts, Mode
from zlfeed.publisher.camera.holders import holders, holders_words

_LIST_S = 20.0
"""How long rpicam-vid may take to list: it sets each sensor to each of its modes."""
_SHOWN_MODES = 6


def find() -> tuple[list[CameraFacts], list[str]]:
    """The cameras that are there, and what could not be looked at, in words."""
    found, troubles = [], []
    if sys.platform.startswith("linux"):
        found += [look for path in v4l2.video_devices() if (look := look_at(path)) is not None]
        csi, trouble = csi_cameras()
        found += csi
        troubles += [trouble] if trouble else []
    return found, troubles


def look_at(path: str) -> CameraFacts | None:
    """What a video device offers; None when it is no camera, or went away meanwhile."""
    v4l2_query = v4l2.asking()
    facts = CameraFacts(path, "", "usb" if v4l2.is_usb(path) else "device", id=v4l2.stable_link(path) or "")
    if v4l2_query is None:
        problem = "its name, modes and controls are not known without linuxpy: pip install linuxpy"
        return replace(facts, held_by=tuple(holders(path)), problem=problem)
    try:
        driver, name, captures = v4l2_query.card(path)
        if not captures:
            return None  # a node for metadata
        facts = replace(facts, name=name, driver=driver, held_by=tuple(holders(path)))
        return replace(facts, modes=tuple(v4l2_query.modes(path)), controls=tuple(v4l2_query.controls(path)))
    except OSError as error:
        if not os.path.exists(path):
            return None  # unplugged while we looked
        return replace(facts, held_by=tuple(holders(path)), problem=v4l2.why_not(path, error))


def csi_cameras() -> tuple[list[CameraFacts], str]:
    """The ribbon-cable cameras as rpicam-vid lists them, and what went wrong, "" if nothing."""
    program = find_program()
    if program is None and (found := find_python()) is not None:
        return by_picamera2(found.python)
    if program is None:
        ports = v4l2.csi_ports()
        cure = "install rpicam-apps-lite to use CSI cameras: sudo apt install rpicam-apps-lite"
        return [], f"there is a CSI port, and no rpicam-vid: {cure}" if ports else ""
    name = os.path.basename(program)
    try:
        said = subprocess.run(
            [program, "--list-cameras", "--verbose"],
            check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_LIST_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return [], f"{name} --list-cameras said nothing for {_LIST_S:g} s: another program may hold the camera"
    except OSError as error:
        return [], f"{program} cannot be run: {error.strerror}"
    listed = rpicam.parse_list(said.stdout)
    held_by = tuple({holder for path in Path("/dev").glob("media*") for holder in holders(str(path))})
    listed = [replace(facts, held_by=held_by) for facts in listed]
    if said.returncode and not listed:
        last = (said.stderr.strip() or said.stdout.strip()).splitlines()
        return [], f"{name} --list-cameras ended with code {said.returncode}" + (f": {last[-1]}" if last else "")
    return listed, ""


def by_picamera2(python: str) -> tuple[list[CameraFacts], str]:
    """The same as picamera2 lists them: names only, for it would have to set up each camera to tell more."""
    list_them = "import json, picamera2; print(json.dumps(picamera2.Picamera2.global_camera_info()))"
    try:
        said = subprocess.run(
            [python, "-P", "-c", list_them],
            check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_LIST_S,
        )  # fmt: skip
        listed = [camera for camera in json.loads(said.stdout) if "/usb" not in camera["Id"]]
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().splitlines()
        return [], "picamera2 does not list the cameras" + (f": {last[-1]}" if last else "")
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        return [], f"picamera2 does not list the cameras ({type(error).__name__})"
    return [
        CameraFacts(f"csi:{number}", camera.get("Model", ""), "csi", id=camera["Id"], driver="libcamera")
        for number, camera in enumerate(listed)
    ], ""


def run(*, as_json: bool, reset: str | None) -> int:
    """Prints the cameras; 0 when there is one, 3 when there is none. With `reset`, puts that one's controls back."""
    if reset is not None:
        return _reset(reset)
    found, troubles = find()
    console = Console(highlight=False)
    for facts in found:
        if as_json:
            console.print(
                json.dumps({"type": "camera", **asdict(facts)}, ensure_ascii=False), soft_wrap=True, markup=False
            )
        else:
            console.print(table(facts))
    for trouble in troubles:
        _complain(trouble)
    if not found:
        raise CameraError(
            "there is no camera here: plug one in (USB), or switch off and connect its ribbon cable (CSI); "
            "zlfeed publish --camera test needs none"
        )
    return ExitCode.OK


def _reset(name: str) -> int:
    """Puts a camera's controls back to the driver's defaults, and forgets what was kept of it."""
    from zlfeed.publisher.camera.source import ControlRefused, parse_camera
    from zlfeed.publisher.controls.kept import forget

    spec = parse_camera(name, "camera")
    done = []
    if spec.kind == "device":
        v4l2_query = v4l2.asking()
        if v4l2_query is None:
            raise CameraError("a device's controls are not known without linuxpy: pip install linuxpy")
        path = v4l2.device_path(spec.target)
        try:
            for control in v4l2_query.controls(path):
                if v4l2_query.differs(control):
                    try:
                        value = v4l2_query.set_control(path, control.name, v4l2_query.DEFAULT)
                    except ControlRefused as refusal:
                        _complain(str(refusal))
                    else:
                        done.append(f"{control.name} {value}")
        except OSError as error:
            raise CameraError(v4l2.why_not(path, error)) from None
    forgotten = forget(spec)
    console = Console(highlight=False, markup=False)
    console.print(f"{spec.text}: " + (", ".join(done) if done else "nothing had to be set"), soft_wrap=True)
    if forgotten:
        console.print(f"forgotten for the next publish: {', '.join(sorted(forgotten))}", soft_wrap=True)
    return ExitCode.OK


def _complain(text: str) -> None:
    Console(stderr=True, highlight=False, markup=False).print(f"zlfeed: {text}", soft_wrap=True)


def table(facts: CameraFacts) -> Table:
    """A camera for people."""
    shown = Table.grid(padding=(0, 2))
    shown.add_column(no_wrap=True, style="dim")
    shown.add_column()
    title = Text(facts.source, "bold")
    title.append(f"  {facts.name}" if facts.name else "", "not bold")
    shown.add_row("camera", title)
    if facts.problem:
        shown.add_row("", Text(facts.problem, "yellow"))
    if facts.held_by:
        shown.add_row("in use by", Text(holders_words(facts.held_by), "yellow"))
    if facts.id:
        shown.add_row("same as" if facts.id.startswith("/dev/") else "id", facts.id)
    for line in mode_lines(facts.modes):
        shown.add_row("modes", line)
    for control in facts.controls:
        shown.add_row("control", control_line(control))
    shown.add_row("", "")
    return shown


def mode_lines(modes: Sequence[Mode]) -> list[str]:
    """One line a pixel format: `MJPG 1280x720 at 30 fps, 640x480 at 30 fps`, largest first."""
    lines = []
    for fmt in dict.fromkeys(mode.format for mode in modes):
        of_it = [mode for mode in modes if mode.format == fmt]
        texts = [
            f"{mode.width}x{mode.height}" + (f" at {mode.best_fps:g} fps" if mode.best_fps else "")
            for mode in of_it[:_SHOWN_MODES]
        ]
        more = f" and {len(of_it) - _SHOWN_MODES} smaller" if len(of_it) > _SHOWN_MODES else ""
        lines.append(f"{fmt:<5} {', '.join(texts)}{more}")
    return lines


def control_line(control: Control) -> str:
    """`brightness 0 (-64 to 64, default 0)`."""
    value = "–" if control.value is None else control.value
    unit = f" {control.unit}" if control.unit else ""
    if control.choices:
        return f"{control.name} {value} ({', '.join(control.choices)})"
    if control.minimum is None or control.maximum is None:
        return f"{control.name} {value}"
    default = f", default {control.default_value:.10g}" if control.default_value is not None else ""
    return f"{control.name} {value}{unit} ({control.minimum:.10g} to {control.maximum:.10g}{default})"
