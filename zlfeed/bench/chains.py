"""The chains that are compared: each a publisher and a viewer in processes of their own, through a public URL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Chain:
    """One way from camera to picture. `publish` holds what is changed on the publisher's command line."""

    name: str
    meaning: str
    publish: tuple[str, ...] = ()
    viewer: Literal["receive", "stock"] = "receive"


CHAINS = (
    Chain("zlfeed", "zlfeed publish, zlfeed receive"),
    Chain("stock viewer", "zlfeed publish, cv2.VideoCapture(url) as it comes", viewer="stock"),
    Chain(
        "stock chain", "the same with frames left open, as other servers send them", ("--no-closed-frames",), "stock"
    ),
)
"""The first is ours; the last is what the ratios are taken against."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a chain measured. Latency is capture → picture in hand, ms; CPU in percent of one core."""

    chain: str
    meaning: str
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    first_picture_ms: float | None
    live_ms: float | None
    frames: int
    missed: int
    unread_timecodes: int
    publisher_cpu_percent: float | None
    viewer_cpu_percent: float | None
