"""The checks: each looks at one thing of this machine, really tries it where that is possible, and never raises."""

from __future__ import annotations

import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import psutil

from zlfeed import __version__, pi
from zlfeed.cameras import find as find_cameras
from zlfeed.config import Settings
from zlfeed.doctor.finding import Finding, Level
from zlfeed.errors import PortError, StartError, UsageError, ZlfeedError
from zlfeed.net import ANY, bind_tcp, is_loopback
from zlfeed.opencv import load_cv2
from zlfeed.publisher.camera.holders import holders_words
from zlfeed.publisher.ffmpeg import EncoderSettings, encode_argv, find_ffmpeg
from zlfeed.publisher.mediamtx.locate import locate
from zlfeed.publisher.nut import NutDemuxer, NutError
from zlfeed.receiver import display
from zlfeed.receiver.describe import describe
from zlfeed.receiver.target import parse
from zlfeed.tokens import for_client

Check = Callable[[Settings], Iterator[Finding]]

_PACKAGES = ("numpy", "protobuf", "textual", "websockets", "psutil", "typer")
_ENCODERS = (("h264", "libx264"), ("h265", "libx265"), ("av1", "libsvtav1"))
_FRAMES = 5
_ENCODE_S = 20.0
_VPN_PREFIXES = ("wg", "tun", "tap", "tailscale", "zt", "ppp", "utun")


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
    """FFmpeg and its encoders, each tried on a few frames."""
    try:
        program = find_ffmpeg(settings.ffmpeg_path)
        said = subprocess.run(
            [str(program), "-version"], check=False, capture_output=True, text=True, errors="replace", timeout=_ENCODE_S
        )
    except (ZlfeedError, OSError, subprocess.TimeoutExpired) as error:
        yield Finding("ffmpeg", "fail", str(error))
        return
    version = said.stdout.splitlines()[0].removeprefix("ffmpeg version ").split(" ")[0] if said.stdout else "unknown"
    yield Finding("ffmpeg", "ok", f"FFmpeg {version} at {program}")
    for codec, encoder in _ENCODERS:
        yield _encoder(program, codec, encoder)


def _encoder(program: Path, codec: str, name: str) -> Finding:
    wish = EncoderSettings(640, 480, 30.0, 800_000, 30, codec, name)
    # Without libx264 there is no feed; the others are a choice.
    lacking: Level = "fail" if name == "libx264" else "warn"
    cure = "install FFmpeg from your distribution, or leave --ffmpeg-path away to use the bundled one"
    try:
        done = subprocess.run(
            encode_argv(program, wish, warm=False),
            check=False, input=b"\x80" * wish.frame_bytes * _FRAMES, capture_output=True, timeout=_ENCODE_S,
        )  # fmt: skip
        packets = list(NutDemuxer().feed(done.stdout)) if done.stdout else []
    except (OSError, subprocess.TimeoutExpired, NutError) as error:
        return Finding(f"encoder {name}", lacking, f"{codec} cannot be encoded: {error}", cure)
    if len(packets) != _FRAMES:
        last = done.stderr.decode(errors="replace").strip().splitlines()
        said = f": {last[-1]}" if last else ""
        return Finding(f"encoder {name}", lacking, f"{len(packets)} of {_FRAMES} {codec} frames came out{said}", cure)
    return Finding(f"encoder {name}", "ok", f"{_FRAMES} of {_FRAMES} {codec} frames came out")


def mediamtx(settings: Settings) -> Iterator[Finding]:
    """MediaMTX, which gives browsers the stream."""
    try:
        program = locate(settings.mediamtx_path)
    except StartError as error:
        yield Finding("mediamtx", "warn", str(error))
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
    """Whether the wall clock is set by the network; latency does not depend on it."""
    if not (program := shutil.which("timedatectl")):
        yield Finding("clock", "ok", "whether it is set by the network is unknown; latency does not depend on it")
        return
    try:
        said = subprocess.run(
            [program, "show", "--property=NTPSynchronized", "--value"],
            check=False, capture_output=True, text=True, timeout=5,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    match said:
        case "yes":
            yield Finding("clock", "ok", "set by the network")
        case "no":
            cure = "timedatectl set-ntp true; latency does not depend on it, the time in the picture does"
            yield Finding("clock", "warn", "not set by the network", cure)
        case _:
            yield Finding("clock", "ok", "whether it is set by the network is unknown; latency does not depend on it")


def network(settings: Settings) -> Iterator[Finding]:
    """This machine's addresses, and whether the advertised one is among them."""
    states = psutil.net_if_stats()
    addresses: list[tuple[str, str]] = [
        (name, address.address.split("%")[0])
        for name, found in psutil.net_if_addrs().items()
        for address in found
        if address.family in (socket.AF_INET, socket.AF_INET6)
        and not is_loopback(address.address)
        and not address.address.startswith("fe80:")
        and (name not in states or states[name].isup)
    ]
    if not addresses:
        yield Finding("network", "warn", "no address but this machine's own", "only this machine can watch")
        return
    yield Finding("network", "ok", ", ".join(f"{address} ({name})" for name, address in addresses))
    if vpn := [name for name, _ in addresses if name.startswith(_VPN_PREFIXES)]:
        yield Finding("vpn", "ok", f"interface {', '.join(sorted(set(vpn)))}")
    wanted = settings.advertise
    if wanted and wanted not in {address for _, address in addresses}:
        cure = "is the VPN up? else correct --advertise or PI_VPN_IP"
        yield Finding("advertise", "warn", f"{wanted} is no address of this machine", cure)


def publisher(settings: Settings) -> Iterator[Finding]:
    """Whether the publisher that viewers here look for answers; nothing when none is named."""
    if not settings.publisher:
        return
    try:
        target = parse(settings.publisher, rtsp_port=settings.rtsp_port, stream_name=settings.stream_name)
        found = describe(target.with_token(for_client(settings, target.host)), settings.connection_timeout)
    except UsageError as error:
        yield Finding("publisher", "fail", str(error))
        return
    yield Finding("publisher", "ok" if found.ok else "warn", found.sentence)


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
    network,
    publisher,
)
