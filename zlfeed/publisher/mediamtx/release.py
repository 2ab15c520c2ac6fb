"""What an official MediaMTX release is made of: versions, archives' names, checksums; no I/O."""

from __future__ import annotations

import re

from zlfeed.errors import StartError, UsageError
from zlfeed.publisher.mediamtx.locate import MINIMUM

VERSION = "v1.20.1"
"""What is installed when no other is asked for: the version that the tests run with."""
BASE_URL = "https://github.com/bluenviron/mediamtx/releases/download"
"""Where releases are; below it each version has a folder of its own."""
CHECKSUMS = "checksums.sha256"

_SYSTEMS = {"linux": "linux", "darwin": "darwin", "win32": "windows"}
_MACHINES = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "armv8l": "armv7",  # a 32-bit system on a 64-bit processor
    "armv7l": "armv7",
    "armv6l": "armv6",
}
_BUILT = {
    *(f"linux_{machine}" for machine in ("amd64", "arm64", "armv7", "armv6")),
    *(f"darwin_{machine}" for machine in ("amd64", "arm64")),
    "windows_amd64",
}


def version_name(text: str) -> str:
    """`v1.20.1` for `1.20.1` and `v1.20.1`. Raises UsageError for what is none, or too old to be used."""
    match = re.fullmatch(r"v?((\d{1,4})\.(\d{1,4})\.\d{1,4}(?:-[A-Za-z0-9.]{1,20})?)", text.strip())
    if not match:
        raise UsageError(f"--version: a version looks like {VERSION}, not {text!r}")
    if (int(match[2]), int(match[3])) < MINIMUM:
        wanted = ".".join(map(str, MINIMUM))
        raise UsageError(f"--version: MediaMTX {text.strip()} is too old for zlfeed, which needs {wanted} or newer")
    return f"v{match[1]}"


def platform_name(system: str, machine: str, *, wide: bool = True) -> str:
    """`linux_arm64` and such for sys.platform and platform.machine(); `wide`: this Python has 64 bits.

    Raises StartError for a machine that no release is built for.
    """
    name = _MACHINES.get(machine.lower(), machine.lower())
    if name == "arm64" and not wide:
        name = "armv7"  # a 32-bit system under a 64-bit kernel, as on many a Raspberry Pi
    found = f"{_SYSTEMS.get(system, system)}_{name}"
    if found not in _BUILT:
        raise StartError(
            f"there is no official MediaMTX for this machine ({system}, {machine}): build it from source and name it "
            "with --mediamtx-path"
        )
    return found


def archive_name(version: str, platform: str) -> str:
    """The archive's file name; Windows has zip, all others tar.gz."""
    return f"mediamtx_{version}_{platform}.{'zip' if platform.startswith('windows') else 'tar.gz'}"


def program_name(platform: str) -> str:
    """The program's name in the archive and on disk."""
    return "mediamtx.exe" if platform.startswith("windows") else "mediamtx"


def checksum_of(name: str, listing: str) -> str | None:
    """The SHA-256 (hexadecimal) that a listing as sha256sum writes it has for a file; None when it has none."""
    for line in listing.splitlines():
        match = re.fullmatch(r"([0-9A-Fa-f]{64}) [ *](\S+)\s*", line)
        if match and match[2] == name:
            return match[1].lower()
    return None
