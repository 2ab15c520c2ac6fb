"""A machine with a systemd of its own, made of this one's files: a container by systemd-nspawn. Root only.

Nothing that happens in it reaches this machine: its root is an overlay, which keeps all that is written in memory, and
/dev, /run, /tmp, /proc/sys and the network are its own. That is made sure of before anything boots there.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from zlfeed.pdeath import with_parent

_OVERLAY = r"""
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$1"
mount -t tmpfs -o mode=755 tmpfs /run
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
"""
"""In a mount namespace of its own. $1: a folder; the machine's root is then $1/root."""
_UNITS = r"""
units="$1/root/etc/systemd/system"
rm -rf "$units"; mkdir -p "$units"
for unit in systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-tmpfiles-clean.timer \
    systemd-sysctl.service systemd-udevd.service systemd-udev-trigger.service systemd-journal-flush.service \
    systemd-update-utmp.service systemd-journal-catalog-update.service ldconfig.service systemd-sysusers.service; do
  ln -s /dev/null "$units/$unit"
done
printf '[Unit]\nRequires=systemd-journald.service\nAfter=systemd-journald.service\n' > "$units/small.target"
"""
"""What a whole machine would start is not wanted."""
_SPAWN = r"""
shift
exec env UNIFIED_CGROUP_HIERARCHY=1 systemd-nspawn --quiet --directory="$ROOT" --private-network --register=no \
  --keep-unit --link-journal=no "$@"
"""


class Machine:
    """The container, while it runs."""

    def __init__(self, init: int) -> None:
        self._init = init

    def run(self, *command: str, within_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """A command in there, as root."""
        inside = ["nsenter", "-t", str(self._init), "-m", "-p", "-u", "-i", "-n", "-C", "--"]
        clean = ["/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"]
        return subprocess.run(
            [*inside, *clean, *command], capture_output=True, text=True, timeout=within_s, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def zlfeed(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`zlfeed …` in there."""
        return self.run(sys.executable, "-P", "-m", "zlfeed", *arguments, within_s=120)

    def shown(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", unit, f"--property={name}", "--value").stdout.strip()

    def until(self, unit: str, name: str, wanted: str, within_s: float = 60.0) -> None:
        """Waits for a property's value."""
        deadline = time.monotonic() + within_s
        while (is_now := self.shown(unit, name)) != wanted:
            assert time.monotonic() < deadline, f"{unit}: {name} is {is_now}, not {wanted}"
            time.sleep(0.1)

    def journal(self, *arguments: str) -> str:
        """What journalctl gives for the service."""
        return self.run("journalctl", "--no-pager", "--unit=zlfeed", *arguments).stdout


def open_the_way(folder: str) -> str:
    """A shell line that lets every account of the machine pass to the interpreter, where this one's does not."""
    ways = (Path(sys.executable), Path(sys.executable).resolve())
    return "".join(f'chmod o+x "{folder}/root{parent}"\n' for way in ways for parent in reversed(way.parents))


@contextmanager
def booted() -> Iterator[Machine]:
    """Boots it and takes it away again; skips the test where this machine does not let it be."""
    tree = _cgroups()
    if os.geteuid() != 0 or tree is None:
        pytest.skip("a machine with a systemd of its own wants root and cgroup2")
    if any(Path(sys.executable).is_relative_to(private) for private in ("/tmp", "/var/tmp", "/run", "/dev")):
        pytest.skip(f"a service has a /tmp, /var/tmp, /run and /dev of its own, and does not see {sys.executable}")
    with tempfile.TemporaryDirectory(prefix="zlfeed-machine-", dir="/var/tmp") as folder:
        _try_it(folder)
        own = tree / f"zlfeed-test-{uuid.uuid4().hex[:8]}"
        own.mkdir()
        script = _OVERLAY + _UNITS + open_the_way(folder) + _SPAWN
        words = tempfile.TemporaryFile("w+")  # noqa: SIM115
        spawned = subprocess.Popen(
            with_parent([
                "/bin/sh", "-c", f'echo $$ > "{own}/cgroup.procs"; exec unshare --mount sh -c "$@"', "sh", script, "sh",
                folder, "--boot", "--console=pipe", "systemd.unit=small.target",
            ]),
            env={**os.environ, "ROOT": f"{folder}/root"}, stdin=subprocess.DEVNULL, stdout=words, stderr=words,
        )  # fmt: skip
        try:
            machine = Machine(_init(own, spawned, words.fileno()))
            if machine.run("test", "-x", sys.executable).returncode:
                pytest.skip(f"{sys.executable} is on another file system than the machine's root, which is all it has")
            yield machine
        finally:
            spawned.kill()  # its init goes with it, and with that all else in there
            spawned.wait(20)
            words.close()
            _remove(own)


def _cgroups() -> Path | None:
    """Where the cgroup2 tree is mounted."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2" and os.access(where, os.W_OK):
            return Path(where)
    return None


def _try_it(folder: str) -> None:
    """Whether an overlay can be made, and whether what is removed in it stays out here."""
    canary = Path(tempfile.gettempdir(), f"zlfeed-canary-{uuid.uuid4().hex}")
    canary.touch()
    try:
        inside = f'rm "$1/root{canary}"; test ! -e "$1/root{canary}"'
        tried = subprocess.run(
            ["unshare", "--mount", "sh", "-c", _OVERLAY + inside, "sh", folder],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        if tried.returncode:
            pytest.skip(f"this machine lets no overlay of itself be made: {tried.stderr.strip()}")
        assert canary.exists(), "what happens in the overlay reaches this machine: nothing may boot there"
    finally:
        canary.unlink(missing_ok=True)


def _init(own: Path, spawned: subprocess.Popen[bytes], words: int) -> int:
    """The PID, here, of the machine's own init, once its systemd takes orders."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and spawned.poll() is None:
        with contextlib.suppress(OSError, psutil.Error, ValueError):
            pid = int((own / "payload" / "init.scope" / "cgroup.procs").read_text())
            machine = Machine(pid)
            if machine.run("systemctl", "is-system-running").stdout.strip() == "running":
                return pid
        time.sleep(0.1)
    os.lseek(words, 0, os.SEEK_SET)
    pytest.skip(f"no systemd comes up in a container here: {os.read(words, 4000).decode(errors='replace').strip()}")


def _remove(own: Path) -> None:
    with contextlib.suppress(OSError):
        (own / "cgroup.kill").write_text("1")
    deadline = time.monotonic() + 10
    trees = [own, *Path("/sys/fs/cgroup").glob(f"*/{own.name}")]
    while any(tree.exists() for tree in trees) and time.monotonic() < deadline:
        for tree in trees:
            for folder, _, _ in os.walk(tree, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
        time.sleep(0.05)
