"""`zlfeed receive --test-connection`: whether the stream and the status server answer, and if not, what to do."""

from __future__ import annotations

import asyncio
import json
import platform
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from zlfeed import __version__
from zlfeed.clock import ClockFilter, Estimate, monotonic_us
from zlfeed.config import Settings
from zlfeed.errors import ExitCode, StartError
from zlfeed.model import Hello, Pong, ServerMessage, Subscribe, Welcome
from zlfeed.opencv import load_cv2
from zlfeed.receiver import backends
from zlfeed.receiver.describe import describe
from zlfeed.receiver.figures import round_ms
from zlfeed.receiver.reader import open_capture
from zlfeed.receiver.target import Target
from zlfeed.status_client import PING_BURST, LinkState, StatusClient
from zlfeed.terminal import write
from zlfeed.tls import Trust


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried. `text` is for people, with the cure when not `ok`; `fields` are for JSON."""

    subject: str
    ok: bool
    text: str
    fields: dict[str, Any] = field(default_factory=dict)


def run(
    settings: Settings,
    target: Target,
    plan: backends.Plan,
    status: str | None,
    token: str,
    *,
    as_json: bool,
    source: Target,
) -> int:
    """Tries it all and says what it found; the exit code is 0 when all of it answers, else 3.

    `status` is None when the status server is not wanted; `source` is where OpenCV opens the target.
    """
    findings: list[Finding] = []
    if not as_json:
        write(f"testing {target.url}\n")
    for finding in _findings(settings, target, plan, status, token, source):
        findings.append(finding)
        if not as_json:
            write(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.subject:<14}{finding.text}\n")
    ok = all(finding.ok for finding in findings)
    if as_json:
        parts = {
            finding.subject.replace(" ", "_"): {"ok": finding.ok, "text": finding.text, **finding.fields}
            for finding in findings
        }
        fields = {"type": "test_connection", "ok": ok, "url": target.url, "status_url": status, **parts}
        write(json.dumps(fields, ensure_ascii=False, allow_nan=False) + "\n")
    return ExitCode.OK if ok else ExitCode.NOT_STARTED


def _findings(
    settings: Settings, target: Target, plan: backends.Plan, status: str | None, token: str, source: Target
) -> Iterator[Finding]:
    timeout_s, trust = settings.connection_timeout, Trust(settings.fingerprint)
    answer = describe(target, timeout_s, trust)
    took = f" ({answer.took_ms:.0f} ms)" if answer.ok and answer.took_ms is not None else ""
    yield Finding("stream", answer.ok, answer.sentence + took, {"took_ms": round_ms(answer.took_ms)})
    if answer.ok:
        yield _first_picture(source, plan, settings.transport, timeout_s, answer.undecodable)
    if status is not None:
        yield from asyncio.run(ask_status(status, token, timeout_s, trust))


def _first_picture(target: Target, plan: backends.Plan, transport: str, timeout_s: float, undecodable: str) -> Finding:
    """Whether a picture comes; `undecodable` is why not, where that is known already."""
    cv2 = load_cv2()
    backends.set_options(target, transport)
    for name in plan.backends:
        began = time.monotonic()
        capture = open_capture(cv2, name, target, transport, timeout_s)
        try:
            ok, image = capture.read() if capture.isOpened() else (False, None)
            took_ms = (time.monotonic() - began) * 1000
            if ok and image is not None:
                height, width = image.shape[:2]
                backend = capture.getBackendName()
                return Finding(
                    "first picture",
                    True,
                    f"{width}×{height} by {backend}, {took_ms:.0f} ms after opening",
                    {"first_picture_ms": round_ms(took_ms), "width": width, "height": height, "backend": backend},
                )
        finally:
            capture.release()
    tried = " and ".join(plan.backends)
    cure = "look at the publisher's camera, or give it more CONNECTION_TIMEOUT"
    said = undecodable or f"none within {timeout_s:g} s by {tried}: {cure}"
    return Finding("first picture", False, said)


async def ask_status(url: str, token: str, timeout_s: float, trust: Trust) -> list[Finding]:
    """Whether a status server answers: its Welcome and its clock, or one finding that says why not."""
    heard: asyncio.Queue[Welcome | str] = asyncio.Queue()
    pongs = 0
    measured = asyncio.Event()

    def on_message(message: ServerMessage) -> None:
        nonlocal pongs
        if isinstance(message, Welcome):
            heard.put_nowait(message)
        elif isinstance(message, Pong):
            pongs += 1
            if pongs >= PING_BURST:
                measured.set()

    def on_link(state: LinkState) -> None:
        if state.error is not None and not state.connected:
            heard.put_nowait(state.error)

    client = StatusClient(
        url,
        Hello(token, "receive", platform.node(), "", __version__),
        subscribe=Subscribe(status=False),
        on_message=on_message,
        on_link=on_link,
        timeout_s=timeout_s,
        trust=trust,
    )
    task = asyncio.create_task(client.run())
    try:
        first = await heard.get()  # the client's own time-outs bound this
        if isinstance(first, str):
            return [Finding("status server", False, first)]
        with suppress(TimeoutError):
            await asyncio.wait_for(measured.wait(), timeout_s)
        return [_welcome(first, url), _clock(client.clock)]
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, StartError):
            await task


def _welcome(welcome: Welcome, url: str) -> Finding:
    cameras = [camera.camera for camera in welcome.cameras]
    text = f"{url} is zlfeed {welcome.version} on {welcome.publisher}, cameras: {', '.join(cameras) or 'none'}"
    return Finding(
        "status server",
        True,
        text,
        {"publisher": welcome.publisher, "version": welcome.version, "cameras": cameras},
    )


def _clock(clock: ClockFilter) -> Finding:
    now_us = monotonic_us()
    estimate: Estimate | None = clock.estimate(now_us)
    if estimate is None:
        return Finding("clock", False, "the publisher's clock did not answer: latency will be unknown; try again")
    offset_ms = (estimate.offset_us + now_us - time.time_ns() // 1000) / 1000
    error_ms = estimate.error_us / 1000
    how = "ahead of" if offset_ms >= 0 else "behind"
    return Finding(
        "clock",
        True,
        f"the publisher's is {abs(offset_ms):.1f} ms {how} ours, ±{max(0.1, error_ms):.1f} ms; latency allows for that",
        {"clock_offset_ms": round_ms(offset_ms), "clock_error_ms": round_ms(error_ms)},
    )
