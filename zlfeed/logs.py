"""Logs go to stderr: text on a terminal, JSON lines otherwise. Event names are stable snake_case words."""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TextIO, cast
from urllib.parse import quote

import structlog

from zlfeed import terminal

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]+@")
_AUTHORIZATION = re.compile(r"(?i)\b(Basic|Bearer) [A-Za-z0-9+/=_~.-]{8,}")
HIDDEN = "***"
_SECRETS: dict[str, None] = {}
_SHORTEST = 8
"""As short as a token may be; anything shorter would make holes in innocent words."""
_MOST = 64
"""Tokens are changed by hand."""


class _Stderr:
    """stderr as it is at the moment of writing; a line that renews itself on the same terminal makes way for it."""

    def write(self, text: str) -> None:
        stream = sys.stderr
        if stream is None:
            return
        try:
            with terminal.above_foot():
                stream.write(text)
                stream.flush()
        except OSError:
            return  # nobody reads the log any more; the feed goes on

    def flush(self) -> None:
        """Each write is flushed."""


_stderr = _Stderr()


def conceal(secret: str) -> None:
    """From now on `secret` stands in no log line, error sentence or traceback of this process."""
    forms = (secret, quote(secret, safe=""))
    _SECRETS.update(dict.fromkeys(form for form in forms if len(form) >= _SHORTEST))
    while len(_SECRETS) > _MOST:
        del _SECRETS[next(iter(_SECRETS))]


def scrub(text: str) -> str:
    """Takes user names and passwords out of the URLs in `text`, and whatever is to be concealed."""
    text = _CREDENTIALS.sub("***@", text)
    text = _AUTHORIZATION.sub(r"\1 ***", text)
    for secret in _SECRETS:
        text = text.replace(secret, HIDDEN)
    return text


def scrubbed(value: Any) -> Any:
    """The same without secrets, whatever it is made of; what has none in it stays as it is."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {scrubbed(key): scrubbed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [scrubbed(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    words = repr(value)
    return value if scrub(words) == words else scrub(words)


def _scrub_values(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {key: scrubbed(value) for key, value in event.items()}


def _scrubbing_hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Prints a traceback that nobody caught, without secrets."""
    _stderr.write(scrub("".join(traceback.format_exception(kind, error, trace))))


class ScrubbingFormatter(logging.Formatter):
    """What others log by the standard library, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


class _Words:
    """A log line for people: when, what happened, and what else is known."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours

    def __call__(self, _logger: Any, _method: str, event: structlog.typing.EventDict) -> str:
        stamp, level, name = event.pop("timestamp"), event.pop("level"), str(event.pop("event"))
        trace = event.pop("exception", None)
        event.pop("part", None)
        words = event.pop("text", None)
        if words is None:
            words = name.replace("_", " ")
            for key in ("reason", "error", "meaning"):
                if why := event.pop(key, None):
                    words += f": {why}"
        elif (camera := event.get("camera")) is not None and (not camera or camera in words):
            del event["camera"]
        known = "".join(f"  {key} {value}" for key, value in event.items())
        mark = {"info": "", "debug": ""}.get(level, f"{level}: ")
        colour = {"warning": "33", "error": "31", "critical": "31"}.get(level, "")
        line = f"{self._painted('2', stamp)}  {self._painted(colour, mark)}{_visible(str(words))}"
        line += self._painted("2", _visible(known))
        return f"{line}\n{trace}" if trace else line

    def _painted(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours and colour and text else text


def _visible(text: str) -> str:
    """Without what a terminal would obey: some of it comes from clients."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def setup(log_format: str = "auto", level: str = "info") -> None:
    """Sets logging up for the process; `log_format` is auto, text or json."""
    text = log_format == "text" or (log_format == "auto" and sys.stderr is not None and sys.stderr.isatty())
    renderer: Any
    if text:
        renderer = _Words(colours=terminal.has_colours(sys.stderr))
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
        # It writes a line with its end in one piece, which others on the same terminal cannot come between.
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _stderr)),
        cache_logger_on_first_use=False,
    )
    # websockets and asyncio speak through the standard library; what they say below an error is not for people.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ScrubbingFormatter("%(name)s: %(message)s"))
    logging.basicConfig(level=logging.ERROR, handlers=[handler])
    sys.excepthook = _scrubbing_hook
    logging.getLogger("websockets").setLevel(logging.CRITICAL)


def set_level(level: str) -> None:
    """What is below `level` is not logged from now on, by whoever has a logger already too."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]))


def get(name: str) -> Any:
    """A logger: `log.info("event_name", key=value)`."""
    return structlog.get_logger(part=name.removeprefix("zlfeed."))


class Grumble:
    """Warnings of which at most one of a kind a second is logged, with the number of those held back before it."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._last: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def __call__(self, event: str, **values: object) -> None:
        now = time.monotonic()
        if now - self._last.get(event, float("-inf")) < 1.0:
            self._held[event] = self._held.get(event, 0) + 1
            return
        self._last[event] = now
        held = self._held.pop(event, 0)
        self._log.warning(event, **values, **({"held_back": held} if held else {}))
