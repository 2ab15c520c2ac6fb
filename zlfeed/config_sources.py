"""Where settings are said: the configuration file, .env, the environment; and the words for what is wrong there."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import platformdirs

from zlfeed.errors import UsageError

CONFIG_NAME = "zlfeed.toml"
CONFIG_VARIABLE = "ZLFEED_CONFIG"
"""Names the configuration file; --config sets it, so that the commands a command starts read the same file."""
DOTENV = ".env"
PREFIX = "ZLFEED_"

OLDER_NAMES = {
    "PI_VPN_IP": ("advertise", "publisher", "vpn_address"),
    "RTSP_PORT": ("rtsp_port",),
    "WEBSOCKET_PORT": ("websocket_port",),
    "HLS_PORT": ("hls_port",),
    "WEBRTC_PORT": ("webrtc_port",),
    "STREAM_NAME": ("stream_name",),
    "CONNECTION_TIMEOUT": ("connection_timeout",),
}
"""Variables without ZLFEED_ before them, and the settings they stand for."""
VIEWER_ADDRESS = "WINDOWS_VPN_IP"
"""A viewer's address, by its older name: joins `allow`."""

CAMERAS = "cameras"
"""The one setting that is tables."""
_NO_SETTINGS = (CONFIG_VARIABLE, "ZLFEED_EVENT_", "ZLFEED_TEST_")
"""Variables that are ours without being settings: the file's name, an alert's fields, what our tests mark with."""


def config_file() -> Path:
    """The configuration file: --config or ZLFEED_CONFIG, ./zlfeed.toml, else the user's configuration folder."""
    if named := os.environ.get(CONFIG_VARIABLE):
        return Path(named)
    here = Path(CONFIG_NAME)
    return here if here.exists() else platformdirs.user_config_path("zlfeed") / CONFIG_NAME


def from_file(settings: Collection[str]) -> dict[str, Any]:
    """What the configuration file says; nothing when there is none.

    Raises UsageError: one line for each name that is no setting, with its place and the nearest right name.
    """
    path = config_file()
    text = _text(path)
    if text is None:
        return {}
    import tomllib  # takes as long as all else that is done here

    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(_toml_sentence(path, str(error))) from None
    if wrong := list(_unknown(path, text, found, settings)):
        raise UsageError("\n".join(wrong))
    return found


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        if os.environ.get(CONFIG_VARIABLE):
            raise UsageError(f"there is no file {path}, which --config or {CONFIG_VARIABLE} names") from None
        return None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {os.strerror(error.errno or 0)}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} cannot be read: it is not UTF-8 text") from None


def _toml_sentence(path: Path, said: str) -> str:
    words, _, place = said.partition(" (at ")
    words = f"{words[0].lower()}{words[1:]}"
    line = re.match(r"line (\d+)", place)
    where = f"{path}, line {line[1]}" if line else f"{path}, at its end"
    return f'{where}: this is no TOML: {words}; a line looks like bitrate = "2M" or rtsp_port = 8554'


def _unknown(path: Path, text: str, found: Mapping[str, Any], settings: Collection[str]) -> Iterator[str]:
    for name, value in found.items():
        where = _place(path, _line_of(name, text))
        if name == CAMERAS and name in settings:
            continue
        if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value)):
            yield f"{where}: there are no tables but [{CAMERAS}.NAME]: settings stand by themselves, without [{name}]"
        elif name not in settings:
            yield f"{where}: there is no setting {name!r}{nearest(name, settings)}"


def nearest(name: str, names: Iterable[str]) -> str:
    """`: did you mean …?`, or nothing."""
    near = difflib.get_close_matches(name.lower().replace("-", "_"), list(names), 1)
    return f": did you mean {near[0]}?" if near else ""


def _line_of(name: str, text: str) -> int | None:
    """The line of a TOML file that sets `name`, or that opens a table of that name."""
    pattern = re.compile(rf"\s*(\[\[?\s*)?([\"']?){re.escape(name)}\2\s*[=.\]]")
    return next((number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line)), None)


def camera_place(camera: str, key: str) -> str:
    """Where the file says something of a camera: the line that sets `key`, else that which opens its table."""
    path = config_file()
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return str(path)
    table = re.compile(rf"\s*\[\s*{CAMERAS}\s*\.\s*([\"']?){re.escape(camera)}\1\s*[.\]]")
    sets = re.compile(rf"\s*([\"']?){re.escape(key)}\1\s*[=.]")
    opened = None
    for number, line in enumerate(lines, 1):
        if table.match(line):
            opened = number
        elif opened and line.lstrip().startswith("["):
            break
        elif opened and key and sets.match(line):
            return _place(path, number)
    return _place(path, opened or _line_of(CAMERAS, "\n".join(lines)))


