from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from zlfeed import logs
from zlfeed.model import CameraInfo, CameraStatus, Control, Event, Hello, Latency, Subscribe
from zlfeed.publisher.status.hub import Hub, Listener
from zlfeed.publisher.status.outbox import LIMIT
from zlfeed.wire.convert import decode

EVENT = Event(1, "info", "test", "something")


def listener(hub: Hub, subscribe: Subscribe | None = None) -> Listener:
    joined = Listener("127.0.0.1", Hello(), subscribe or Subscribe())
    hub.listeners.add(joined)
    return joined


async def test_everybody_gets_the_same_bytes() -> None:
    hub = Hub()
    one, other = listener(hub), listener(hub)
    hub.tell_event(EVENT)
    first, second = await one.outbox.get(), await other.outbox.get()
    assert first is second
    assert decode(first) == EVENT
    assert hub.history.events == (EVENT,)


async def test_a_slow_listener_loses_the_oldest_and_nobody_else_anything() -> None:
    hub = Hub()
    slow, quick = listener(hub), listener(hub)
    for number in range(LIMIT + 40):
        hub.tell_event(Event(number, "info", "test", "x"))
        assert decode(await quick.outbox.get()) == Event(number, "info", "test", "x")
    assert len(slow.outbox) == LIMIT
    assert decode(await slow.outbox.get()) == Event(40, "info", "test", "x")
    assert hub.messages_dropped == 40


async def test_status_says_how_many_messages_were_dropped() -> None:
    hub = Hub()
    hub.messages_dropped = 7
    someone = listener(hub)
    hub.tell_statuses([CameraStatus("front", 1)], hub.listeners)
    assert decode(await someone.outbox.get()) == CameraStatus("front", 1, status_messages_dropped=7)


async def test_a_statuss_figures_are_told_without_the_digits_that_are_noise() -> None:
    hub = Hub()
    someone = listener(hub)
    exact = CameraStatus("front", 1, fps=29.97, latency_ms=Latency(4.2), uptime_s=86_400.25, bytes_sent=2**53 + 1)
    hub.tell_statuses([exact], hub.listeners)
    told = decode(await someone.outbox.get())
    assert told == CameraStatus(
        "front", 1, fps=29.96875, latency_ms=Latency(4.19921875), uptime_s=86_400.25, bytes_sent=2**53 + 1
    )


@pytest.mark.parametrize(
    ("subscribe", "cameras"),
    [
        (Subscribe(), ["front", "rear"]),
        (Subscribe(cameras=("rear",)), ["rear"]),
        (Subscribe(cameras=("none such",)), []),
        (Subscribe(status=False), []),
    ],
)
async def test_a_listener_hears_of_the_cameras_it_asked_for(subscribe: Subscribe, cameras: list[str]) -> None:
    hub = Hub()
    someone = listener(hub, subscribe)
    hub.tell_statuses([CameraStatus("front", 1), CameraStatus("rear", 1)], hub.listeners)
    heard = [decode(await someone.outbox.get()) for _ in range(len(someone.outbox))]
    assert [message.camera for message in heard if isinstance(message, CameraStatus)] == cameras


async def test_a_message_that_does_not_fit_is_lost_alone(capsys: pytest.CaptureFixture[str]) -> None:
    hub = Hub()
    someone = listener(hub)
    hub.tell_statuses([CameraStatus("front", -1), CameraStatus("rear", 1)], hub.listeners)
    assert decode(await someone.outbox.get()) == CameraStatus("rear", 1)
    assert len(someone.outbox) == 0


def test_a_flood_of_warnings_is_one_line_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[tuple[str, dict[str, object]]] = []
    now = [100.0]
    monkeypatch.setattr("zlfeed.logs.time", SimpleNamespace(monotonic=lambda: now[0]))
    grumble = logs.Grumble(SimpleNamespace(warning=lambda event, **values: lines.append((event, values))))
    for _ in range(1000):
        grumble("garbage", client="a")
    grumble("other")
    now[0] += 1.5
    grumble("garbage", client="a")
    assert lines == [
        ("garbage", {"client": "a"}),
        ("other", {}),
        ("garbage", {"client": "a", "held_back": 999}),
    ]


async def test_urls_are_told_when_they_change_with_the_address_by_which_each_came() -> None:
    hub = Hub()
    near, far = listener(hub), listener(hub)
    near.here, far.here = "127.0.0.1", "10.9.0.2"
    kinds = ["rtsp"]

    def cameras(here: str) -> list[CameraInfo]:
        return [CameraInfo("front", {kind: f"{kind}://{here}" for kind in kinds})]

    for one in (near, far):
        one.known = {info.camera: info for info in cameras(one.here)}
    hub.tell_infos(cameras)
    assert (len(near.outbox), len(far.outbox)) == (0, 0), "they know"
    kinds.append("hls")
    for _ in range(2):
        hub.tell_infos(cameras)
    assert (len(near.outbox), len(far.outbox)) == (1, 1), "once"
    assert decode(await near.outbox.get()) == cameras("127.0.0.1")[0]
    assert decode(await far.outbox.get()) == cameras("10.9.0.2")[0]


async def test_controls_are_told_when_there_are_others_and_not_for_their_values() -> None:
    hub = Hub()
    someone = listener(hub)
    own = [Control("bitrate", "int", 100, 8000, value="800")]

    def cameras(_here: str) -> list[CameraInfo]:
        return [CameraInfo("front", {}, tuple(own))]

    hub.tell_infos(cameras)
    assert decode(await someone.outbox.get()) == cameras("")[0]
    own[0] = replace(own[0], value="400")
    hub.tell_infos(cameras)
    assert len(someone.outbox) == 0, "that a ControlResult tells"
    own.append(Control("brightness", "int", -64, 64, value="0"))  # the camera is open
    hub.tell_infos(cameras)
    assert decode(await someone.outbox.get()) == cameras("")[0]


@pytest.mark.parametrize(
    ("subscribe", "cameras"),
    [
        (Subscribe(), []),
        (Subscribe(thumbnails=True), ["front", "rear"]),
        (Subscribe(thumbnails=True, cameras=("rear",)), ["rear"]),
        (Subscribe(thumbnails=True, thumbnail_cameras=("rear",)), ["rear"]),
        (Subscribe(thumbnails=True, cameras=("front",), thumbnail_cameras=("rear",)), ["rear"]),
    ],
)
def test_a_listener_sees_the_cameras_it_asked_for(subscribe: Subscribe, cameras: list[str]) -> None:
    joined = Listener("127.0.0.1", Hello(), subscribe)
    assert [name for name in ("front", "rear") if joined.watches(name)] == cameras
    assert joined.wants("front") == (subscribe.cameras != ("rear",)), "pictures change nothing of whose status it hears"
