"""What the commands share: options, settings, and the way to an exit code."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from zlfeed import startup
from zlfeed.errors import ExitCode, ZlfeedError


class _PlainFlags:
    """--help without Typer's <bool> behind a flag, which looks as if a value were wanted."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, as Typer has them."""
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if getattr(param, "is_flag", False) and param.metavar is None:
                param.metavar = ""
        return params


class Command(_PlainFlags, TyperCommand):
    """A command."""


class Group(_PlainFlags, TyperGroup):
    """The commands together."""


MEDIA, NETWORK, ACCESS, OUTPUT = "Picture", "Network", "Access", "Output"

Duration = Annotated[
    float | None,
    typer.Option("--duration", metavar="SECONDS", help="End by itself after this long.", rich_help_panel=OUTPUT),
]
Json = Annotated[bool, typer.Option("--json", help="JSON lines on stdout.", rich_help_panel=OUTPUT)]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The configuration file; default: zlfeed.toml here, else in the user's configuration folder.",
    ),
]
LogFormat = Annotated[
    str | None,
    typer.Option(
        "--log-format",
        metavar="auto|text|json",
        help="Logs on stderr: text on a terminal, else JSON.",
        rich_help_panel=OUTPUT,
    ),
]
LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log-file",
        metavar="FILE",
        help="Logs into a file too: JSON lines, rotated at 10 MB, five older ones are kept.",
        rich_help_panel=OUTPUT,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", help="A file that holds the token.", rich_help_panel=ACCESS),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="TOKEN",
        help="The token itself; others on this machine can see it in the process list.",
        rich_help_panel=ACCESS,
    ),
]


ReadonlyTokenFile = Annotated[
    Path | None,
    typer.Option(
        "--readonly-token-file",
        metavar="FILE",
        help="A file that holds a second token, whose bearer may look and not set anything.",
        rich_help_panel=ACCESS,
    ),
]
ReadonlyToken = Annotated[
    str | None,
    typer.Option(
        "--readonly-token",
        metavar="TOKEN",
        help="That token itself; others on this machine can see it in the process list.",
        rich_help_panel=ACCESS,
    ),
]


Fingerprint = Annotated[
    list[str] | None,
    typer.Option(
        "--fingerprint",
        metavar="SHA256",
        help="With TLS: the publisher's certificate, as it shows it; may be given again. "
        "Default: what the system trusts.",
        rich_help_panel=ACCESS,
    ),
]


def end(command: Callable[[], int]) -> None:
    """Runs a command to its exit code; our own errors become one line on stderr."""
    from zlfeed.logs import scrub

    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # from here on it has its own exit code
    try:
        code = command()
    except ZlfeedError as error:
        for line in str(error).splitlines():
            typer.echo(f"zlfeed: {scrub(line)}", err=True)
        code = error.exit_code
    except KeyboardInterrupt:
        code = ExitCode.SIGINT
    raise typer.Exit(int(code))


def use_config(file: Path | None) -> None:
    """From now on that file is the configuration, for the commands that this one starts too."""
    if file is not None:
        os.environ["ZLFEED_CONFIG"] = str(file)


def load_settings(config_file: Path | None = None, **flags: Any) -> Any:
    """The settings, with logging set up as they say."""
    from zlfeed import config, logs

    use_config(config_file)
    settings = config.load(**flags)
    logs.setup(
        settings.log_format, settings.log_level,
        file=settings.log_file, size=settings.log_file_size, count=settings.log_file_count,
    )  # fmt: skip
    for sentence in config.unknown_variables():
        logs.get(__name__).warning("unknown_variable", text=sentence)
    if "@" in (flags.get("server") or ""):
        logs.get(__name__).warning(
            "password_visible", meaning="others on this machine can see --server in the process list; "
            "ZLFEED_SERVER or zlfeed.toml are safer"
        )  # fmt: skip
    for option in ("--token", "--readonly-token"):
        if flags.get(option[2:].replace("-", "_")):
            logs.get(__name__).warning(
                "token_visible",
                meaning=f"others on this machine can see {option} in the process list; {option}-file is safer",
            )
    startup.loaded()
    return settings
