"""systemctl: the few things that are asked of it, and its answers in our words."""

from __future__ import annotations

import shutil
import subprocess

from zlfeed.errors import StartError

_S = 120.0


class Manager:
    """The system's service manager, or the user's."""

    def __init__(self, *, user: bool) -> None:
        self._scope = ("--user",) if user else ()

    def command(self, *words: str) -> list[str]:
        """The command line."""
        return ["systemctl", *self._scope, *words]

    def run(self, *words: str) -> str:
        """Runs it; what it said on stdout. Raises StartError with what it said on stderr."""
        code, out, err = self._run(*words)
        if code:
            last = (err or out).strip().splitlines()
            said = last[-1] if last else f"exit code {code}"
            if self._scope and "Failed to connect to bus" in said:
                said = "you have no service manager here, for su and sudo bring none: log in, or leave --user out"
            raise StartError(f"`{' '.join(self.command(*words))}` failed: {said}")
        return out

    def properties(self, unit: str, *names: str) -> dict[str, str]:
        """Properties of a unit, as `systemctl show` gives them. Raises StartError."""
        out = self.run("show", unit, *(f"--property={name}" for name in names))
        return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)

    def why_not(self, unit: str) -> str:
        """What a unit that did not start said in the end; empty when nobody can tell."""
        main = self.properties(unit, "ExecMainPID").get("ExecMainPID", "0")
        command = ["journalctl", *self._scope, "--no-pager", "--output=cat", "--lines=20", f"_PID={main}"]
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace", timeout=_S)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return next((words for line in reversed(done.stdout.splitlines()) if (words := line.strip(" │╭╮╰╯─"))), "")

    def _run(self, *words: str) -> tuple[int, str, str]:
        command = self.command(*words)
        if shutil.which(command[0]) is None:
            raise StartError("there is no systemctl here: this machine does not run systemd")
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace", timeout=_S)
        except subprocess.TimeoutExpired:
            raise StartError(f"`{' '.join(command)}` did not end within {_S:g} s") from None
        except OSError as error:
            raise StartError(f"systemctl cannot be run: {error.strerror}") from None
        return done.returncode, done.stdout, done.stderr
