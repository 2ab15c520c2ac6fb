"""What is compared with what: chains of a sender, a server and a viewer, in groups. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

Client = Literal["receive", "opencv", "ffmpeg", "gstreamer"]
Server = Literal["mediamtx", "relay"]
Transport = Literal["tcp", "udp"]


@dataclass(frozen=True, slots=True)
class Format:
    """The picture and how it is encoded. `bitrate` in bit/s; `gop` in frames, None: each sender's own way."""

    width: int = 640
    height: int = 480
    fps: float = 30.0
    bitrate: int = 800_000
    codec: str = "h264"
    gop: int | None = None

    @property
    def frame_ms(self) -> float:
        """From one frame to the next."""
        return 1000 / self.fps

    @property
    def text(self) -> str:
        """In words."""
        codec = {"h264": "H.264", "h265": "H.265"}[self.codec]
        return f"{self.width}×{self.height} at {self.fps:g} fps, {self.bitrate // 1000} kbit/s {codec}"


@dataclass(frozen=True, slots=True)
class Feed:
    """`zlfeed publish`, with these arguments beside the format."""

    publish: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plain:
    """A program that writes OpenCV pictures into `ffmpeg … -f rtsp URL`, and a server that FFmpeg pushes to.

    The server is MediaMTX, or a relay with every improvement off but those in `improvements`
    (see zlfeed/bench/programs/push_relay.py). `pixels` is what is written: bgr24 or yuv420p.
    """

    server: Server
    improvements: tuple[str, ...] = ()
    pixels: str = "bgr24"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks. `threads` and `options` are set at opening (OpenCV only); None and empty: as it comes."""

    client: Client = "opencv"
    transport: Transport = "tcp"
    threads: int | None = None
    options: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """One way from camera to picture; `name` is unique in its group and fits the table."""

    group: str
    name: str
    format: Format
    sender: Feed | Plain | None
    """None: encode and decode in one process, with no transport between them."""
    viewer: Viewer = field(default_factory=Viewer)
    note: str = ""
    against: str = ""
    """The chain of the same group that the ratio is taken against."""

    @property
    def key(self) -> tuple[str, str]:
        """What identifies it."""
        return self.group, self.name


TRANSPORTS: tuple[Transport, ...] = ("tcp", "udp")
LOW_DELAY = "rtsp_transport;tcp|probesize;32|analyzeduration;0|max_delay;0|reorder_queue_size;0"
"""What `zlfeed receive` tells FFmpeg through OpenCV: do not probe (design 1.3)."""

FORMATS = tuple(
    Format(width, height, fps, bitrate, codec)
    for codec in ("h264", "h265")
    for width, height, bitrate in ((640, 480, 800_000), (1280, 720, 2_000_000), (1920, 1080, 4_000_000))
    for fps in (30.0, 60.0)
)
"""The size of picture, rate and codec that the group `formats` goes through."""


def plain_group(wanted: Format, server: Server) -> list[Chain]:
    """The chain that most people build first, ours, and a stock viewer on ours."""
    via = "MediaMTX" if server == "mediamtx" else "a plain relay"
    usual = f"OpenCV pictures → FFmpeg → {via} → cv2.VideoCapture(URL)"
    return [
        Chain("plain", "plain chain", wanted, Plain(server), note=usual),
        Chain(
            "plain",
            "stock viewer",
            wanted,
            Feed(),
            note="zlfeed publish → cv2.VideoCapture(URL)",
            against="plain chain",
        ),
        Chain("plain", "zlfeed", wanted, Feed(), Viewer("receive"), "zlfeed publish → zlfeed receive", "plain chain"),
    ]


def improvements_group(wanted: Format) -> list[Chain]:
    """Each improvement alone, against the same relay with all of them off; then all together."""
    bare = Chain("improvements", "all off", wanted, Plain("relay"), note="the plain chain through a relay of ours")
    one = replace(bare, against=bare.name)

    def with_relay(name: str, improvement: str, note: str) -> Chain:
        return replace(one, name=name, sender=Plain("relay", (improvement,)), note=note)

    everything = Plain("relay", ("closed-frames", "quick-ack", "gop-at-play"), "yuv420p")
    return [
        bare,
        with_relay("closed frames", "closed-frames", "a delimiter ends each frame at once"),
        replace(one, name="one thread", viewer=Viewer(threads=1), note="one decoder thread in the viewer"),
        replace(one, name="no probing", viewer=Viewer(options=LOW_DELAY), note="the viewer opens without probing"),
        with_relay("GOP at PLAY", "gop-at-play", "a viewer who joins gets the current GOP"),
        with_relay("quick ACK", "quick-ack", "FFmpeg's packets are acknowledged at once"),
        replace(one, name="I420", sender=Plain("relay", pixels="yuv420p"), note="FFmpeg is given I420, not BGR"),
        replace(
            one, name="all of these", sender=everything, viewer=Viewer(threads=1, options=LOW_DELAY),
            note="still pushed over RTSP by FFmpeg; zlfeed takes its output by a pipe",
        ),
    ]  # fmt: skip


def limit_group(wanted: Format) -> list[Chain]:
    """What no transport could be quicker than."""
    return [Chain("plain", "the limit", wanted, None, note="encode and decode in one process, no transport")]


def clients_group(wanted: Format, server: Server, installed: Sequence[Client]) -> list[Chain]:
    """Clients that know nothing of zlfeed, on ours and behind the plain chain, over TCP and UDP."""
    chains = []
    for client in installed:
        for transport in TRANSPORTS:
            name = f"{client} {transport}"
            viewer = Viewer(client, transport)
            chains.append(Chain("clients", f"{name}, plain", wanted, Plain(server), viewer))
            chains.append(Chain("clients", f"{name}, zlfeed", wanted, Feed(), viewer, against=f"{name}, plain"))
    return chains


def formats_group(server: Server) -> list[Chain]:
    """Sizes, rates and codecs: the plain chain and ours."""
    chains = []
    for wanted in FORMATS:
        name = f"{wanted.codec} {wanted.height}p{wanted.fps:g}"
        chains.append(Chain("formats", f"{name}, plain", wanted, Plain(server)))
        chains.append(Chain("formats", f"{name}, zlfeed", wanted, Feed(), Viewer("receive"), against=f"{name}, plain"))
    return chains


_T = TypeVar("_T")


def interleaved(items: Sequence[_T], rounds: int) -> Iterator[tuple[int, _T]]:
    """Rounds counted from 1, each through all items: A B C A B C, so that a change of the machine's mood hits all."""
    for number in range(1, rounds + 1):
        for item in items:
            yield number, item
