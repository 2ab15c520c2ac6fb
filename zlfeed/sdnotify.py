"""What a service says to systemd: sd_notify(3) over its datagram socket. Never raises, never blocks."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping

_LIMIT = 4096


class Notifier:
    """The service manager's socket, when there is one (NOTIFY_SOCKET); else everything said goes nowhere."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self.watchdog_s = _watchdog_s(environment) if self._address else None
        """The manager ends a service that has not said watchdog() for this long; None: it does not watch."""
        self._socket: socket.socket | None = None

    @property
    def active(self) -> bool:
        """Whether anybody listens."""
        return self._address is not None

    def ready(self, status: str) -> None:
        """The service does what it is for, or does so again after a reload."""
        self._send("READY=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        """A line for `systemctl status`."""
        self._send(f"STATUS={status}")

    def watchdog(self, status: str) -> None:
        """The service is alive."""
        self._send("WATCHDOG=1", f"STATUS={status}")

    def reloading(self) -> None:
        """The configuration is read again; ready() says when that is done."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The service ends."""
        self._send("STOPPING=1", "STATUS=ending")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        message = "\n".join(line.replace("\n", " ") for line in lines).encode(errors="replace")[:_LIMIT]
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
                self._socket.setblocking(False)
            self._socket.sendto(message, self._address)
        except OSError:
            return  # a manager that is gone, or whose queue is full: the next word tells it

    def close(self) -> None:
        """Gives the socket back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _address(name: str) -> str | None:
    """NOTIFY_SOCKET as an address: a path, or with @ for its first byte a name in the abstract namespace."""
    if sys.platform != "linux" or name[:1] not in ("/", "@") or len(name) < 2:
        return None
    return "\0" + name[1:] if name[0] == "@" else name


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """WATCHDOG_USEC in seconds, when it is meant for this process (sd_watchdog_enabled(3))."""
    try:
        microseconds, pid = int(environment.get("WATCHDOG_USEC", "0")), int(environment.get("WATCHDOG_PID", "0"))
    except ValueError:
        return None
    return microseconds / 1e6 if microseconds > 0 and pid in (0, os.getpid()) else None
