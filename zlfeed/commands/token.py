"""`zlfeed token`."""

from __future__ import annotations

from typing import Annotated

import typer

from zlfeed.commands.common import Command, ConfigFile, Group, end, load_settings
from zlfeed.errors import ExitCode

group = typer.Typer(
    name="token", cls=Group, help="This machine's tokens, which viewers elsewhere need.", no_args_is_help=True
)


@group.command("new", cls=Command)
def token_new(
    readonly: Annotated[
        bool, typer.Option("--readonly", help="The second token, whose bearer may look and not set anything.")
    ] = False,
    config_file: ConfigFile = None,
) -> None:
    """Makes a new token, in the token file that is configured, else in the state folder. A publisher takes it when it
    is reloaded or started again; then the old one lets nobody in."""

    def run() -> int:
        from zlfeed import tokens

        token = tokens.renew(load_settings(config_file), readonly=readonly)
        typer.echo(token.value)
        typer.echo(
            f"kept in {token.path}; a publisher that runs takes it when it is reloaded (SIGHUP, systemctl reload)",
            err=True,
        )
        return ExitCode.OK

    end(run)
