"""The command line (design 4.1). Each command imports what it needs when it runs, so that --help is quick."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from zlfeed.commands import (
    bench,
    cameras,
    config,
    demo,
    doctor,
    mediamtx,
    monitor,
    publish,
    receive,
    service,
    tls,
    token,
)
from zlfeed.commands.common import Command, Group

app = typer.Typer(
    name="zlfeed",
    cls=Group,
    help="A camera's picture from a headless Raspberry Pi to a screen in single-digit milliseconds, with the proof.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 ok, 1 failure, 2 usage or configuration, 3 could not start or connect, 4 gave up, 130, 143.",
)


def _version(asked: bool) -> None:
    if asked:
        from zlfeed.versions import lines

        for line in lines():
            typer.echo(line)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the versions of what matters."),
    ] = False,
) -> None:
    """zlfeed"""


for _command in (
    publish.publish,
    receive.receive,
    monitor.monitor,
    cameras.cameras,
    demo.demo,
    bench.bench,
    doctor.doctor,
):
    app.command(cls=Command)(_command)
for _group in (config, token, mediamtx, service, tls):
    app.add_typer(_group.group)


def main() -> None:
    """The program's entry point."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Where a sign has no place in the encoding (LC_ALL=C, a Windows code page), "?" must do.
        sys.stdout.reconfigure(errors="replace")
    app()
