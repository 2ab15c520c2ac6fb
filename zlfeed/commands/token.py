"""`zlfeed token`."""

from __future__ import annotations

from typing import Annotated

import typer

from zlfeed.commands.common import Command, Group, end
from zlfeed.errors import ExitCode

group = typer.Typer(
    name="token", cls=Group, help="This machine's tokens, which viewers elsewhere need.", no_args_is_help=True
)


@group.command("new", cls=Command)
def token_new(
    readonly: Annotated[
        bool, typer.Option("--readonly", help="The second token, whose bearer may look and not set anything.")
    ] = False,
) -> None:
    """Makes a new token. A publisher takes it when it is reloaded or started again; then the old one lets nobody in."""

    def run() -> int:
        from zlfeed import tokens

        token = tokens.renew(readonly=readonly)
        typer.echo(token.value)
        typer.echo(
            f"kept in {token.path}; a publisher that runs takes it when it is reloaded (SIGHUP, systemctl reload)",
            err=True,
        )
        return ExitCode.OK

    end(run)
