"""Scripted publishers for the monitor's tests: the same figures every time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from zlfeed.clock import Estimate
from zlfeed.model import (
    CameraInfo,
    CameraStatus,
    Control,
    ControlResult,
    Event,
    HistoryPoint,
    Latency,
    Part,
    SetControl,
    Stage,
    Thumbnail,
    Viewer,
    ViewerReport,
    Welcome,
)
from zlfeed.monitor.controls import Key, Setter
from zlfeed.monitor.preview import Asked, Preview, Shown
from zlfeed.monitor.snapshot import Snapshot
from zlfeed.monitor.state import MonitorState
from zlfeed.status_client import LinkState

NOW_US = 1_750_000_000_000_000  # 2025-06-15 15:06:40 UTC
NOW_S = 5_000.0
URL = "ws://pi-garage:9000/"


def viewer(number: int = 1, *, p50: float | None = 4.2, loss: float | None = None, dropped: int = 0) -> Viewer:
    """A viewer; without p50 it reports nothing."""
    report = None
    if p50 is not None:
        report = ViewerReport("front", 30.0, p50, p50 * 1.9, 0.3, 0, f"s{number}", 61.0)
    return Viewer(
        id=f"s{number}",
        address=f"192.168.1.{20 + number}:5{number}324",
        transport="udp" if loss is not None else "tcp",
        agent="Lavf59.27.100",
        connected_s=512.0 + number,
        frames_sent=15_360,
        frames_dropped=dropped,
        bytes_sent=51_000_000,
        loss_percent=loss,
        report=report,
        report_age_s=0.6 if report else None,
    )


def status(camera: str = "front", **changes: Any) -> CameraStatus:
    """A healthy camera's status."""
    values: dict[str, Any] = {
        "camera": camera,
        "time_us": NOW_US,
        "is_connected": True,
        "state": "live",
        "fps": 30.0,
        "fps_asked": 30.0,
        "frames_captured": 22_842,
        "frames_sent": 22_841,
        "width": 640,
        "height": 480,
        "codec": "h264",
        "encoder": "libx264",
        "bitrate_asked_kbps": 800.0,
        "bitrate_kbps": 787.0,
        "bytes_sent": 75_000_000,
        "encode_ms_avg": 1.6,
        "encode_ms_max": 4.9,
        "stages": (Stage("capture", 0.7), Stage("draw", 0.3), Stage("encode", 1.6), Stage("relay", 0.4)),
        "latency_ms": Latency(4.2, 8.1, 9.6, 12.3),
        "viewers": (viewer(1), viewer(2, p50=3.8)),
        "cpu_percent": 23.0,
        "process_cpu_percent": 31.0,
        "memory_percent": 41.0,
        "memory_used_mb": 1610.0,
        "memory_total_mb": 3906.0,
        "network_mbps": 1.62,
        "network_interface": "wlan0",
        "temperature_c": 52.1,
        "uptime_s": 761.0,
        "server": "embedded",
        "gop": 60,
        "parts": (Part("camera", "running"), Part("encoder", "running"), Part("relay", "running")),
    }
    return CameraStatus(**{**values, **changes})


def history(camera: str = "front", seconds: int = 300) -> list[HistoryPoint]:
    """Five minutes with a weak moment in them."""
    points = []
    for age in range(seconds, 0, -1):
        wave = math.sin(age / 7) + math.sin(age / 17)
        slow = 34.0 if 92 <= age < 110 else 0.0
        points.append(
            HistoryPoint(
                camera,
                NOW_US - age * 1_000_000,
                fps=24.0 if 100 <= age < 106 else 30.0,
                latency_p50_ms=4.4 + wave * 0.6 + slow * 0.5,
                latency_p95_ms=8.6 + wave * 1.4 + slow * 1.5,
                bitrate_kbps=790 + wave * 60,
                cpu_percent=24 + wave * 5 + slow / 2,
            )
        )
    return points


EVENTS = (
    Event(NOW_US - 761_000_000, "info", "ready", "publishing at rtsp://192.168.1.7:8554/zerolatency", "front"),
    Event(NOW_US - 512_000_000, "info", "viewer_joined", "192.168.1.21:51324 watches by tcp", "front"),
    Event(NOW_US - 498_000_000, "info", "viewer_joined", "192.168.1.22:52324 watches by tcp", "front"),
    Event(NOW_US - 106_000_000, "warning", "slow_encoder", "encoding takes 31 ms a frame", "front"),
    Event(
        NOW_US - 100_000_000, "error", "encoder_restarted", "the encoder ended with code 137 and runs again", "front"
    ),
)
CONTROLS = (
    Control("bitrate", "int", 100, 8000, 100, 800, value="800", unit="kbit/s"),
    Control("brightness", "int", 0, 255, 1, 128, value="140"),
    Control("mirror", "bool", value="off"),
    Control("rotate", "choice", choices=("0", "90", "180", "270"), value="0"),
    Control("restart encoder", "action"),
)


def urls(host: str = "192.168.1.7", name: str = "zerolatency") -> dict[str, str]:
    """The addresses of a publisher with MediaMTX."""
    return {
        "rtsp": f"rtsp://{host}:8554/{name}",
        "page": f"http://{host}:9000/{name}",
        "webrtc": f"http://{host}:8889/{name}",
        "websocket": f"ws://{host}:9000/",
    }


