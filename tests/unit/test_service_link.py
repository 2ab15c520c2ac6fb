"""What is told to systemd, and when."""

from __future__ import annotations

import asyncio

from zlfeed.model import CameraStatus, Viewer
from zlfeed.publisher.operations.liveness import Advance, grace_s
from zlfeed.publisher.operations.service import ServiceLink
from zlfeed.sdnotify import Notifier


class Spoken(Notifier):
    """A notifier that remembers."""

    def __init__(self) -> None:
        super().__init__({})
        self.said: list[str] = []

    def _send(self, *lines: str) -> None:
        self.said.append(" ".join(lines))


class FakeChain:
    """A chain whose frames the test counts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.frames_sent = 0
        self.first_frame = asyncio.Event()


def link(*chains: FakeChain, fps: float = 30.0) -> tuple[ServiceLink, Spoken]:
    spoken = Spoken()
    statuses = [
        CameraStatus(chain.name, 0, state="live", fps=fps, fps_asked=fps, viewers=[Viewer("1", "a:1")])
        for chain in chains
    ]
    return ServiceLink(spoken, lambda: chains, lambda: statuses), spoken


def test_ready_is_said_once_and_again_after_a_reload() -> None:
    service, spoken = link(FakeChain("front"))
    service.reloading()
    service.reloaded()
    assert spoken.said == [], "what is not ready is not reloading either"
    service.ready()
    service.ready()
    assert spoken.said == ["READY=1 STATUS=front: live, 30 fps, 1 viewer"]
    service.reloading()
    service.reloaded()
    service.stopping()
    assert [words.split()[0] for words in spoken.said[1:]] == ["RELOADING=1", "READY=1", "STOPPING=1"]


def test_a_chain_that_stands_still_is_not_alive() -> None:
    front, back = FakeChain("front"), FakeChain("back")
    service, _ = link(front, back)
    assert service.advances(0.0, 1.0), "nothing has begun, so nothing stands still"
    for chain in (front, back):
        chain.first_frame.set()
    for second in range(1, 10):
        front.frames_sent += 30
        back.frames_sent += 30
        assert service.advances(float(second), 1.0)
    for second in range(10, 30):
        front.frames_sent += 30
        assert service.advances(float(second), 1.0) == (second - 9 <= 3), "of two chains one is enough"
    back.frames_sent += 1
    assert service.advances(30.0, 1.0), "and it comes back to life"


def test_a_slow_camera_is_given_its_time() -> None:
    slow = FakeChain("slow")
    service, _ = link(slow, fps=0.1)
    slow.first_frame.set()
    for second in range(100):
        slow.frames_sent = second // 10
        assert service.advances(float(second), 1.0)
    assert grace_s(None) == grace_s(30.0) == 2.0
    assert grace_s(0.1) == 30.0


def test_a_counter_that_never_moved_has_no_age() -> None:
    advance = Advance()
    assert advance.look(5, 0.0) is None
    assert advance.look(5, 9.0) is None
    assert advance.look(6, 10.0) == 0.0
    assert advance.look(6, 12.5) == 2.5
