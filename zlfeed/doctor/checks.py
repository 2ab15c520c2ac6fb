"""The checks: each looks at one thing of this machine, really tries it where that is possible, and never raises."""

from __future__ import annotations

import datetime
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from zlfeed import __version__, certificates, pi, tls, versions
from zlfeed.cameras import find as find_cameras
from zlfeed.config import Settings
from zlfeed.doctor import encoders, ntp, reach
from zlfeed.doctor.finding import Finding, Level
from zlfeed.errors import EncoderError, PortError, StartError, UsageError
from zlfeed.net import ANY, bind_tcp
from zlfeed.opencv import load_cv2
from zlfeed.publisher.camera.holders import holders_words
from zlfeed.publisher.encode.ffmpeg import find_ffmpegs
from zlfeed.publisher.mediamtx.locate import locate
from zlfeed.receiver import display

Check = Callable[[Settings], Iterator[Finding]]

INSTALL_FFMPEG = "install FFmpeg from your distribution, or leave --ffmpeg-path away to use the bundled one"
_PROGRAM_S = 10.0
_PACKAGES = ("numpy", "protobuf", "textual", "websockets", "psutil", "typer")


def python(_settings: Settings) -> Iterator[Finding]:
    """The interpreter and the packages that matter."""
    yield Finding("python", "ok", f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    versions = [f"{name} {metadata.version(name)}" for name in _PACKAGES]
    yield Finding("packages", "ok", f"zlfeed {__version__}; {', '.join(versions)}")


def raspberry_pi(_settings: Settings) -> Iterator[Finding]:
    """The model, and what holds it back; nothing elsewhere."""
    if machine := pi.model():
        yield Finding("machine", "ok", machine)
    throttling = pi.ThrottleReader().read()
    if throttling is None:
        return
    if throttling.now or throttling.ever:
        when, words = ("now", throttling.now) if throttling.now else ("since it was started", throttling.ever)
        weak = "under-voltage" in words
        cure = "use the Raspberry Pi's own power supply and a short cable" if weak else "cool it: a heat sink or a fan"
        yield Finding("throttling", "warn", f"held back {when}: {', '.join(words)}", cure)
    else:
        yield Finding("throttling", "ok", "neither now nor since it was started")


def opencv(_settings: Settings) -> Iterator[Finding]:
    """OpenCV, which cameras and the window need."""
    try:
        cv2 = load_cv2()
    except StartError as error:
        yield Finding("opencv", "fail", str(error))
        return
    yield Finding("opencv", "ok", f"OpenCV {cv2.__version__}")


def ffmpeg(settings: Settings) -> Iterator[Finding]:
    """FFmpeg and its encoders, each tried with real frames."""
    try:
        programs = find_ffmpegs(settings.ffmpeg_path)
    except EncoderError as error:
        yield Finding("ffmpeg", "fail", str(error), INSTALL_FFMPEG)
        return
    found = {program: versions.ffmpeg(program) for program in programs}
    for program, version in found.items():
        if version is None:
            level: Level = "warn" if any(found.values()) else "fail"  # another one does
            yield Finding("ffmpeg", level, f"{program} does not run: {_why_not(program)}", INSTALL_FFMPEG)
        else:
            yield Finding("ffmpeg", "ok", f"FFmpeg {version} at {program}")
    if working := [program for program, version in found.items() if version is not None]:
        yield from encoders.tried(settings, working)


def _why_not(program: Path) -> str:
    """What a program that does not tell FFmpeg's version says instead."""
    try:
        done = subprocess.run(
            [str(program), "-version"], check=False, capture_output=True, text=True, errors="replace",
            timeout=_PROGRAM_S, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = done.stderr.strip().splitlines()
    return said[-1] if said else "it says nothing of FFmpeg"


def mediamtx(settings: Settings) -> Iterator[Finding]:
    """MediaMTX, which gives browsers the stream."""
    try:
        program = locate(settings.mediamtx_path)
    except StartError as error:
        yield Finding("mediamtx", "warn", str(error), "zlfeed mediamtx install")
        return
    if program is None:
        yield Finding("mediamtx", "warn", "there is none: browsers get nothing", "zlfeed mediamtx install")
    else:
        yield Finding("mediamtx", "ok", f"MediaMTX {program.version} at {program.path}")


def cameras(_settings: Settings) -> Iterator[Finding]:
    """Video devices that capture, and CSI cameras."""
    if sys.platform != "linux":
        yield Finding("cameras", "ok", "not looked for on this system; publish --camera auto tries them")
        return
    found, troubles = find_cameras()
    for facts in found:
        held = f", in use by {holders_words(facts.held_by)}" if facts.held_by else ""
        if facts.problem:
            yield Finding("cameras", "warn", facts.problem)
        else:
            yield Finding("cameras", "ok", f"{facts.source}: {facts.name}{held}")
    for trouble in troubles:
        yield Finding("cameras", "warn", trouble)
    if not found and not troubles:
        yield Finding("cameras", "warn", "this machine has no camera", "plug one in, or publish --camera test")


def ports(settings: Settings) -> Iterator[Finding]:
    """The ports that publish would open."""
    for option in ("rtsp", "websocket", "webrtc", "hls"):
        port = int(getattr(settings, f"{option}_port"))
        try:
            sockets, _ = bind_tcp(ANY, port, option=f"--{option}-port")
        except PortError as error:
            yield Finding(f"port {port}", "warn", str(error).partition(":")[0], f"publish with another --{option}-port")
            continue
        for sock in sockets:
            sock.close()
        yield Finding(f"port {port}", "ok", f"free for {option}")


def screen(_settings: Settings) -> Iterator[Finding]:
    """A display for the window."""
    try:
        opened = display.prepare(load_cv2())
    except StartError as error:
        yield Finding("display", "warn", str(error), "receive --headless and monitor need none")
        return
    if opened is not None:
        opened.close()
    yield Finding("display", "ok", "a window can be opened")


def clock(_settings: Settings) -> Iterator[Finding]:
    """Whether the wall clock is kept right by the network; latency does not depend on it."""
    error = ntp.error_us()
    if error is None:
        yield Finding("clock", "ok", "whether it is set by the network is unknown; latency does not depend on it")
    elif ntp.synchronized(error):
        yield Finding("clock", "ok", f"set by the network, to {error / 1000:.0f} ms or better")
    else:
        cure = "timedatectl set-ntp true; latency does not depend on it, the time in the picture does"
        yield Finding("clock", "warn", "not set by the network", cure)


def certificate(settings: Settings) -> Iterator[Finding]:
    """The TLS certificate and its last day; nothing without TLS."""
    try:
        files = tls.pair(settings.tls_cert, settings.tls_key)
        if files is None:
            return
        tls.server_context(files)
        end, now = certificates.expires(files.cert), datetime.datetime.now(datetime.UTC)
    except UsageError as error:
        yield Finding("certificate", "fail", str(error), "name the right files, or make new ones: zlfeed tls init")
        return
    said, _, cure = certificates.expiry_words(files.cert, now).partition(": ")
    if said:
        yield Finding("certificate", "fail" if end <= now else "warn", said, cure)
    else:
        yield Finding("certificate", "ok", f"{files.cert} is valid until {end:%Y-%m-%d}")


ALL: tuple[Check, ...] = (
    python,
    raspberry_pi,
    opencv,
    ffmpeg,
    mediamtx,
    cameras,
    ports,
    screen,
    clock,
    certificate,
    reach.network,
    reach.publisher,
)
