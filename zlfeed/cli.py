"""The command line (design 4.1). Each command imports what it needs when it runs, so that --help is quick."""

from __future__ import annotations

import importlib
import io
import sys
from typing import Annotated

import typer

from zlfeed.commands.common import Command, Group

COMMANDS = ("publish", "receive", "monitor", "cameras", "demo", "bench", "doctor")
GROUPS = ("config", "token", "mediamtx", "service", "tls")
"""In the order of --help; each has a module of its name in zlfeed.commands."""


def _version(asked: bool) -> None:
    if asked:
        from zlfeed.versions import lines

        for line in lines():
            typer.echo(line)
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the versions of what matters."),
    ] = False,
) -> None:
    """zlfeed"""


def program(only: str = "") -> typer.Typer:
    """The program with all its commands; with the one alone that `only` names, if it names one.

    Typer takes the options of every command apart before it runs any of them.
    """
    app = typer.Typer(
        name="zlfeed",
        cls=Group,
        help="A camera's picture from a headless Raspberry Pi to a screen in single-digit milliseconds, "
        "with the proof.",
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Exit codes: 0 ok, 1 failure, 2 usage or configuration, 3 could not start or connect, 4 gave up, "
        "130, 143.",
    )
    app.callback()(_root)
    names = (only,) if only in (*COMMANDS, *GROUPS) else (*COMMANDS, *GROUPS)
    for name in names:
        module = importlib.import_module(f"zlfeed.commands.{name}")
        if name in GROUPS:
            app.add_typer(module.group)
        else:
            app.command(cls=Command)(getattr(module, name))
    return app


def main() -> None:
    """The program's entry point."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Where a sign has no place in the encoding (LC_ALL=C, a Windows code page), "?" must do.
        sys.stdout.reconfigure(errors="replace")
    program(sys.argv[1] if len(sys.argv) > 1 else "")()