def welcome(name: str = "pi-garage", cameras: Sequence[str] = ("front",), **changes: Any) -> Welcome:
    """What a publisher says first."""
    values: dict[str, Any] = {
        "publisher": name,
        "version": "0.1.0",
        "cameras": tuple(CameraInfo(camera, urls(name=camera), CONTROLS) for camera in cameras),
        "history": tuple(point for camera in cameras for point in history(camera)),
        "events": EVENTS,
        "time_us": NOW_US,
        "uptime_s": 761.0,
    }
    return Welcome(**{**values, **changes})


def connected(state: MonitorState, url: str = URL) -> None:
    """The link comes up."""
    state.on_link(url, LinkState(url, True, 0, None, None), NOW_S, NOW_US)


def healthy() -> MonitorState:
    """One publisher with one camera, all well."""
    state = MonitorState([URL])
    connected(state)
    state.on_message(URL, welcome(), NOW_S)
    state.on_message(URL, status(), NOW_S)
    return state


def troubled() -> MonitorState:
    """The same when it is hot, slow and loses packets."""
    state = healthy()
    viewers = (viewer(1, p50=61.0), viewer(2, p50=48.0, loss=6.4, dropped=212), viewer(3, p50=None))
    hot = status(
        fps=17.4,
        temperature_c=81.3,
        cpu_percent=98.0,
        latency_ms=Latency(61.0, 171.0, 220.0, 260.0),
        viewers=viewers,
        frames_dropped={"slow_encoder": 212},
        encoder_restarts=2,
        slow_clients=1,
        parts=(
            Part("camera", "running"),
            Part("encoder", "running", 2, 0, "the encoder ended with code 137", 12.4),
            Part("relay", "running"),
        ),
    )
    state.on_message(URL, hot, NOW_S)
    return state


def disconnected() -> MonitorState:
    """The publisher went away half a minute ago."""
    state = healthy()
    error = "nothing listens at pi-garage:9000: is `zlfeed publish` running there?"
    state.on_link(URL, LinkState(URL, False, 7, 3.2, error), NOW_S + 30, NOW_US + 30_000_000)
    return state


def connecting() -> MonitorState:
    """Nobody has answered yet."""
    state = MonitorState([URL])
    error = "nothing listens at pi-garage:9000: is `zlfeed publish` running there?"
    state.on_link(URL, LinkState(URL, False, 3, 0.5, error), NOW_S, NOW_US)
    return state


def many() -> MonitorState:
    """Three publishers; one has four cameras, one is away, one was never reached."""
    others = ["ws://drone:9000/", "ws://door:9000/"]
    state = MonitorState([URL, *others])
    names = ("front", "back", "bench", "printer")
    connected(state)
    connected(state, others[0])
    state.on_message(URL, welcome(cameras=names), NOW_S)
    state.on_message(others[0], welcome("drone", ("belly",)), NOW_S)
    for index, name in enumerate(names):
        state.on_message(URL, status(name, latency_ms=Latency(4.0 + index, 8.0 + 3 * index)), NOW_S)
    state.on_message(URL, status("bench", state="no_signal", is_connected=False, fps=None, latency_ms=None), NOW_S)
    state.on_message(others[0], status("belly", latency_ms=Latency(41.0, 88.0), temperature_c=73.0), NOW_S)
    state.on_link(
        others[0], LinkState(others[0], False, 2, 1.4, "the connection to drone:9000 was lost"), NOW_S, NOW_US
    )
    state.on_link(others[1], LinkState(others[1], False, 4, 2.0, "door:9000 does not answer within 2 s"), NOW_S, NOW_US)
    return state


class Scripted:
    """A source whose time stands still: `after_s` later than the scene was made."""

    def __init__(self, state: MonitorState, after_s: float = 0.4) -> None:
        self.state = state
        self.after_s = after_s
        self.sent: list[SetControl] = []
        self.setter = Setter(self._send)
        self.on_news: Callable[[], None] = lambda: None
        self.on_picture: Callable[[], None] = lambda: None
        self.on_snapshot: Callable[[Thumbnail], None] = lambda _picture: None
        self.pictures = Preview()
        self.asked: list[Asked | None] = []

    async def run(self) -> None:
        """Nothing more comes."""

    def snapshot(self) -> Snapshot:
        """Always the same moment."""
        offset = NOW_US - round(NOW_S * 1e6)
        clocks: dict[str, Estimate | None] = {url: Estimate(offset, 210, 400) for url in self.state.hosts}
        return self.state.snapshot(NOW_S + self.after_s, NOW_US + round(self.after_s * 1e6), clocks)

    def set_control(self, key: Key, value: str) -> None:
        """Passes a wish on."""
        self.setter.want(key, value, NOW_S)

    def watch(self, asked: Asked | None) -> None:
        """Notes what was asked for."""
        if self.pictures.ask(asked, NOW_S):
            self.asked.append(asked)

    def preview(self) -> Shown | None:
        """The picture two seconds after it was asked for."""
        return self.pictures.shown(NOW_S + 2.0)

    def acknowledge(self) -> None:
        """The alerts have been seen."""
        self.state.alerts.acknowledge()

    def answer(self, ok: bool = True, value: str | None = None, text: str = "") -> None:
        """The publisher answers the last request."""
        asked = self.sent[-1]
        result = ControlResult(asked.camera, asked.name, ok, value, text, asked.id)
        self.state.on_message(URL, result, NOW_S)
        self.setter.answered(URL, result, NOW_S)

    def _send(self, url: str, request: SetControl) -> bool:
        self.sent.append(request)
        return self.state.hosts[url].view(NOW_S, NOW_US, None).link.connected
