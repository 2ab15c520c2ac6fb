"""The monitor without a screen: `--once` for people, `--json` for programs. Imports no Textual.

JSON lines begin with "type": "status" has the fields of CameraStatus, "event" those of Event, "link" those of
LinkState. All carry the publisher's "url".
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from zlfeed.clock import monotonic_us
from zlfeed.errors import ExitCode, StartError
from zlfeed.model import CameraStatus, Event, ServerMessage, Welcome
from zlfeed.monitor import format as fmt
from zlfeed.monitor.feeds import hello
from zlfeed.monitor.limits import Thresholds
from zlfeed.monitor.lines import Glyphs, Line, clean, glyphs_for, plain, to_ascii
from zlfeed.monitor.snapshot import CameraView
from zlfeed.monitor.state import MonitorState
from zlfeed.monitor.views import cards
from zlfeed.monitor.views.top import WORDS, state_word
from zlfeed.signals import Shutdown
from zlfeed.status_client import LinkState, StatusClient
from zlfeed.tls import Trust

_EVENTS_KNOWN = 1000
_TRUST = Trust()


async def once(
    tokens: Mapping[str, str],
    *,
    timeout_s: float,
    as_json: bool,
    limits: Thresholds | None = None,
    trust: Trust = _TRUST,
) -> int:
    """Prints every camera of every publisher once. Raises StartError when a publisher does not answer in time."""
    asked = (_ask(url, token, timeout_s, limits, trust) for url, token in tokens.items())
    outcomes = await asyncio.gather(*asked)
    for state, _ in outcomes:
        snapshot = state.snapshot(monotonic_us() / 1e6, time.time_ns() // 1000)
        for view in snapshot.cameras:
            if not as_json:
                _say("\n".join(describe(view, limits)))
            elif view.status is not None:
                _say(to_json("status", view.status, view.host.key))
        if not as_json and not snapshot.cameras and snapshot.hosts[0].link.connected:
            _say(f"{clean(snapshot.hosts[0].name)} has no camera")
    failures = [error for _, error in outcomes if error]
    if failures:
        raise StartError("\n".join(failures))
    return ExitCode.OK


async def _ask(
    url: str, token: str, timeout_s: float, limits: Thresholds | None, trust: Trust
) -> tuple[MonitorState, str | None]:
    """One publisher's state when every camera has said how it is, and why not, where not."""
    state = MonitorState([url], limits)
    answered: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

    def settle(error: str | None) -> None:
        if not answered.done():
            answered.set_result(error)

    def on_link(link: LinkState) -> None:
        state.on_link(url, link, monotonic_us() / 1e6, 0)
        if link.error is not None:
            settle(link.error)

    def on_message(message: ServerMessage) -> None:
        state.on_message(url, message, monotonic_us() / 1e6)
        if isinstance(message, Welcome | CameraStatus) and all(c.status for c in state.hosts[url].cameras.values()):
            settle(None)

    client = StatusClient(url, hello(token), on_message=on_message, on_link=on_link, timeout_s=timeout_s, trust=trust)
    running = asyncio.create_task(client.run())
    try:
        # Up to one time-out for the connection, one for the Welcome; then the publisher's next second.
        async with asyncio.timeout(2 * timeout_s + 1.5):
            return state, await answered
    except TimeoutError:
        silent = [name for name, camera in state.hosts[url].cameras.items() if camera.status is None]
        return state, f"{url} tells nothing of {', '.join(silent) or 'its cameras'}"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def follow(
    tokens: Mapping[str, str], *, timeout_s: float, duration_s: float | None, trust: Trust = _TRUST
) -> int:
    """Prints JSON lines until a signal, or for `duration_s`. Raises StartError when every publisher refused us."""
    refusals: list[str] = []
    said: deque[tuple[str, Event]] = deque(maxlen=_EVENTS_KNOWN)

    def tell(url: str, event: Event) -> None:
        # A Welcome repeats the last events; those that came before the contact was lost are not news.
        if (url, event) not in said:
            said.append((url, event))
            _say(to_json("event", event, url))

    def on_message(url: str, message: ServerMessage) -> None:
        if isinstance(message, CameraStatus):
            _say(to_json("status", message, url))
        elif isinstance(message, Event):
            tell(url, message)
        elif isinstance(message, Welcome):
            for event in message.events:
                tell(url, event)

    async def listen(url: str, token: str) -> None:
        client = StatusClient(
            url,
            hello(token),
            on_message=lambda message: on_message(url, message),
            on_link=lambda link: _say(to_json("link", link)),
            timeout_s=timeout_s,
            trust=trust,
        )
        try:
            await client.run()
        except StartError as error:
            refusals.append(str(error))

    shutdown = Shutdown()
    with shutdown.installed():
        tasks = [asyncio.create_task(listen(url, token)) for url, token in tokens.items()]
        everyone = asyncio.gather(*tasks)
        asked = asyncio.create_task(shutdown.requested.wait())
        try:
            await asyncio.wait((everyone, asked), timeout=duration_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            everyone.cancel()
            await asyncio.gather(everyone, asked, *tasks, return_exceptions=True)
    if shutdown.code is not None:
        return shutdown.code
    if len(refusals) == len(tokens):
        raise StartError("\n".join(refusals))
    return ExitCode.OK


def to_json(kind: str, record: CameraStatus | Event | LinkState, url: str | None = None) -> str:
    """One JSON line; what is unknown is null."""
    head: dict[str, Any] = {"type": kind} if url is None else {"type": kind, "url": url}
    return json.dumps(_finite({**head, **asdict(record)}), ensure_ascii=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity, and a publisher may send both; figures come in 1/256, and are told in 1/100."""
    if isinstance(value, float):
        return round(value, 2) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def describe(view: CameraView, limits: Thresholds | None = None) -> list[str]:
    """A camera in some lines of text."""
    limits = limits or Thresholds()
    glyphs = glyphs_for(getattr(sys.stdout, "encoding", None), {**os.environ, "TERM": ""}, color=False)
    _, word = state_word(view)
    lines = [f"{clean(view.name)} on {clean(view.host.name)}: {word}, {WORDS[view.health.level]}"]
    lines += [f"  {reason.level:<9}{clean(reason.text)}" for reason in view.health.reasons]
    status = view.status
    if status is not None:
        latency = status.latency_ms
        figures = "unknown, no viewer reports one"
        if latency is not None:
            figures = f"p50 {fmt.ms(latency.p50)}, p95 {fmt.ms(latency.p95)}, max {fmt.ms(latency.max)} ms"
            figures += f", ± {fmt.ms(view.latency_error_ms)} ms"
        asked = f" of {status.fps_asked:g}" if status.fps_asked else ""
        lines += [f"  rate     {fmt.number(status.fps)}{asked} fps", f"  latency  {figures}"]
        body: list[Line] = [*cards.picture(status, glyphs), *_machine(view, limits, glyphs)]
        lines += [f"  {plain(line).rstrip()}" for line in body]
        lines.append(f"  viewers  {len(status.viewers)}")
        lines += [f"    {plain(cards.viewer_line(viewer, 70, limits)).rstrip()}" for viewer in status.viewers]
    lines += [f"  {plain(line).rstrip()}" for line in cards.watch(view, 200)] if view.urls else []
    return [line if glyphs.unicode else to_ascii(line) for line in lines]


def _machine(view: CameraView, limits: Thresholds, glyphs: Glyphs) -> list[Line]:
    """The machine's figures without the contact, which has not lasted."""
    return cards.machine(view, 0, limits, glyphs)[:-1]


def _say(text: str) -> None:
    """A line on stdout at once. Whoever reads it may leave when they have seen enough, as `head` does."""
    try:
        print(text, flush=True)  # noqa: T201 – this is the output
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise SystemExit(ExitCode.OK) from None
