"""`zlfeed config`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zlfeed.commands.common import Command, ConfigFile, Group, Json, end, use_config

group = typer.Typer(
    name="config", cls=Group, help="The settings: which are in force, and where they were said.", no_args_is_help=True
)


@group.command("show", cls=Command)
def config_show(config_file: ConfigFile = None, json: Json = False) -> None:
    """Every setting with its value and where it was said; secrets are hidden."""

    def run() -> int:
        from zlfeed.config_command import show

        use_config(config_file)
        return show(as_json=json)

    end(run)


@group.command("validate", cls=Command)
def config_validate(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Default: the file that would be used.")] = None,
    config_file: ConfigFile = None,
) -> None:
    """Whether the configuration is right; else file, line, key and the nearest right name."""

    def run() -> int:
        from zlfeed.config_command import validate

        use_config(file or config_file)
        return validate()

    end(run)
