"""Writes docs/options.md and the manual page from the command line; --check: exit 1 when they differ."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts import gen_man
from zlfeed.cli import program

PAGE = Path(__file__).parents[1] / "docs" / "options.md"
BEGIN, END = "<!-- options: made by scripts/gen_options.py -->", "<!-- /options -->"


def tables() -> str:
    """A heading and a table for each command, in the order and the words of --help."""
    group: Any = typer.main.get_command(program())
    return "\n".join(_table(name, command) for name, command in _commands(group) if not command.hidden)


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its whole name, those of groups too."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield before + name, command


def _table(name: str, command: Any) -> str:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    usage = " ".join(["zlfeed", name, *(f"[{param.metavar}]{'…' if param.nargs != 1 else ''}" for param in arguments)])
    lines = [f"\n## `{usage}`\n", command.help.split("\n")[0] + "\n", "| | |", "|---|---|"]
    for param in [*arguments, *(param for param in command.params if param not in arguments and not param.hidden)]:
        said = param.metavar if param in arguments else " ".join(filter(None, (param.opts[0], param.metavar)))
        lines.append(f"| `{_cell(said)}` | {_cell(param.help)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def renewed(page: str) -> str:
    """The page with the tables of now."""
    before, _, rest = page.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        sys.exit(f"{PAGE.name} has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


def main() -> None:
    """Writes docs/options.md and man/zlfeed.1, or checks them."""
    old = PAGE.read_text("utf-8")
    new = renewed(old)
    man = gen_man.page()
    if "--check" in sys.argv:
        same = new == old and gen_man.PAGE.read_text("utf-8") == man
        sys.exit(None if same else "docs/options.md or man/zlfeed.1 differ from --help: run `make options`")
    PAGE.write_text(new, "utf-8")
    gen_man.PAGE.write_text(man, "utf-8")


if __name__ == "__main__":
    main()
