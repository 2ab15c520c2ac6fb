"""`zlfeed config`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zlfeed.commands.common import Command, Group, Json, end

group = typer.Typer(
    name="config", cls=Group, help="The settings: which are in force, and where they were said.", no_args_is_help=True
)


@group.command("show", cls=Command)
def config_show(json: Json = False) -> None:
    """Every setting with its value and where it was said; secrets are hidden."""

    def run() -> int:
        from zlfeed.config_command import show

        return show(as_json=json)

    end(run)


@group.command("validate", cls=Command)
def config_validate(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Default: the file that would be used.")] = None,
) -> None:
    """Whether the configuration is right; else file, line, key and the nearest right name."""

    def run() -> int:
        from zlfeed.config_command import validate

        return validate(file)

    end(run)
