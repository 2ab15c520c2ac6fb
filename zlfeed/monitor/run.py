"""`zlfeed monitor`: on a screen, or without one."""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from zlfeed import startup, structured, tokens
from zlfeed.ask import token_for
from zlfeed.config import Settings
from zlfeed.errors import ExitCode, UsageError
from zlfeed.monitor import graphics, notify
from zlfeed.monitor.feeds import Feeds
from zlfeed.status_address import status_url
from zlfeed.tls import Trust

if TYPE_CHECKING:
    from structlog.typing import EventDict


def run(settings: Settings, *, targets: list[str], once: bool, as_json: bool, readonly: bool) -> int:
    """Watches over publishers; the exit code.

    Raises UsageError for a target that is none, or without a terminal; StartError when no publisher can be reached with
    `once`, or when all of them refuse us.
    """
    said = targets or _found(settings)
    urls = list(
        dict.fromkeys(status_url(target, settings.websocket_port, secure=bool(settings.fingerprint)) for target in said)
    )
    # Each hears the token that is meant for it: this machine's own goes to no other.
    timeout_s, trust = settings.connection_timeout, Trust(settings.fingerprint)

    def token(url: str) -> str:
        if as_json:
            return tokens.for_client(settings, urlsplit(url).hostname or "")

        def wanted() -> bool:
            from zlfeed.status_client import wants_token

            return asyncio.run(wants_token(url, trust=trust, timeout_s=timeout_s))

        return token_for(settings, urlsplit(url).hostname or "", wanted)

    shown = {url: token(url) for url in urls}
    if once or as_json:
        from zlfeed.monitor import plain

        startup.loaded()
        if once:
            found = plain.once(shown, timeout_s=timeout_s, as_json=as_json, limits=settings.limits, trust=trust)
            return asyncio.run(found)
        return asyncio.run(plain.follow(shown, timeout_s=timeout_s, duration_s=settings.duration, trust=trust))
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.__stderr__)):
        raise UsageError("the monitor needs a terminal: without one use --once, or --json for programs")
    feeds = Feeds(shown, timeout_s=timeout_s, limits=settings.limits, trust=trust)
    return _on_screen(settings, feeds, readonly=readonly)


def _found(settings: Settings) -> list[str]:
    from zlfeed import whereabouts

    return whereabouts.statuses(settings)


def _on_screen(settings: Settings, feeds: Feeds, *, readonly: bool) -> int:
    if os.environ.get("NO_COLOR") == "":
        # An empty NO_COLOR means nothing (no-color.org); Textual takes it for a yes.
        del os.environ["NO_COLOR"]
    for name in ("COLUMNS", "LINES"):
        # A shell that exports them tells the size that it began with; it would be believed after every resize.
        os.environ.pop(name, None)
    # The screen is the terminal's stderr, and a log line would be written across it: it goes into the activity log.
    structured.configure(
        lambda structlog: structlog.configure(processors=[structlog.processors.add_log_level, partial(_into, feeds)])
    )

    drawn = graphics.kind(settings.preview, os.environ)
    asked = None
    if drawn == graphics.SIXEL:
        from zlfeed.monitor.asking import Question

        asked = Question(sys.stdin.fileno())
    try:
        from zlfeed.monitor.app import MonitorApp
        from zlfeed.monitor.session import Session
    finally:
        answer = asked.answer() if asked else None
    if answer and not (answer.cell and (answer.sixel or settings.preview == graphics.SIXEL)):
        drawn = ""

    session = Session(
        readonly=readonly, bell=settings.bell, notify=notify.kind(settings.notify, os.environ), limits=settings.limits,
        preview_hz=settings.preview_hz, graphics=drawn, cell=answer.cell if answer else None,
    )  # fmt: skip
    app = MonitorApp(feeds, session, refresh_hz=settings.refresh_hz, duration_s=settings.duration)
    app.run()
    if app.failure is not None:
        raise app.failure
    return app.return_code or ExitCode.OK


def _into(feeds: Feeds, _logger: object, _method: str, event: EventDict) -> EventDict:
    """The last step of logging while the screen is drawn: what is worth a warning becomes an entry."""
    level, name = event.pop("level", "info"), str(event.pop("event", ""))
    if level in ("warning", "error", "critical"):
        words = ", ".join(f"{key} {value}" for key, value in event.items() if key != "part")
        feeds.note("warning" if level == "warning" else "error", name, f"{name}: {words}")
    raise structured.structlog().DropEvent
