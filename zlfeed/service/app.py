"""`zlfeed service install|status|uninstall`."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from zlfeed.errors import ExitCode, StartError, UsageError
from zlfeed.service import trial, unit
from zlfeed.service.manager import Manager

SYSTEM_UNITS = Path("/etc/systemd/system")
_SECRETS = ("--token", "--readonly-token")


def path_of(name: str, *, user: bool) -> Path:
    """The unit's file. Raises UsageError when the name is none."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,60}", name):
        raise UsageError(f"--name {name!r}: a service's name is letters, digits, '.', '_' and '-'")
    folder = platformdirs.user_config_path() / "systemd" / "user" if user else SYSTEM_UNITS
    return folder / f"{name}.service"


def install(
    *, name: str, user: bool, dry_run: bool, config: Path | None, run_as: str | None, options: Sequence[str]
) -> int:
    """Writes the unit, enables and starts it; with `dry_run` only shows what would be done."""
    if secret := next((word for word in options if word.partition("=")[0] in _SECRETS), None):
        raise UsageError(
            f"{secret.partition('=')[0]} in a unit can be read by everyone: use {secret.partition('=')[0]}-file"
        )
    path = path_of(name, user=user)
    wish = _wish(user=user, config=config, run_as=run_as, options=options)
    text, manager = unit.text(wish), Manager(user=user)
    steps = [("daemon-reload",), ("enable", path.name), ("restart", path.name)]
    if dry_run:
        sys.stdout.write(text)
        _say(f"this would be {path}, and then:")
        for step in steps:
            _say("  " + " ".join(manager.command(*step)))
        return ExitCode.OK
    if not user and sys.platform != "win32" and os.geteuid() == 0:
        trial.run(wish.program, wish.account)
    _write(path, text, wish)
    for step in steps:
        try:
            manager.run(*step)
        except StartError as error:
            why = manager.why_not(path.name) if step[0] == "restart" else ""
            raise StartError(f"{path} is written, but {f'it says: {why}' if why else error}") from None
    print(f"{path.name} runs, and starts with {'your session' if user else 'the machine'}")  # noqa: T201
    scope = "--user " if user else ""
    print(f"its log: journalctl {scope}-u {name}; its state: zlfeed service status{' --user' if user else ''}")  # noqa: T201
    if user:
        print("to run without you logged in: loginctl enable-linger")  # noqa: T201
    return ExitCode.OK


def _wish(*, user: bool, config: Path | None, run_as: str | None, options: Sequence[str]) -> unit.Wish:
    # -P: nothing of the folder it runs in is imported.
    program = (sys.executable, "-P", "-m", "zlfeed")
    config = config.absolute() if config else None
    if user:
        if run_as:
            raise UsageError("--run-as is for a service of the machine; with --user it runs as you")
        return unit.Wish(program, True, options, config)
    account = run_as or os.environ.get("SUDO_USER")
    if account in (None, "root"):
        return unit.Wish(program, False, options, config, groups=_groups())
    state = _home(str(account)) / ".local" / "state" / "zlfeed"
    return unit.Wish(program, False, options, config, account, state, _groups())


def _groups() -> list[str]:
    """Who may open cameras and hardware encoders here; systemd refuses a unit that names others."""
    import grp

    known = {group.gr_name for group in grp.getgrall()}
    return [name for name in ("video", "render") if name in known]


def _home(account: str) -> Path:
    import pwd

    try:
        return Path(pwd.getpwnam(account).pw_dir)
    except KeyError:
        raise UsageError(f"there is no user {account!r} on this machine: --run-as takes one there is") from None


def _write(path: Path, text: str, wish: unit.Wish) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if wish.state is not None and not wish.state.exists():
            _make_for(str(wish.account), wish.state)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(text, "utf-8")
        draft.chmod(0o644)
        draft.replace(path)
    except OSError as error:
        cure = "" if wish.user else "; use sudo, or --user for a service of your own"
        raise StartError(f"{path} cannot be written: {os.strerror(error.errno or 0)}{cure}") from None


def _make_for(account: str, folder: Path) -> None:
    """Makes the state folder, each new part of it the account's: a service may write there only if it is there."""
    import pwd

    found = pwd.getpwnam(account)
    for part in (*reversed(folder.parents), folder):
        if not part.exists():
            part.mkdir(mode=0o700)
            os.chown(part, found.pw_uid, found.pw_gid)


def uninstall(*, name: str, user: bool) -> int:
    """Stops and disables the service and takes its unit away."""
    path, manager = path_of(name, user=user), Manager(user=user)
    if not path.exists():
        raise UsageError(f"there is no service {name}: no {path}")
    try:
        manager.run("disable", "--now", path.name)
    except StartError as error:
        _say(f"warning: {error}")  # what does not run need not be stopped
    try:
        path.unlink()
    except OSError as error:
        raise StartError(f"{path} cannot be removed: {os.strerror(error.errno or 0)}; use sudo") from None
    try:
        manager.run("daemon-reload")
    except StartError as error:
        _say(f"warning: {error}")
    print(f"{path} is gone; the token and what was set stay in the state folder")  # noqa: T201
    return ExitCode.OK


def status(*, name: str, user: bool, as_json: bool) -> int:
    """Whether it is installed, enabled, running and ready; exit code 0 only when it runs."""
    path = path_of(name, user=user)
    if not path.exists():
        raise StartError(f"there is no service {name}: no {path}; `zlfeed service install` makes one")
    names = ("ActiveState", "SubState", "UnitFileState", "StatusText", "NRestarts", "MainPID", "Result")
    found = Manager(user=user).properties(path.name, *names)
    running = found.get("ActiveState") in ("active", "reloading")
    if as_json:
        line = {
            "type": "service",
            "unit": str(path),
            "running": running,
            **{key: found.get(key) or None for key in names},
        }
        print(json.dumps(line, ensure_ascii=False))  # noqa: T201
    else:
        state = f"{found.get('ActiveState')} ({found.get('SubState')}), {found.get('UnitFileState')}"
        print(f"{path.name}: {state}, PID {found.get('MainPID')}, started again {found.get('NRestarts')} times")  # noqa: T201
        if found.get("StatusText"):
            print(found["StatusText"])  # noqa: T201
    return ExitCode.OK if running else ExitCode.NOT_STARTED


def _say(words: str) -> None:
    print(words, file=sys.stderr)  # noqa: T201
