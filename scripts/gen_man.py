"""The manual page, from the command line itself: man/zlfeed.1, which the wheel installs under share/man."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer

from zlfeed import __version__
from zlfeed.cli import program
from zlfeed.errors import ExitCode

PAGE = Path(__file__).parents[1] / "man" / "zlfeed.1"
_ENDS = {
    ExitCode.OK: "It did what was asked.",
    ExitCode.FAILURE: "Something failed meanwhile.",
    ExitCode.USAGE: "A wrong option, value or configuration.",
    ExitCode.NOT_STARTED: "It could not start or connect.",
    ExitCode.GAVE_UP: "It gave up, where an option set a limit.",
    ExitCode.SIGINT: "Ended by Ctrl-C (SIGINT).",
    ExitCode.SIGTERM: "Ended by SIGTERM.",
}


def roff(text: str) -> str:
    """Text as man(7) wants it: nothing of it is a request, hyphens in options are minus signs."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("\n", " ")
    return re.sub(r"^([.'])", r"\\&\1", text)


def page() -> str:
    """The whole page."""
    group: Any = typer.main.get_command(program())
    lines = [
        '.\\" Made by scripts/gen_man.py from the command line; do not edit.',
        f'.TH ZLFEED 1 "" "zlfeed {__version__}" "User Commands"',
        ".SH NAME",
        "zlfeed \\- a camera's picture in single\\-digit milliseconds, with the proof",
        ".SH SYNOPSIS",
        ".B zlfeed",
        ".I COMMAND",
        ".RI [ OPTIONS ]",
        ".SH DESCRIPTION",
        roff(group.help or ""),
        ".SH COMMANDS",
    ]
    for name, command in _commands(group):
        lines += _command(name, command)
    lines += [".SH EXIT STATUS"]
    for code, words in _ENDS.items():
        lines += [".TP", f".B {int(code)}", roff(words)]
    lines += [
        ".SH ENVIRONMENT",
        "Each option of publish, receive and monitor can be said as ZLFEED_ and its name in capitals, in the",
        "environment or in a file .env; PI_VPN_IP, WINDOWS_VPN_IP, RTSP_PORT, WEBSOCKET_PORT, HLS_PORT,",
        "WEBRTC_PORT, STREAM_NAME and CONNECTION_TIMEOUT count too.",
        ".SH FILES",
        ".TP",
        ".I zlfeed.toml",
        "The settings: here, in the user's configuration folder, or as \\-\\-config says.",
        ".B zlfeed config show",
        "tells where each value was said.",
        ".TP",
        ".I ~/.local/state/zlfeed/token",
        "This machine's token.",
    ]
    return "\n".join(lines) + "\n"


def _commands(group: Any, before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found += _commands(command, f"{before}{name} ")
        elif not command.hidden:
            found.append((before + name, command))
    return found


def _command(name: str, command: Any) -> list[str]:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param not in arguments and not param.hidden]
    words = " ".join(f"[{param.metavar}]{'...' if param.nargs != 1 else ''}" for param in arguments)
    title = " ".join(filter(None, ("zlfeed", name, words)))
    lines = [f'.SS "{roff(title)}"', roff((command.help or "").split("\n")[0])]
    for param in arguments:
        lines += [".TP", f".I {roff(param.metavar)}", roff(param.help or "")]
    for param in options:
        value = f" \\fI{roff(param.metavar)}\\fR" if param.metavar else ""
        lines += [".TP", f"\\fB{roff(param.opts[0])}\\fR{value}", roff(param.help or "")]
    return lines
