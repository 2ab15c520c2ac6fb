"""`zlfeed monitor`."""

from __future__ import annotations

from typing import Annotated

import typer

from zlfeed import startup
from zlfeed.commands.common import (
    ACCESS,
    NETWORK,
    OUTPUT,
    ConfigFile,
    Duration,
    Fingerprint,
    Json,
    LogFormat,
    Token,
    TokenFile,
    end,
    load_settings,
)


def monitor(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="HOST[:PORT]|ws://…|wss://…",
            help="Publishers; default PI_VPN_IP, else those found, else localhost.",
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Print the state once and end.", rich_help_panel=OUTPUT)] = False,
    readonly: Annotated[
        bool, typer.Option("--readonly", help="Nothing can be changed from here.", rich_help_panel=ACCESS)
    ] = False,
    bell: Annotated[
        bool, typer.Option("--bell", help="New alerts ring the bell and notify.", rich_help_panel=OUTPUT)
    ] = False,
    refresh: Annotated[
        float | None,
        typer.Option("--refresh", metavar="HZ", help="Pictures a second, default 2.", rich_help_panel=OUTPUT),
    ] = None,
    websocket_port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Default 9000.", rich_help_panel=NETWORK)
    ] = None,
    token_file: TokenFile = None,
    token: Token = None,
    fingerprint: Fingerprint = None,
    duration: Duration = None,
    json: Json = False,
    config_file: ConfigFile = None,
    log_format: LogFormat = None,
) -> None:
    """Watch over publishers from a terminal: FPS, true latency, load, viewers, events."""

    def run() -> int:
        from zlfeed.monitor.run import run as monitor_run

        settings = load_settings(
            config_file,
            websocket_port=websocket_port,
            token_file=token_file,
            token=token,
            fingerprint=fingerprint or None,
            duration=duration,
            log_format=log_format,
            bell=bell or None,
            refresh_hz=refresh,
        )
        startup.loading()  # until the first picture stands, or nothing will
        return monitor_run(settings, targets=targets or [], once=once, as_json=json, readonly=readonly)

    end(run)
