"""The systemd unit of a publisher. Pure: text from what is wanted (systemd.service(5), systemd.exec(5))."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

WATCHDOG_S = 20
"""Longer than a camera or an encoder needs to come back by itself: those are our own supervisor's."""
START_S = 90
STOP_S = 10
NAME = "zlfeed"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the service is to be. `account` None: one that systemd makes up for it (DynamicUser)."""

    program: Sequence[str]
    user: bool
    options: Sequence[str] = ()
    config: Path | None = None
    account: str | None = None
    state: Path | None = None
    """The account's state folder, which the token is kept in; system services see nothing else of it writable."""
    groups: Sequence[str] = ()
    """Those of this machine that may open cameras and hardware encoders."""


def quoted(word: str) -> str:
    """A word of a command line as ExecStart= wants it: specifiers and variables are taken literally."""
    word = word.replace("%", "%%").replace("$", "$$")
    if word and not re.search(r"[\s\"'\\;]", word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def text(wish: Wish) -> str:
    """The unit file."""
    command = [*wish.program, "publish", "--wait-camera"]
    if wish.config is not None:
        command += ["--config", str(wish.config)]
    command += wish.options
    lines = [
        "# Written by `zlfeed service install`, which overwrites it; your own lines: `systemctl edit`.",
        "[Unit]",
        "Description=zlfeed publishes this machine's camera",
        *([] if wish.user else ["Wants=network-online.target", "After=network-online.target"]),
        "# It is tried for ever: a camera that is plugged in next week is published next week.",
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "# Ready means that the first frame can be watched.",
        "Type=notify",
        f"ExecStart={' '.join(quoted(word) for word in command)}",
        "ExecReload=/bin/kill -HUP $MAINPID",
        f"WatchdogSec={WATCHDOG_S}",
        "SyslogIdentifier=%N",
        "# The core of a process that handles a token is kept nowhere.",
        "LimitCORE=0",
        "Restart=always",
        "RestartSec=2",
        "# A wrong option or configuration does not become right by trying again.",
        "RestartPreventExitStatus=2",
        "SuccessExitStatus=143",
        f"TimeoutStartSec={START_S}",
        f"TimeoutStopSec={STOP_S}",
        "KillMode=mixed",
        *_account(wish),
        "",
        *_hardening(wish),
        "",
        "[Install]",
        f"WantedBy={'default.target' if wish.user else 'multi-user.target'}",
    ]
    return "\n".join(lines) + "\n"


def _path(path: Path) -> str:
    return str(path).replace("%", "%%")


def _account(wish: Wish) -> list[str]:
    if wish.user:
        return []
    groups = [f"SupplementaryGroups={' '.join(wish.groups)}"] if wish.groups else []
    if wish.account is None:
        return [
            "DynamicUser=yes",
            *groups,
            f"StateDirectory={NAME}",
            "Environment=XDG_STATE_HOME=/var/lib HOME=/var/lib/" + NAME,
        ]
    return [f"User={wish.account}", *groups]


def _hardening(wish: Wish) -> list[str]:
    """What it cannot do: cameras, ports, children and the state folder stay in reach.

    Not ProtectClock=, which takes every device away too (it brings a DeviceAllow= of its own); setting the clock wants
    a capability that is not in the set.
    """
    everywhere = [
        "NoNewPrivileges=yes",
        "LockPersonality=yes",
        "RestrictSUIDSGID=yes",
        "RestrictNamespaces=yes",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
        "SystemCallErrorNumber=EPERM",
        "UMask=0077",
    ]
    if wish.user:
        return everywhere
    return [
        *everywhere,
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        *([f"ReadWritePaths=-{_path(wish.state)}"] if wish.state else []),
        "PrivateTmp=yes",
        "ProtectHostname=yes",
        "ProtectKernelLogs=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelTunables=yes",
        "ProtectControlGroups=yes",
    ]
