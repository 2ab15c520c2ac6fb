"""`zlfeed tls`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zlfeed.commands.common import Command, ConfigFile, Group, end, load_settings
from zlfeed.errors import ExitCode

group = typer.Typer(
    name="tls", cls=Group, help="This machine's certificate, for wss://, rtsps:// and https://.", no_args_is_help=True
)


@group.command("init", cls=Command)
def tls_init(
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="Another name or address that it is to be for; may be given again."),
    ] = None,
    days: Annotated[int, typer.Option(metavar="N", min=1, max=3650, help="How long it is valid.")] = 820,
    force: Annotated[bool, typer.Option("--force", help="Make a new pair in place of the one that is there.")] = False,
    config_file: ConfigFile = None,
) -> None:
    """Makes a key and a certificate that this machine signs itself, and shows its fingerprint."""

    def run() -> int:
        from zlfeed import certificates

        settings = load_settings(config_file)
        files = certificates.default_pair()
        certificates.make(files, certificates.names(settings, name or []), days=days, replace=force)
        for line in certificates.describe(files):
            typer.echo(line)
        typer.echo(f"publish with --tls-cert {files.cert} --tls-key {files.key}", err=True)
        typer.echo("receive and monitor elsewhere with --fingerprint and the SHA-256 above", err=True)
        return ExitCode.OK

    end(run)


@group.command("show", cls=Command)
def tls_show(
    cert: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Default: that of --tls-cert, else the one that `init` made."),
    ] = None,
    config_file: ConfigFile = None,
) -> None:
    """A certificate's fingerprint, names and last day."""

    def run() -> int:
        from zlfeed import certificates
        from zlfeed.tls import Pair

        named = cert or load_settings(config_file).tls_cert
        files = certificates.default_pair()
        for line in certificates.describe(Pair(named, Path("–")) if named else files):
            if not (named and line.startswith("key ")):
                typer.echo(line)
        return ExitCode.OK

    end(run)
