"""`zlfeed publish`: cameras, relay and status server under one roof, from the first port to the last child reaped."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from zlfeed import __version__, logs, pi, startup, timecode
from zlfeed.config import Settings
from zlfeed.errors import ExitCode, StartError, ZlfeedError
from zlfeed.model import (
    CameraInfo,
    CameraStatus,
    ControlResult,
    Event,
    Hello,
    Part,
    Role,
    ServerMessage,
    SetControl,
    Thumbnail,
    Viewer,
    ViewerReport,
    WebrtcOffer,
    Welcome,
)
from zlfeed.net import LOOPBACK, Allowed, plain_host
from zlfeed.publisher import target, urls
from zlfeed.publisher.access import Access
from zlfeed.publisher.alerting.actions import Alerting
from zlfeed.publisher.alerting.alerts import Refusals
from zlfeed.publisher.camera import CameraSpec
from zlfeed.publisher.capture import CaptureSettings
from zlfeed.publisher.certificate import Certificate
from zlfeed.publisher.controls.kept import Keeper
from zlfeed.publisher.controls.panel import Panel, thumbnail
from zlfeed.publisher.controls.wishes import restored, to_keep
from zlfeed.publisher.encode import direct, passthrough
from zlfeed.publisher.encode.adapting import Adapting
from zlfeed.publisher.encode.choice import EncoderChoice
from zlfeed.publisher.encode.encoders import RPICAM
from zlfeed.publisher.encode.ffmpeg import find_ffmpegs
from zlfeed.publisher.front import DoorSettings, FrontDoor, choose, fitting
from zlfeed.publisher.host_metrics import HostSample, HostSampler, throttle_events
from zlfeed.publisher.mediamtx.whep import Call
from zlfeed.publisher.operations.observed import Observed
from zlfeed.publisher.operations.reload import Reloading
from zlfeed.publisher.operations.service import ServiceLink
from zlfeed.publisher.operations.takers import limits, own_controls, takers, waiting
from zlfeed.publisher.picture.outlet import Look
from zlfeed.publisher.pipeline import Pipeline, PipelineSettings
from zlfeed.publisher.push import Push
from zlfeed.publisher.report import JsonReport, Report, TextReport
from zlfeed.publisher.status.server import StatusServer
from zlfeed.publisher.status.viewers import ViewerReports
from zlfeed.restart import Restarts
from zlfeed.rtsp.server import Relay
from zlfeed.rtsp.stream import LiveStream
from zlfeed.sdnotify import Notifier
from zlfeed.signals import Shutdown
from zlfeed.supervise import kept_running, own_error
from zlfeed.tls import Trust, file_fingerprint

log = logs.get(__name__)

STOP_WITHIN_S = 3.0
_PLAYED_LOOK_S = 0.2
_PUSH_S = 3.0
"""How long the first "ready" waits for the server that is pushed to."""
# A thread that wants the interpreter gets it after this long; the default of 5 ms is a frame's whole journey.
_SWITCH_INTERVAL_S = 0.0005


class Publisher:
    """The running publisher; also what the status server asks (its StatusSource)."""

    def __init__(self, settings: Settings, specs: Sequence[CameraSpec], access: Access, report: Report) -> None:
        self._settings = settings
        self._specs = specs
        self._access = access
        self._tls = Certificate.of(settings)
        self._report = report
        self._started = time.monotonic()
        self._hosts = urls.listen_hosts(settings.host, authenticated=access.main is not None)
        allowed = Allowed(settings.allow)
        self._relay = Relay(
            credentials_for=access.credentials_for,
            gate=access.gate,
            allowed=allowed,
            on_refused=self._turned_away,
            on_change=self._changed,
        )
        self._status = StatusServer(
            self, self._hosts, settings.websocket_port,
            allowed=allowed, on_refused=self._turned_away, gate=access.gate,
            tls=self._tls.context if self._tls else None,
            names=[name for name in (settings.advertise, settings.host) if name],
        )  # fmt: skip
        self._refusals = Refusals()
        self._alerting = Alerting(
            limits(settings),
            statuses=self.statuses,
            on_event=self._event,
            command=settings.alert_command,
            webhook=settings.alert_webhook,
        )
        self._reports = ViewerReports()
        self._observed = Observed(settings, self._own_statuses, self._event)
        self._sampler = HostSampler()
        self._machine = pi.model()
        self._host: HostSample | None = None
        self._pipelines: list[Pipeline] = []
        self._panels: dict[str, Panel] = {}
        self._pushes: dict[str, Push] = {}
        self._upkeep = Restarts(budget=None)
        self._front: FrontDoor
        self._notifier = Notifier()
        self._service = ServiceLink(self._notifier, lambda: self._pipelines, self._own_statuses)
        self._reloading: Reloading | None = None

    # ------------------------------------------------------------ start and end

    async def run(self, shutdown: Shutdown) -> None:
        """Runs until `shutdown`. Raises ZlfeedError when it cannot start."""
        for spec in self._specs:
            passthrough.check(self._settings.of(spec.name), [spec])
            direct.check(self._settings.of(spec.name), [spec])
        ffmpegs = find_ffmpegs(self._settings.ffmpeg_path)
        encoders = EncoderChoice(ffmpegs)
        self._front = self._front_door()
        self._front.bind()
        try:
            await self._status.start()
            self._pipelines = [self._pipeline(spec, ffmpegs[0], encoders) for spec in self._specs]
            self._pushes = self._make_pushes()
            taking = takers(self._panels, self._alerting, self.take_tokens)
            self._reloading = Reloading(
                self._settings, self._settings.again, taking, waiting, self._service, self._event
            )  # fmt: skip
            async with asyncio.TaskGroup() as tasks:
                # The two planes are supervised apart: whatever fails in the status plane, no frame is lost.
                owned = [
                    tasks.create_task(kept_running("status server", self._status.run, self._part_failed)),
                    tasks.create_task(kept_running("metrics", self._sample, self._part_failed)),
                    tasks.create_task(kept_running("relay upkeep", self._relay.run, self._part_failed, self._upkeep)),
                    tasks.create_task(kept_running("alerts", self._alerting.run, self._part_failed)),
                    tasks.create_task(kept_running("reload", self._reloading.run, self._part_failed)),
                    *self._adapting(tasks),
                    tasks.create_task(self._until_played(shutdown)),
                    *self._optional(tasks, ffmpegs[0]),
                    *(tasks.create_task(pipeline.run()) for pipeline in self._pipelines),
                    *(tasks.create_task(self._push(p)) for p in self._pipelines if p.name in self._pushes),
                    tasks.create_task(self._announce()),
                ]
                await shutdown.requested.wait()
                self._service.stopping()
                self._report.summary(self._own_statuses())
                for task in owned:
                    task.cancel()
        except BaseExceptionGroup as group:
            raise own_error(group) or group from None
        finally:
            for panel in self._panels.values():
                await panel.close()
            await self._relay.close()
            await self._status.stop()
            self._notifier.close()

    def reload(self) -> None:
        """Reads the configuration again (SIGHUP without a terminal)."""
        if self._reloading is not None:
            self._reloading.request()

    def _optional(self, tasks: asyncio.TaskGroup, ffmpeg: Path) -> list[asyncio.Task[NoReturn]]:
        """The parts that are there for some only."""
        parts: dict[str, Callable[[], Awaitable[None]]] = {}
        if self._notifier.active:
            parts["service link"] = self._service.run
        if not self._settings.no_announce and self._hosts != LOOPBACK:
            parts["announcement"] = self._announced
        if self._observed.wanted:
            parts["metrics server"] = lambda: self._observed.run(ffmpeg)
        return [tasks.create_task(kept_running(name, run, self._part_failed)) for name, run in parts.items()]

    async def _announced(self) -> None:
        """Tells the local net once there is something to see; until cancelled."""
        from zlfeed import discovery

        while not any(pipeline.first_frame.is_set() for pipeline in self._pipelines):
            await asyncio.sleep(0.5)

        def offer(addresses: tuple[str, ...]) -> discovery.Offer:
            port = urlsplit(self._front.urls("localhost", self._pipelines[0].name)["rtsp"]).port or 0
            streams = [pipeline.name for pipeline in self._pipelines]
            asks = self._access.main is not None
            return discovery.offer_here(addresses, port, self._status.port, streams, asks_token=asks)

        await discovery.Announcement(self._hosts, offer).run()

    def _front_door(self) -> FrontDoor:
        s = self._settings
        topology, program = fitting(*choose(s.server, s.mediamtx_path), self._access.words)
        door = DoorSettings(
            topology=topology,
            hosts=self._hosts,
            rtsp_port=s.rtsp_port,
            webrtc_port=s.webrtc_port,
            hls_port=s.hls_port,
            program=program,
            tokens=lambda: self._access.words,
            advertise=s.advertise,
            web_plain=s.web_plain,
            vpn_address=s.vpn_address,
            allow=s.allow,
            tls=self._tls.files if self._tls else None,
            tls_context=self._tls.context if self._tls else None,
            rtsps_port=s.rtsps_port,
        )
        return FrontDoor(
            door,
            self._relay,
            feeding=lambda: {pipeline.name: pipeline.frames_sent for pipeline in self._pipelines},
            on_event=self._event,
            on_change=self._changed,
        )

    def _pipeline(self, spec: CameraSpec, ffmpeg: Path, encoders: EncoderChoice) -> Pipeline:
        s = self._settings.of(spec.name)
        stream = LiveStream(spec.name, closed_frames=not s.no_closed_frames)
        self._relay.streams[spec.name] = stream
        look = Look(timecode=not s.no_timecode, overlay=not s.no_overlay)
        capture = CaptureSettings(spec, s.size, s.fps, look, controls=own_controls(s, spec.name))
        started = PipelineSettings(capture, ffmpeg, s.bitrate, s.gop, s.codec, s.encoder, s.preset)
        keeper = Keeper(spec)
        if s.reset_controls:
            keeper.save({})
        settings = started if s.passthrough else restored(started, keeper.load())

        def on_event(level: str, code: str, text: str) -> None:
            self._event(level, code, text, spec.name)

        if before := to_keep(settings, started):
            values = ", ".join(f"{name} {kept.value}" for name, kept in before.items())
            on_event("info", "controls_kept", f"camera {spec.name}: as it was set before: {values} (--reset-controls)")
        kind: type[Pipeline] = passthrough.PassthroughPipeline if s.passthrough else Pipeline
        if s.encoder == RPICAM:
            kind = direct.RpicamPipeline
        pipeline = kind(
            settings, stream, encoders, wait_camera=s.wait_camera, on_event=on_event, on_change=self._changed
        )
        if isinstance(pipeline, passthrough.PassthroughPipeline):
            pipeline.trust = Trust(s.fingerprint, "ZLFEED_FINGERPRINT or fingerprint in zlfeed.toml")
        pipeline.others = lambda: self._pipelines
        self._panels[spec.name] = Panel(
            pipeline,
            started,
            keeper,
            self._status.control_changed,
            on_event,
            self._front.actions(),
            forget=s.reset_controls,
        )
        return pipeline

    async def _until_played(self, shutdown: Shutdown) -> None:
        """Ends the publisher when every camera is a file that was to be played once, and all are over."""
        while not all(pipeline.ended.is_set() for pipeline in self._pipelines):
            await asyncio.sleep(_PLAYED_LOOK_S)
        await asyncio.sleep(_PLAYED_LOOK_S)  # the last pictures are on their way
        shutdown.request(ExitCode.OK)

    def _adapting(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """What fits the bitrate to the viewers' links, unless that is not wanted."""
        pipelines = [pipeline for pipeline in self._pipelines if pipeline.adapts]
        if self._settings.no_adaptive or not pipelines:
            return []
        adapting = Adapting(pipelines, self._watching, self._pushes.get, self._event, self._settings.min_bitrate)
        return [tasks.create_task(kept_running("adaptive bitrate", adapting.run, self._part_failed))]

    def _make_pushes(self) -> dict[str, Push]:
        """One push for each camera, when --server names a server that is not ours."""
        if not target.is_url(self._settings.server):
            return {}
        there = target.parse(self._settings.server)
        alone = len(self._pipelines) == 1

        def push(pipeline: Pipeline) -> Push:
            return Push(
                there.for_camera(pipeline.name, alone=alone),
                pipeline.stream,
                framer=self._relay.framed,
                on_event=lambda level, code, text: self._event(level, code, text, pipeline.name),
                on_change=self._changed,
            )

        return {pipeline.name: push(pipeline) for pipeline in self._pipelines}

    async def _push(self, pipeline: Pipeline) -> None:
        await pipeline.first_frame.wait()
        await self._pushes[pipeline.name].run()

    async def _announce(self) -> None:
        """Opens the door once the first camera can be watched, and says of each when it can."""
        told: set[Pipeline] = set()
        waiting = {asyncio.create_task(pipeline.first_frame.wait()): pipeline for pipeline in self._pipelines}
        async with asyncio.TaskGroup() as tasks:
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                tasks.create_task(kept_running("front door", self._front.run, self._part_failed))
                await self._front.opened()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_PUSH_S):
                        for pipeline in self._pipelines:
                            if pipeline.first_frame.is_set() and pipeline.name in self._pushes:
                                await self._pushes[pipeline.name].settled.wait()
                while True:
                    for pipeline in self._pipelines:
                        if pipeline.first_frame.is_set() and pipeline not in told:
                            told.add(pipeline)
                            self._ready(pipeline)
                    await asyncio.sleep(1.0)
                    self._report.second(self._own_statuses())
            finally:
                for task in waiting:
                    task.cancel()

    def _ready(self, pipeline: Pipeline) -> None:
        opened = pipeline.opened
        if opened and not self._settings.of(pipeline.name).no_timecode and not timecode.fits(opened.width):
            log.warning(
                "no_timecode", camera=pipeline.name, width=opened.width, narrowest=timecode.MIN_WIDTH,
                meaning="the picture is too narrow for the strip: viewers cannot measure latency",
            )  # fmt: skip
        host = urls.shown_host(self._hosts, self._settings.advertise)
        statuses = [status for status in self._own_statuses() if status.camera == pipeline.name]
        self._service.ready()
        self._report.ready(statuses, {pipeline.name: self._urls(pipeline.name, host)})

    async def _sample(self) -> None:
        while True:
            before, self._host = self._host, await asyncio.to_thread(self._sampler.sample)
            for event in throttle_events(before, self._host):
                self._event(*event)
            await asyncio.sleep(1.0)

    # ------------------------------------------------------------ what the parts tell

    def _event(self, level: str, code: str, text: str, camera: str = "") -> None:
        text = logs.scrub(text)  # it is told to clients, and posted to webhooks
        event = Event(time.time_ns() // 1000, level, code, text, camera)
        getattr(log, level)(code, text=text, camera=camera)
        self._status.event(event)
        self._report.event(event)
        self._alerting.take(event)
        self._observed.event(event)

    def _part_failed(self, part: str, error: BaseException) -> None:
        self._event("error", "part_restarted", f"the {part} failed ({error}) and is started again; no frame is lost")

    def _turned_away(self, host: str, reason: str) -> None:
        if notice := self._refusals.note(plain_host(host), reason, time.monotonic()):
            self._event(*notice)

    def _changed(self) -> None:
        self._status.touch()
        # Not from within what changed: whatever fails in the status plane must cost no frame.
        asyncio.get_running_loop().call_soon(self._look_at_controls)

    def _look_at_controls(self) -> None:
        for panel in self._panels.values():
            panel.look()

    def _urls(self, camera: str, host: str) -> dict[str, str]:
        found = self._front.urls(host, camera)
        if push := self._pushes.get(camera):
            found["push"] = push.target.url
        secure, port = self._tls is not None, self._status.port
        first = camera == self._pipelines[0].name
        return {
            "rtsp": found.pop("rtsp"),
            "websocket": urls.websocket_url(host, port, secure=secure),
            "page": urls.page_url(host, port, "" if first else camera, secure=secure),
            **found,
        }

    def _own_statuses(self) -> list[CameraStatus]:
        """The figures for our own report: an error in them must not end the feed."""
        try:
            return list(self.statuses())
        except Exception:
            log.exception("status_failed")
            return []

    # ------------------------------------------------------------ StatusSource

    def welcome(self, local_host: str) -> Welcome:
        """What a status client hears first."""
        host = self._settings.advertise or local_host
        return Welcome(
            publisher=platform.node(),
            version=__version__,
            cameras=[
                CameraInfo(p.name, self._urls(p.name, host), self._panels[p.name].controls()) for p in self._pipelines
            ],
            time_us=time.time_ns() // 1000,
            uptime_s=time.monotonic() - self._started,
        )

    def statuses(self) -> Sequence[CameraStatus]:
        """Each camera's status, with its viewers and the host's figures."""
        now = time.monotonic()
        return [self._status_of(pipeline, now) for pipeline in self._pipelines]

    def _status_of(self, pipeline: Pipeline, now: float) -> CameraStatus:
        viewers = self._watching(pipeline, now)
        own = pipeline.status(now)
        push = self._pushes.get(pipeline.name)
        if push and push.frames_dropped:
            own = replace(own, frames_dropped={**own.frames_dropped, "push_link_slow": push.frames_dropped})
        status = replace(
            own,
            viewers=viewers,
            latency_ms=self._reports.worst(pipeline.name, now, [v.id for v in viewers if v.transport == "webrtc"]),
            uptime_s=now - self._started,
            server=push.server if push else self._front.server,
            parts=[*own.parts, *self._ways_out(push, now)],
        )
        host = self._host
        if host is None:
            return status
        return replace(
            status,
            cpu_percent=host.cpu_percent,
            process_cpu_percent=host.process_cpu_percent,
            memory_percent=host.memory_percent,
            memory_used_mb=host.memory_used_mb,
            memory_total_mb=host.memory_total_mb,
            network_mbps=host.network_mbps,
            network_interface=host.network_interface,
            temperature_c=host.temperature_c,
            machine=self._machine,
            throttled_now=host.throttled_now,
            throttled_ever=host.throttled_ever,
        )

    def _ways_out(self, push: Push | None, now: float) -> list[Part]:
        """What stands behind a camera's encoder."""
        ways = {"relay": self._upkeep}
        if self._front.mediamtx:
            ways["mediamtx"] = self._front.mediamtx.restarts
        if push:
            ways["push"] = push.restarts
        return [restarts.part(name, now) for name, restarts in ways.items()]

    def _watching(self, pipeline: Pipeline, now: float) -> list[Viewer]:
        watching = [*self._relay.viewers(pipeline.stream, now), *self._front.viewers(pipeline.name)]
        return self._reports.attach(watching, pipeline.name, now)

    async def set_control(self, request: SetControl, tell: Callable[[ServerMessage], None]) -> ControlResult:
        """Has a camera's control set, and reads it back."""
        panel = self._panels.get(request.camera)
        if panel is None:
            text = f"there is no camera {request.camera[:64]!r}; there are {', '.join(self._panels)}"
            return ControlResult(request.camera, request.name, ok=False, text=text)
        return await panel.set(request, tell)

    async def thumbnail(self, camera: str, width: int) -> Thumbnail | None:
        """A small picture of a camera."""
        pipeline = next(pipeline for pipeline in self._pipelines if pipeline.name == camera)
        with contextlib.suppress(TimeoutError):
            return await thumbnail(pipeline, width, at_most_bytes=width * width // 5)
        return None

    async def call(self, offer: WebrtcOffer, remote_host: str) -> Call:
        """Has a WebRTC call placed for a status client."""
        return await self._front.call(offer, remote_host)

    def viewer_report(self, report: ViewerReport, remote_host: str) -> None:
        """Keeps what a viewer measured."""
        report = self._observed.report(replace(report, camera=report.camera or self._pipelines[0].name))
        self._reports.add(report, remote_host, time.monotonic())

    def role(self, hello: Hello, remote_host: str) -> Role | None:
        """What a status client may do."""
        return self._access.role(hello.token, remote_host)

    async def take_tokens(self, settings: Settings) -> list[str]:
        """Reads the tokens and the certificate again, as their files have them; which have changed. Raises UsageError.

        Who came in by a token that is none any more is sent away; MediaMTX, which does not forget, is started anew.
        """
        renewed = self._tls.take() if self._tls else False
        changed = self._access.take(settings, self._front.check)
        if renewed and not changed:
            self._front.renew()
        if changed:
            self._relay.end_stale(self._access.words)
            await self._status.end_stale()
            self._front.renew()
        return [*changed, "certificate"] if renewed else changed


async def serve(settings: Settings, specs: Sequence[CameraSpec], *, as_json: bool) -> int:
    """Publishes these cameras until a signal or --duration; the exit code."""
    startup.loaded()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    asyncio.get_running_loop().set_exception_handler(_loop_errors())
    access = Access.of(settings)
    certificate = file_fingerprint(settings.tls_cert) if settings.tls_cert else None
    report = JsonReport() if as_json else TextReport(access.main, certificate)
    publisher = Publisher(settings, specs, access, report)
    shutdown = Shutdown(publisher.reload)
    with shutdown.installed():
        running = asyncio.create_task(publisher.run(shutdown))
        try:
            await _until_asked(running, shutdown, settings.duration)
            async with asyncio.timeout(STOP_WITHIN_S):
                await running
        except TimeoutError:
            raise ZlfeedError(f"not everything ended within {STOP_WITHIN_S:g} s; it was left to the system") from None
    return ExitCode.OK if shutdown.code is None else shutdown.code


def _loop_errors() -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """Logs what fails in the event loop itself, at most once a second: without descriptors it is every accept()."""
    grumble = logs.Grumble(log)

    def tell(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        grumble("event_loop_error", text=context["message"], exc_info=context.get("exception"))

    return tell


async def _until_asked(running: asyncio.Task[None], shutdown: Shutdown, duration: float | None) -> None:
    """Returns when a signal came, the time is up, or the publisher ended by itself."""
    asked = asyncio.create_task(shutdown.requested.wait())
    try:
        await asyncio.wait((running, asked), timeout=duration, return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asked
    if not running.done():
        shutdown.request(ExitCode.OK)
    elif running.exception() is None and shutdown.code is None:
        raise StartError("the publisher ended without a reason")