def _place(path: Path, line: int | None) -> str:
    return f"{path}, line {line}" if line else str(path)


# ------------------------------------------------------------ .env and the environment


def dotenv() -> dict[str, str]:
    """What .env in this folder says, empty values left out. Raises UsageError when it cannot be read."""
    if not os.path.exists(DOTENV):
        return {}
    from dotenv import dotenv_values

    try:
        return {name.upper(): value for name, value in dotenv_values(DOTENV).items() if value}
    except OSError as error:
        raise UsageError(f"{DOTENV} cannot be read: {os.strerror(error.errno or 0)}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{DOTENV} cannot be read: it is not UTF-8 text") from None


def environment() -> dict[str, str]:
    """The variables that say something, their names in capitals."""
    return {name.upper(): value for name, value in os.environ.items() if value}


def said(settings: Collection[str]) -> dict[str, Any]:
    """What is said of each setting where it counts most, flags aside. Raises UsageError.

    The environment goes before .env, and that before the file; in either, a setting's own name before an older one.
    """
    dot = dotenv()
    return {
        **from_file(settings),
        **_older(dot),
        **_newer(dot, settings),
        **_older(os.environ),
        **_newer(environment(), settings),
    }


def _newer(variables: Mapping[str, str], settings: Collection[str]) -> dict[str, str]:
    return {name: value for name in settings if (value := variables.get(f"{PREFIX}{name.upper()}"))}


def _older(variables: Mapping[str, str]) -> dict[str, str]:
    return {field: value for name, fields in OLDER_NAMES.items() if (value := variables.get(name)) for field in fields}


def unknown_variables(settings: Collection[str]) -> list[str]:
    """A sentence for each ZLFEED_… that is no setting: in the environment, and in .env."""
    names = [f"{PREFIX}{name.upper()}" for name in settings]
    said = [(name.upper(), f"the variable {name}") for name in sorted(os.environ)]
    said += [(name, f"{DOTENV}{_dotenv_line(name)}: {name}") for name in dotenv()]
    return [
        f"{place} is no setting and does nothing{nearest_variable(name, names)}"
        for name, place in said
        if name.startswith(PREFIX) and name not in names and not name.startswith(_NO_SETTINGS)
    ]


def nearest_variable(name: str, names: Iterable[str]) -> str:
    """Like `nearest`, for names that all begin alike."""
    near = difflib.get_close_matches(name.removeprefix(PREFIX), [n.removeprefix(PREFIX) for n in names], 1)
    return f": did you mean {PREFIX}{near[0]}?" if near else ""


def _dotenv_line(name: str) -> str:
    try:
        lines = Path(DOTENV).read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return ""
    pattern = re.compile(rf"\s*(export\s+)?{re.escape(name)}\s*=", re.IGNORECASE)
    found = [number for number, line in enumerate(lines, 1) if pattern.match(line)]
    return f", line {found[-1]}" if found else ""  # of several the last one counts


def origins(settings: Collection[str]) -> dict[str, str]:
    """Where each setting that is not a default was said, flags aside. Raises UsageError when it cannot be read."""
    variables, dot, path, in_file = environment(), dotenv(), config_file(), from_file(settings)
    text = path.read_text("utf-8") if in_file else ""
    found: dict[str, str] = {}
    for name in settings:
        names = [f"{PREFIX}{name.upper()}", *(old for old, fields in OLDER_NAMES.items() if name in fields)]
        places = [
            *(f"variable {variable}" for variable in names if variable in variables),
            *(f"{DOTENV}{_dotenv_line(variable)}: {variable}" for variable in names if variable in dot),
            *([_place(path, _line_of(name, text))] if name in in_file else []),
        ]
        if places:
            found[name] = places[0]
    joins = (f"variable {VIEWER_ADDRESS}" if VIEWER_ADDRESS in variables else None) or (
        f"{DOTENV}{_dotenv_line(VIEWER_ADDRESS)}: {VIEWER_ADDRESS}" if VIEWER_ADDRESS in dot else None
    )
    if joins:
        found["allow"] = f"{found['allow']}; {joins}" if "allow" in found else joins
    return found


def viewer_address() -> str | None:
    """What the older name of a viewer's address says."""
    return os.environ.get(VIEWER_ADDRESS) or dotenv().get(VIEWER_ADDRESS)
