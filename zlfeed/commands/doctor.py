"""`zlfeed doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zlfeed.commands.common import MEDIA, ConfigFile, Json, end, load_settings


def doctor(
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Run the whole chain for some seconds too: a verdict in ms.")
    ] = False,
    ffmpeg_path: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The FFmpeg program to look at.", rich_help_panel=MEDIA)
    ] = None,
    config_file: ConfigFile = None,
    json: Json = False,
) -> None:
    """What this machine has, what it lacks, and the cure: FFmpeg, cameras, ports, display, network …"""

    def run() -> int:
        settings = load_settings(config_file, ffmpeg_path=ffmpeg_path)
        from zlfeed.doctor.app import run as doctor_run

        return doctor_run(settings, with_self_test=self_test, as_json=json)

    end(run)
