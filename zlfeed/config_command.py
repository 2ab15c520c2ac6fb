"""`zlfeed config`: which settings are in force, and where each was said."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from zlfeed import config, tls, tokens
from zlfeed.config import Settings
from zlfeed.config_sources import CAMERAS, camera_place, config_file
from zlfeed.errors import ExitCode, UsageError
from zlfeed.logs import scrub

_SECRET = ("token", "readonly_token", "alert_command", "alert_webhook")
_UNSET = "–"


def rows() -> list[tuple[str, str, str]]:
    """Name, value and origin of every setting, secrets hidden. Raises UsageError when one is wrong."""
    settings = config.load()
    origins = config.origins()
    return [
        (name, scrub(_shown(name, getattr(settings, name))), origins.get(name, "default"))
        for name in Settings.model_fields
        if name != CAMERAS
    ] + [
        (f"{CAMERAS}.{camera}.{name}", scrub(_shown(name, value)), camera_place(camera, name))
        for camera, own in settings.cameras.items()
        for name, value in own
        if name in own.model_fields_set
    ]


def _shown(name: str, value: object) -> str:
    if value is None:
        return _UNSET
    if name in _SECRET:
        return "(hidden)"
    if name == "size" and isinstance(value, tuple):
        return "x".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {its}" for name, its in value.items()) or _UNSET
    if isinstance(value, list):
        return ", ".join(map(str, value)) or _UNSET
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def show(*, as_json: bool) -> int:
    """Prints them all; the exit code."""
    console = Console(highlight=False)
    found = rows()
    path = config_file()
    if as_json:
        line = {"type": "file", "path": str(path), "exists": path.is_file()}
        console.print(json.dumps(line, ensure_ascii=False), soft_wrap=True, markup=False)
        for name, value, origin in found:
            known = None if value == _UNSET else value
            setting = {"type": "setting", "name": name, "value": known, "origin": origin}
            console.print(json.dumps(setting, ensure_ascii=False), soft_wrap=True, markup=False)
        return ExitCode.OK
    there = "" if path.is_file() else " (there is none)"
    console.print(f"configuration file: {path}{there}", soft_wrap=True, markup=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("setting", "value", "said by"):
        table.add_column(heading, overflow="fold")
    for name, value, origin in found:
        table.add_row(name, value, origin, style="dim" if origin == "default" else None)
    console.print(table)
    return ExitCode.OK


def _together(settings: Settings) -> Iterator[str]:
    """A sentence for each thing that is wrong in what settings name, or of several together."""
    from zlfeed.publisher.specs import camera_specs  # it takes numpy along

    origins = config.origins()

    def files() -> None:
        if pair := tls.pair(settings.tls_cert, settings.tls_key):
            tls.server_context(pair)

    for names, check in (
        (("camera",), lambda: camera_specs(settings)),
        (("token_file", "token"), lambda: tokens.given(settings)),
        (("readonly_token_file", "readonly_token"), lambda: tokens.given_readonly(settings)),
        (("tls_cert", "tls_key"), files),
    ):
        try:
            check()
        except UsageError as error:
            origin = next((origins[name] for name in names if name in origins), "")
            yield f"{origin}: {error}" if origin else str(error)
    ports: dict[int, str] = {}
    for name in ("rtsp_port", "rtsps_port", "websocket_port", "hls_port", "webrtc_port", "metrics_port"):
        port = getattr(settings, name)
        if port and (other := ports.setdefault(port, name)) != name:
            origin = origins.get(name) or origins.get(other) or "default"
            yield f"{origin}: {other} and {name} are both {port}: give each a port of its own"


def validate() -> int:
    """Says whether the configuration is right; the exit code. Raises UsageError with a line for each thing wrong."""
    path = config_file()
    settings = config.load()
    if wrong := list(_together(settings)):
        raise UsageError("\n".join(wrong))
    for sentence in config.unknown_variables():
        print(f"zlfeed: warning: {sentence}", file=sys.stderr)  # noqa: T201
    said = f"{path} is right" if path.is_file() else f"there is no {path}, and the rest of the configuration is right"
    Console(highlight=False).print(said, soft_wrap=True, markup=False)
    return ExitCode.OK
