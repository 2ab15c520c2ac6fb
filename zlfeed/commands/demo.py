"""`zlfeed demo`."""

from __future__ import annotations

from typing import Annotated

import typer

from zlfeed.commands.common import MEDIA, ConfigFile, Duration, Json, LogFormat, end, load_settings


def demo(
    display: Annotated[bool, typer.Option("--display", help="Open the window too.", rich_help_panel=MEDIA)] = False,
    headless: Annotated[
        bool, typer.Option("--headless", help="No monitor: figures only.", rich_help_panel=MEDIA)
    ] = False,
    camera: Annotated[
        str | None, typer.Option(metavar="SRC", help="Default: the test picture.", rich_help_panel=MEDIA)
    ] = None,
    duration: Duration = None,
    json: Json = False,
    config_file: ConfigFile = None,
    log_format: LogFormat = None,
) -> None:
    """Everything on this machine: test picture → relay → receiver, in the monitor."""

    def run() -> int:
        settings = load_settings(
            config_file, camera=None if camera is None else [camera], duration=duration, log_format=log_format
        )
        from zlfeed.demo import run as demo_run

        return demo_run(
            settings, camera="test" if camera is None else camera, display=display, headless=headless, as_json=json
        )

    end(run)
