"""Logs go to stderr: text on a terminal, JSON lines otherwise, with priorities for journald; and into a file if asked.

Event names are stable snake_case words (docs/events.md).
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO, cast
from urllib.parse import quote

from zlfeed import structured, terminal
from zlfeed.log_flood import Flood

if TYPE_CHECKING:
    from structlog.typing import EventDict

    from zlfeed.log_file import LogFile

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


def _scrub_values(_logger: Any, _method: str, event: EventDict) -> EventDict:
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

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> str:
        event = dict(event)
        event.pop("timestamp")
        stamp = time.strftime("%H:%M:%S")
        level, name = event.pop("level"), str(event.pop("event"))
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
        said = event.pop("lines") if isinstance(event.get("lines"), list) else ()
        known = "".join(f"  {key} {value}" for key, value in event.items())
        mark = {"info": "", "debug": ""}.get(level, f"{level}: ")
        colour = {"warning": "33", "error": "31", "critical": "31"}.get(level, "")
        line = f"{self._painted('2', stamp)}  {self._painted(colour, mark)}{_visible(str(words))}"
        line += self._painted("2", _visible(known))
        line = "\n".join((line, *(self._painted("2", f"          {_visible(words)}") for words in said)))
        return f"{line}\n{trace}" if trace else line

    def _painted(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours and colour and text else text


def _visible(text: str) -> str:
    """Without what a terminal would obey: some of it comes from clients."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""sd-daemon(3): what journald takes from the beginning of a line."""


def _is_journal() -> bool:
    """Whether stderr is connected to journald (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        found = os.fstat(sys.stderr.fileno())
    except (AttributeError, OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


class _Output:
    """The last step: a line for stderr, and one for the file where there is one."""

    def __init__(self, words: _Words | None, as_json: Any, *, journal: bool, file: LogFile | None) -> None:
        """`as_json` renders for the file, and without `words` for stderr too."""
        self._renderer = words or as_json
        self._journal = journal
        self._file = file
        self._json = as_json

    def __call__(self, logger: Any, method: str, event: EventDict) -> str:
        if self._file is not None:
            self._file.write(str(self._json(logger, method, dict(event))))
        level = str(event.get("level", "info"))
        text = str(self._renderer(logger, method, event))
        if not self._journal:
            return text
        mark = f"<{_PRIORITIES.get(level, 6)}>"
        return "\n".join(mark + line for line in text.split("\n"))


class Setup:
    """What the last setup() made, for the next one to end."""

    file: LogFile | None = None
    flood: Flood | None = None


def _end() -> None:
    if Setup.flood is not None:
        Setup.flood.flush()
    if Setup.file is not None:
        Setup.file.close()
    Setup.file = Setup.flood = None


atexit.register(_end)


def setup(
    log_format: str = "auto", level: str = "info", *, file: Path | None = None, size: int = 10_000_000, count: int = 5
) -> None:
    """Sets logging up for the process; `log_format` is auto, text or json.

    `file` gets JSON lines besides, and is rotated at `size` bytes; `count` older ones are kept.
    """
    _end()
    journal = _is_journal()
    text = log_format == "text" or (log_format == "auto" and sys.stderr is not None and sys.stderr.isatty())
    words = _Words(colours=terminal.has_colours(sys.stderr) and not journal) if text else None
    if file is not None:
        from zlfeed.log_file import LogFile

        Setup.file = LogFile(file, size, count, lambda words: get(__name__).error("log_file_failed", text=words))
    log_file = Setup.file

    def configure(structlog: Any) -> None:
        output = _Output(words, structlog.processors.JSONRenderer(), journal=journal, file=log_file)
        rest = (structlog.processors.format_exc_info, _scrub_values)

        def emit(event: EventDict) -> None:
            for step in rest:
                event = step(None, "", event)
            _stderr.write(output(None, "", event) + "\n")

        Setup.flood = Flood(emit)
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                Setup.flood,
                *rest,
                output,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
            # It writes a line with its end in one piece, which others on the same terminal cannot come between.
            logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _stderr)),
            cache_logger_on_first_use=False,
        )

    structured.configure(configure)
    # websockets and asyncio speak through the standard library; what they say below an error is not for people.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ScrubbingFormatter("%(name)s: %(message)s"))
    logging.basicConfig(level=logging.ERROR, handlers=[handler])
    sys.excepthook = _scrubbing_hook
    logging.getLogger("websockets").setLevel(logging.CRITICAL)


def set_level(level: str) -> None:
    """What is below `level` is not logged from now on, by whoever has a logger already too."""
    structured.configure(
        lambda structlog: structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]))
    )


def get(name: str) -> Any:
    """A logger: `log.info("event_name", key=value)`."""
    return structured.Logger(name.removeprefix("zlfeed."))


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
