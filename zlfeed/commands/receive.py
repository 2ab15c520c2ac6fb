"""`zlfeed receive`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from zlfeed import startup
from zlfeed.commands.common import (
    MEDIA,
    NETWORK,
    ConfigFile,
    Duration,
    Fingerprint,
    Json,
    LogFile,
    LogFormat,
    Token,
    TokenFile,
    end,
    load_settings,
)
from zlfeed.errors import UsageError


def receive(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="URL|HOST",
            help="rtsp://… or the publisher's address; default PI_VPN_IP, else as found, else localhost.",
        ),
    ] = None,
    display: Annotated[bool, typer.Option("--display", help="Open a window.", rich_help_panel=MEDIA)] = False,
    headless: Annotated[
        bool, typer.Option("--headless", help="No window: figures only.", rich_help_panel=MEDIA)
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Save the picture as it comes: .avi or .mp4.", rich_help_panel=MEDIA),
    ] = None,
    display_mode: Annotated[
        str | None, typer.Option(metavar="headless|display|save", help="The older spelling.", rich_help_panel=MEDIA)
    ] = None,
    test_connection: Annotated[
        bool,
        typer.Option(
            "--test-connection", help="Say whether the stream and the status server answer.", rich_help_panel=NETWORK
        ),
    ] = False,
    backend: Annotated[
        str | None,
        typer.Option(metavar="auto|ffmpeg|gstreamer|v4l2|any", help="OpenCV's backend.", rich_help_panel=MEDIA),
    ] = None,
    transport: Annotated[
        str | None, typer.Option(metavar="tcp|udp", help="Default tcp.", rich_help_panel=NETWORK)
    ] = None,
    rtsps_port: Annotated[
        int | None,
        typer.Option(metavar="PORT", help="With HOST and --fingerprint; default 8322.", rich_help_panel=NETWORK),
    ] = None,
    status_url: Annotated[
        str | None,
        typer.Option(
            metavar="ws://…|none",
            help="The status server; default: port 9000 of the stream's host.",
            rich_help_panel=NETWORK,
        ),
    ] = None,
    rtsp_port: Annotated[
        int | None, typer.Option(metavar="PORT", help="With HOST; default 8554.", rich_help_panel=NETWORK)
    ] = None,
    websocket_port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Default 9000.", rich_help_panel=NETWORK)
    ] = None,
    stream_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="With HOST; default zerolatency.", rich_help_panel=NETWORK)
    ] = None,
    token_file: TokenFile = None,
    token: Token = None,
    fingerprint: Fingerprint = None,
    duration: Duration = None,
    json: Json = False,
    config_file: ConfigFile = None,
    log_file: LogFile = None,
    log_format: LogFormat = None,
) -> None:
    """Watch a stream: in a window, in figures, or into a file, with its true latency."""

    def run() -> int:
        from zlfeed.receiver.app import run as receive_run

        settings = load_settings(
            config_file,
            backend=backend, transport=transport, status_url=status_url, rtsp_port=rtsp_port,
            rtsps_port=rtsps_port,
            websocket_port=websocket_port, stream_name=stream_name, token_file=token_file, token=token,
            fingerprint=fingerprint or None,
            duration=duration, log_file=log_file, log_format=log_format,
        )  # fmt: skip
        startup.loading()
        mode = _mode(display, headless, display_mode, save)
        return receive_run(settings, target=target, mode=mode, save=save, test_connection=test_connection, as_json=json)

    end(run)


_Mode = Literal["auto", "headless", "display", "save"]


def _mode(display: bool, headless: bool, display_mode: str | None, save: Path | None) -> _Mode:
    """The one mode that --display, --headless and --display-mode ask for."""
    asked: set[_Mode] = set()
    if display:
        asked.add("display")
    if headless:
        asked.add("headless")
    match display_mode:
        case None:
            pass
        case "display" | "headless" | "save":
            asked.add(display_mode)
        case _:
            raise UsageError(f"--display-mode is headless, display or save, not {display_mode!r}")
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(sorted(asked))} exclude each other: choose one of --display and --headless")
    if "save" in asked and save is None:
        raise UsageError("--display-mode save wants a file: --save FILE.avi or FILE.mp4")
    return asked.pop() if asked else "auto"
