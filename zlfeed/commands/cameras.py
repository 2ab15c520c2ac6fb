"""`zlfeed cameras`."""

from __future__ import annotations

from typing import Annotated

import typer

from zlfeed.commands.common import ConfigFile, Json, end, load_settings


def cameras(
    reset: Annotated[
        str | None,
        typer.Option(
            metavar="SRC", help="Put this camera's controls back to its defaults, and forget what was set on it."
        ),
    ] = None,
    config_file: ConfigFile = None,
    json: Json = False,
) -> None:
    """The cameras of this machine: names, sizes, rates, pixel formats, controls, and who holds them."""

    def run() -> int:
        from zlfeed.cameras import run as list_cameras

        load_settings(config_file)
        return list_cameras(as_json=json, reset=reset)

    end(run)
