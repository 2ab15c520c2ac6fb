"""`zlfeed mediamtx`."""

from __future__ import annotations

from typing import Annotated

import typer

from zlfeed.commands.common import Command, ConfigFile, Group, end, load_settings

group = typer.Typer(name="mediamtx", cls=Group, help="MediaMTX, which gives browsers the stream.", no_args_is_help=True)


@group.command(cls=Command)
def install(
    version: Annotated[
        str | None, typer.Option("--version", metavar="V", help="Default: the version this zlfeed is tested with.")
    ] = None,
    config_file: ConfigFile = None,
) -> None:
    """Fetch MediaMTX's official release for this machine, check it, and put it where publish finds it."""

    def run() -> int:
        settings = load_settings(config_file)
        from zlfeed.publisher.mediamtx.install import run as install_run

        return install_run(version, settings.mediamtx_base_url)

    end(run)
