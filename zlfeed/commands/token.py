"""`zlfeed token`."""

from __future__ import annotations

import typer

from zlfeed.commands.common import Command, Group, end
from zlfeed.errors import ExitCode

group = typer.Typer(
    name="token", cls=Group, help="This machine's token, which viewers elsewhere need.", no_args_is_help=True
)


@group.command("new", cls=Command)
def token_new() -> None:
    """Makes a new token; the old one lets nobody in once `publish` is started again."""

    def run() -> int:
        from zlfeed import tokens

        token = tokens.renew()
        typer.echo(token.value)
        typer.echo(f"kept in {token.path}; a publisher that runs takes it when it is started again", err=True)
        return ExitCode.OK

    end(run)
