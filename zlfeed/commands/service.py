"""`zlfeed service`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from zlfeed.commands.common import Command, ConfigFile, Group, Json, end, load_settings
from zlfeed.commands.publish import publish

group = typer.Typer(
    name="service", cls=Group, help="The publisher as a systemd service of this machine.", no_args_is_help=True
)

User = Annotated[bool, typer.Option("--user", help="A service of yours, without root, instead of the machine's.")]
Name = Annotated[str, typer.Option("--name", metavar="NAME", help="The service's name; default zlfeed.")]


def _check(options: Sequence[str], config_file: Path | None) -> None:
    """What is wrong with the options or the configuration is said now, not in a log at midnight."""
    from zlfeed.config import Settings

    alone = typer.Typer()
    alone.command(cls=Command)(publish)
    given = typer.main.get_command(alone).make_context("zlfeed publish", list(options)).params
    flags = {name: given[name] or None for name in Settings.model_fields if name in given}
    load_settings(config_file or given["config_file"], **flags)


@group.command("install", cls=Command)
def service_install(
    options: Annotated[
        list[str] | None, typer.Argument(metavar="-- PUBLISH OPTIONS", help="What publish is to be started with.")
    ] = None,
    user: User = False,
    name: Name = "zlfeed",
    run_as: Annotated[
        str | None,
        typer.Option(metavar="USER", help="As whom; default: who called sudo, else an account made up for it."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the unit; change nothing.")] = False,
    config_file: ConfigFile = None,
) -> None:
    """Writes the unit, and starts it now and with the machine: watched over, restarted, locked in."""

    def run() -> int:
        _check(options or [], config_file)
        from zlfeed.service.app import install

        return install(name=name, user=user, dry_run=dry_run, config=config_file, run_as=run_as, options=options or [])

    end(run)


@group.command("uninstall", cls=Command)
def service_uninstall(user: User = False, name: Name = "zlfeed") -> None:
    """Stops it and takes the unit away."""

    def run() -> int:
        from zlfeed.service.app import uninstall

        return uninstall(name=name, user=user)

    end(run)


@group.command("status", cls=Command)
def service_status(user: User = False, name: Name = "zlfeed", json: Json = False) -> None:
    """Whether it runs, and what it says of its cameras; exit code 3 when it does not run."""

    def run() -> int:
        from zlfeed.service.app import status

        return status(name=name, user=user, as_json=json)

    end(run)
