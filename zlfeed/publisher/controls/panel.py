"""The controls of one camera: asked by clients, checked, carried out, read back, and told to all."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial

from zlfeed.model import Control, ControlResult, ServerMessage, SetControl, Thumbnail
from zlfeed.publisher.camera import CameraSpec
from zlfeed.publisher.controls.definitions import FEED_CONTROLS, FeedValues, Refused, checked, definitions, named
from zlfeed.publisher.controls.kept import Keeper
from zlfeed.publisher.controls.wishes import defaults, restored, said_anew, to_keep, with_defaults, with_value
from zlfeed.publisher.picture import jpeg
from zlfeed.publisher.pipeline import EventSink, Pipeline, PipelineSettings

ANSWER_S = 2.5
"""What takes longer is answered with what is known, and told to all when it is done. A monitor waits for 3 s."""
SNAPSHOT_BYTES = 3 << 20
"""Below what a client takes as one message."""
QUIET_S = 1.0
"""A number that has stood for this long gets its line in the log and is kept: a slider that is dragged gets one."""

Setter = Callable[[str], Awaitable[None]]


class Panel:
    """One camera's controls, on the event loop.

    A control is a definition in controls() and a setter by its name: a setter takes a checked value, returns when it
    is in force, and raises Refused or TimeoutError.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        started: PipelineSettings,
        keeper: Keeper,
        on_value: Callable[[ControlResult], None],
        on_event: EventSink,
        actions: Mapping[str, Setter] | None = None,
        *,
        forget: bool = False,
    ) -> None:
        """`started` is how the feed would be if nobody had ever set anything.

        `actions` are others by name, of what stands behind the feed. `forget`: what was kept counts for nothing.

        `on_value` hears of values that changed without a request for them, and of requests answered before.
        """
        self._pipeline = pipeline
        self._started = started
        self._keeper = keeper
        self._keeping = asyncio.Lock()
        self._on_value = on_value
        self._on_event = on_event
        self._first: FeedValues | None = None
        self._adopted = False
        self._forget = forget
        self._asked: Counter[str] = Counter()
        self._told: dict[str, str | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lines: dict[str, asyncio.TimerHandle] = {}
        self._setters: dict[str, Setter] = {
            **{name: partial(self._change, name) for name in FEED_CONTROLS},
            "restart_camera": lambda _: pipeline.change(pipeline.settings, reopen=True),
            "restart_encoder": lambda _: pipeline.renew_encoder(),
            "reset_controls": lambda _: self._reset(),
            **(actions or {}),
        }
        self._actions = [Control(name, "action") for name in actions or ()]

    def controls(self) -> list[Control]:
        """What can be set, with its range and its value."""
        values = self._pipeline.values()
        first = self._first or defaults(values, self._pipeline.settings, self._started)
        if values.size is not None:
            self._first = first  # from when the camera has said what it gives of itself
        found = definitions(values, first, self._pipeline.most_fps)
        own = [control for control in found if control.name not in self._pipeline.without]
        taken = {control.name for control in own}
        cameras = [control for control in self._pipeline.camera_controls if control.name not in taken]
        reset = [Control("reset_controls", "action")] if cameras else []
        return [*own, *cameras, *reset, *self._actions]

    def look(self) -> None:
        """Tells values that have changed by themselves: the keyframe interval with the rate, say."""
        if self._started.capture.spec.kind == "auto" and not self._adopted and (found := self._pipeline.found):
            self._adopted = True
            self._own(asyncio.create_task(self._adopt(found)))
        for control in self.controls():
            if control.kind == "action" or self._asked[control.name]:
                continue
            if control.name in self._told and control.value != self._told[control.name]:
                self._on_value(ControlResult(self._pipeline.name, control.name, True, control.value))
            self._told[control.name] = control.value

    @property
    def started(self) -> PipelineSettings:
        """How the feed would be if nobody had ever set anything."""
        return self._started

    async def start_from(self, started: PipelineSettings) -> None:
        """The feed is as if it had been started so; what was set on it, and is not said anew, stays as it was set.

        Raises Refused, and then it is as before, or TimeoutError, when it is still to come.
        """
        before = self._started
        if started == before:
            return
        self._started, self._first = started, None
        try:
            await self._pipeline.change(said_anew(self._pipeline.settings, before, started))
        except Refused:
            self._started, self._first = before, None
            raise
        self._own(asyncio.create_task(self._keep()))

    async def set(self, request: SetControl, tell: Callable[[ServerMessage], None]) -> ControlResult:
        """Sets a control and reads it back. A snapshot goes to `tell`."""
        try:
            if request.name in self._pipeline.without:
                raise Refused(self._pipeline.refusal)
            control = named(self.controls(), request.name)
            value = checked(control, request.value)
        except Refused as refusal:
            return ControlResult(request.camera, request.name, False, self._value(request.name), str(refusal))
        work = asyncio.create_task(self._snapshot(tell) if control.name == "snapshot" else self._set(control, value))
        self._own(work)
        done, _ = await asyncio.wait((work,), timeout=ANSWER_S)
        if done:
            return self._result(control, value, work)
        work.add_done_callback(lambda work: self._tell_late(control, value, work))
        return ControlResult(request.camera, control.name, True, value, "it is under way")

    async def close(self) -> None:
        """Ends what is under way; what was set is kept."""
        for line in self._lines.values():
            line.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._lines:
            await self._keep()

    # ------------------------------------------------------------ answers

    def _value(self, name: str) -> str | None:
        return next((control.value for control in self.controls() if control.name == name), None)

    def _result(self, control: Control, value: str, work: asyncio.Task[None]) -> ControlResult:
        """The answer to a request that is done."""
        camera, now = self._pipeline.name, self._value(control.name)
        error = work.exception()
        if isinstance(error, Refused):
            return ControlResult(camera, control.name, False, now, str(error))
        if isinstance(error, TimeoutError):
            text = "no picture came" if control.name == "snapshot" else "it counts as soon as there is a picture again"
            return ControlResult(camera, control.name, control.kind != "action", now, text)
        if error is not None:
            raise error
        self._log_soon(control, now)
        return ControlResult(camera, control.name, True, now, "" if now in (value, None) else f"it became {now}")

    def _tell_late(self, control: Control, value: str, work: asyncio.Task[None]) -> None:
        if work.cancelled():
            return
        result = self._result(control, value, work)
        if not result.ok:
            text = f"camera {self._pipeline.name}: {control.name} could not be set: {result.text}"
            self._on_event("warning", "control_failed", text)
        self._on_value(result)

    def _log_soon(self, control: Control, value: str | None) -> None:
        if line := self._lines.pop(control.name, None):
            line.cancel()
        delay = QUIET_S if control.kind == "int" else 0.0
        self._lines[control.name] = asyncio.get_running_loop().call_later(delay, self._log, control, value)

    def _log(self, control: Control, value: str | None) -> None:
        self._lines.pop(control.name, None)
        what = control.name.replace("_", " ")
        unit = f" {control.unit}" if control.unit else ""
        said = what if control.kind == "action" else f"{what} is now {value}{unit}"
        self._on_event("info", "control_set", f"camera {self._pipeline.name}: {said}, as someone asked")

        if control.kind != "action":
            self._own(asyncio.create_task(self._keep()))

    async def _keep(self) -> None:
        async with self._keeping:
            await asyncio.to_thread(self._keeper.save, to_keep(self._pipeline.settings, self._started))

    async def _adopt(self, found: CameraSpec) -> None:
        """From now on what is set is kept of the camera that `auto` has taken, and what was kept of it counts."""
        async with self._keeping:
            before, self._keeper = self._keeper, Keeper(found)
            kept = {} if self._forget else await asyncio.to_thread(self._keeper.load)
            await asyncio.to_thread(before.save, {})
        if not kept:
            await self._keep()
            return
        values = ", ".join(f"{name} {its.value}" for name, its in kept.items())
        text = f"camera {self._pipeline.name}: as {found.text} was set before: {values} (--reset-controls)"
        self._on_event("info", "controls_kept", text)
        with contextlib.suppress(Refused, TimeoutError):  # another camera's size may be none of this one's
            await self._pipeline.change(restored(self._started, kept))

    def _own(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ------------------------------------------------------------ setters

    async def _set(self, control: Control, value: str) -> None:
        self._asked[control.name] += 1
        try:
            await self._setters.get(control.name, partial(self._change, control.name))(value)
        finally:
            self._asked[control.name] -= 1
            if not self._asked[control.name]:
                # Who asked is answered, and the others hear of it with the answer.
                self._told[control.name] = self._value(control.name)

    async def _change(self, name: str, value: str) -> None:
        await self._pipeline.change(with_value(self._pipeline.settings, name, value))

    async def _reset(self) -> None:
        """Puts the camera's own controls back to its defaults."""
        names = [control.name for control in self._pipeline.camera_controls]
        await self._pipeline.change(with_defaults(self._pipeline.settings, names))
        await self._keep()

    async def _snapshot(self, tell: Callable[[ServerMessage], None]) -> None:
        tell(replace(await thumbnail(self._pipeline, None, SNAPSHOT_BYTES), snapshot=True))


async def thumbnail(pipeline: Pipeline, width: int | None, at_most_bytes: int) -> Thumbnail:
    """The next picture as JPEG, at most `width` pixels wide (None: as it is). Raises TimeoutError when none comes."""
    picture = await pipeline.picture()
    encoded = await asyncio.to_thread(jpeg.encode, picture.raw, at_most_wide=width, at_most_bytes=at_most_bytes)
    return Thumbnail(pipeline.name, picture.captured_us, encoded.width, encoded.height, encoded.data)
