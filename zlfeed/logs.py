"""Logs go to stderr: text on a terminal, JSON lines otherwise. Event names are stable snake_case words."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable
from typing import Any, TextIO, cast

import structlog

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


class _Stderr:
    """stderr as it is at the moment of writing; a line that renews itself on the same terminal makes way for it."""

    before: Callable[[], None] | None = None
    after: Callable[[], None] | None = None

    def write(self, text: str) -> None:
        stream = sys.stderr
        if stream is None:
            return
        try:
            if self.before:
                self.before()
            stream.write(text)
            stream.flush()
            if self.after:
                self.after()
        except OSError:
            return  # nobody reads the log any more; the feed goes on

    def flush(self) -> None:
        """Each write is flushed."""


_stderr = _Stderr()


def around_writes(before: Callable[[], None], after: Callable[[], None]) -> None:
    """Has `before` and `after` called around each line of the log."""
    _stderr.before, _stderr.after = before, after


def scrub(text: str) -> str:
    """Takes user names and passwords out of the URLs in `text`."""
    return _CREDENTIALS.sub("***@", text)


def _scrub_values(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {key: scrub(value) if isinstance(value, str) else value for key, value in event.items()}


def setup(log_format: str = "auto", level: str = "info") -> None:
    """Sets logging up for the process; `log_format` is auto, text or json."""
    text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    renderer: Any
    if text:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=24, sort_keys=False)
        stamp = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
    else:
        renderer = structlog.processors.JSONRenderer()
        stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            stamp,
            structlog.processors.format_exc_info,
            _scrub_values,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _stderr)),
        cache_logger_on_first_use=False,
    )
    # websockets and asyncio speak through the standard library; what they say below an error is not for people.
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(name)s: %(message)s")
    logging.getLogger("websockets").setLevel(logging.CRITICAL)


def get(name: str) -> Any:
    """A logger: `log.info("event_name", key=value)`."""
    return structlog.get_logger(part=name.removeprefix("zlfeed."))
