"""The exceptions that end a command, and the exit codes they carry.

ZlfeedError                    1   failure
├── UsageError                 2   a wrong option, value or configuration
├── StartError                 3   could not start or connect
│   ├── CameraError                the camera is unknown, busy or gives nothing
│   │   └── CameraEnded            a file was to be played once, and is over
│   ├── EncoderError               no FFmpeg, or one that cannot encode as asked
│   └── PortError                  a port is taken or may not be opened
└── GaveUpError                4   a limit that an option set was reached

Each message is a sentence for the person at the terminal: what happened, with which value, what to do.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command (design 4.1)."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_STARTED = 3
    GAVE_UP = 4
    SIGINT = 130
    SIGTERM = 143


class ZlfeedError(Exception):
    """A failure that ends the command with one line on stderr."""

    exit_code = ExitCode.FAILURE


class UsageError(ZlfeedError):
    """An option, a value or the configuration is wrong."""

    exit_code = ExitCode.USAGE


class StartError(ZlfeedError):
    """Something could not be started or reached."""

    exit_code = ExitCode.NOT_STARTED


class CameraError(StartError):
    """The camera is unknown, busy, or gives no picture."""


class CameraEnded(CameraError):
    """The source has come to its end, as it was to."""


class EncoderError(StartError):
    """There is no FFmpeg, or it cannot encode as asked."""


class PortError(StartError):
    """A port is taken or may not be opened."""


class GaveUpError(ZlfeedError):
    """A limit that an option set was reached."""

    exit_code = ExitCode.GAVE_UP
