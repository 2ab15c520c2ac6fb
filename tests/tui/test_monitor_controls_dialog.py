"""Setting things from the monitor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from tests.tui.scenes import CONTROLS, NOW_S, URL, Scripted, connecting, disconnected, healthy
from tests.tui.test_monitor_command import Publisher, publishing
from tests.tui.test_monitor_screens import LARGE, running, shows, text
from zlfeed.model import CameraInfo, Control, ControlResult, ServerMessage, SetControl, Welcome
from zlfeed.monitor.app import MonitorApp
from zlfeed.monitor.feeds import Feeds
from zlfeed.monitor.screens.controls import ControlsDialog
from zlfeed.monitor.session import Session


def line_of(app: MonitorApp, name: str) -> str:
    """The dialog's line of a control."""
    return next(line for line in text(app).split("\n") if f"  {name} " in line or f"▸ {name} " in line)


async def test_keys_change_confirm_and_refuse() -> None:
    source = Scripted(healthy())
    async with running(source) as (app, pilot):
        await pilot.press("c", "right", "right")
        assert isinstance(app.screen, ControlsDialog)
        assert [request.value for request in source.sent] == ["900"]
        await pilot.pause()
        assert "1000 kbit/s…" in line_of(app, "bitrate")
        source.answer(value="900")
        assert [request.value for request in source.sent] == ["900", "1000"]
        source.answer(value="960")  # what the encoder really took
        app.refresh_figures()
        await pilot.pause()
        assert "960 kbit/s " in line_of(app, "bitrate")
        await pilot.press("down", "left")
        source.answer(ok=False, text="the camera is asleep, and it will be for a while: wake it up first")
        app.refresh_figures()
        await pilot.pause()
        assert "✖ the camera is asleep" in line_of(app, "brightness")
        assert "wake it up" in text(app)  # the whole reason, below
        assert "140" in line_of(app, "brightness")


async def test_switches_choices_actions_and_defaults() -> None:
    source = Scripted(healthy())
    async with running(source) as (_, pilot):
        await pilot.press("c", "d", "down", "shift+right", "down", "enter", "down", "right", "down", "enter")
    sent = [(request.name, request.value) for request in source.sent]
    assert sent == [
        ("bitrate", "800"), ("brightness", "150"), ("mirror", "on"), ("rotate", "90"), ("restart encoder", ""),
    ]  # fmt: skip


async def test_a_slider_follows_the_mouse_and_sends_little() -> None:
    source = Scripted(healthy())
    async with running(source, LARGE) as (app, pilot):
        await pilot.press("c")
        await pilot.pause()
        rows = text(app).split("\n")
        y = next(index for index, row in enumerate(rows) if "  brightness " in row)
        knob = rows[y].index("●", rows[y].index("brightness"))
        for x in range(knob, knob + 12):
            await pilot.mouse_down(offset=(x, y))
        await pilot.mouse_up(offset=(knob + 11, y))
        await pilot.hover(offset=(knob - 10, y))
        assert {request.name for request in source.sent} == {"brightness"}
        assert len(source.sent) == 1
        wished = source.setter.pending((URL, "front", "brightness"))
        source.answer(value=source.sent[0].value)
    assert source.sent[1].value == wished
    assert int(source.sent[1].value) > 150


async def test_read_only_changes_nothing() -> None:
    source = Scripted(healthy())
    app = MonitorApp(source, Session(readonly=True))
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("c", "right", "enter", "d")
        await pilot.pause()
        assert "read only" in text(app)
    assert source.sent == []


async def test_what_can_be_set_may_come_while_the_dialog_is_open() -> None:
    source = Scripted(connecting())
    async with running(source) as (app, pilot):
        await pilot.press("c")
        await shows(app, pilot, "nothing to set")
        source.state = healthy()
        app.refresh_figures()
        await shows(app, pilot, "restart encoder")
        assert all(control.name in text(app) for control in CONTROLS)


async def test_without_contact_a_wish_is_refused_at_once() -> None:
    async with running(disconnected) as (app, pilot):
        await pilot.press("c", "right")
        await pilot.pause()
        assert "there is no contact" in line_of(app, "bitrate")


async def test_a_camera_without_controls_says_so() -> None:
    state = healthy()
    state.on_message(URL, Welcome("pi-garage", "0", (CameraInfo("front"),)), NOW_S)
    async with running(Scripted(state)) as (app, pilot):
        await pilot.press("c", "right", "down", "enter")
        assert "nothing to set" in text(app)


class Settable(Publisher):
    """A publisher that sets what it is asked to."""

    def welcome(self, local_host: str) -> Welcome:
        gain = Control("gain", "int", 0, 10, 1, 5, value="5")
        return replace(super().welcome(local_host), cameras=(CameraInfo("front", {}, (gain,)),))

    async def set_control(self, request: SetControl, tell: Callable[[ServerMessage], None]) -> ControlResult:
        return ControlResult(request.camera, request.name, True, request.value, "", request.id)


async def test_everyone_connected_sees_the_new_value() -> None:
    async with publishing(Settable()) as server, asyncio.TaskGroup() as group:
        url = f"ws://127.0.0.1:{server.port}/"
        other = Feeds({url: ""}, timeout_s=5.0)
        watching = group.create_task(other.run())
        app = MonitorApp(Feeds({url: ""}, timeout_s=5.0))
        async with app.run_test(size=LARGE) as pilot:
            await shows(app, pilot, "● live")
            await pilot.press("c", "right", "right")
            async with asyncio.timeout(20):
                while not (seen := other.snapshot().cameras) or seen[0].controls[0].value != "7":
                    await pilot.pause(0.02)
                while "7 " not in line_of(app, "gain") or "…" in line_of(app, "gain"):
                    await pilot.pause(0.02)
        watching.cancel()
