"""`zlfeed publish`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from zlfeed import startup
from zlfeed.commands.common import (
    ACCESS,
    MEDIA,
    NETWORK,
    OUTPUT,
    ConfigFile,
    Duration,
    Json,
    LogFile,
    LogFormat,
    ReadonlyToken,
    ReadonlyTokenFile,
    Token,
    TokenFile,
    end,
    load_settings,
)
from zlfeed.errors import UsageError


def publish(
    camera: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]SRC",
            help="auto, test, a device number or /dev/videoN, csi[:N], a video file or a folder of them, "
            "rtsp://…; may be given again.",
            rich_help_panel=MEDIA,
        ),
    ] = None,
    play: Annotated[
        str | None,
        typer.Option(
            metavar="loop|once",
            help="Files: over and over, or once (then publish ends); default loop.",
            rich_help_panel=MEDIA,
        ),
    ] = None,
    passthrough: Annotated[
        bool | None,
        typer.Option(
            "--passthrough",
            help="rtsp:// sources: their frames as they are, neither decoded nor encoded again (no strip then).",
            rich_help_panel=MEDIA,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Picture size; default: as the source has it.", rich_help_panel=MEDIA),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(metavar="N", help="Frames a second; default: as the source has it.", rich_help_panel=MEDIA),
    ] = None,
    bitrate: Annotated[
        str | None, typer.Option(metavar="RATE", help="800k, 2M …; default 800k.", rich_help_panel=MEDIA)
    ] = None,
    no_adaptive: Annotated[
        bool | None,
        typer.Option(
            "--no-adaptive", help="Keep the bitrate although a viewer's link does not carry it.", rich_help_panel=MEDIA
        ),
    ] = None,
    min_bitrate: Annotated[
        str | None,
        typer.Option(
            metavar="RATE", help="No lower than this for a slow link; default a quarter.", rich_help_panel=MEDIA
        ),
    ] = None,
    gop: Annotated[
        str | None,
        typer.Option(metavar="N|auto", help="Keyframe interval in frames; auto: one second.", rich_help_panel=MEDIA),
    ] = None,
    codec: Annotated[
        str | None, typer.Option(metavar="h264|h265|av1", help="Default h264.", rich_help_panel=MEDIA)
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|auto|rpicam",
            help="FFmpeg's name of the encoder; auto: the quickest that works here, by trial; "
            "rpicam: a CSI camera's own H.264 (latency is unknown then).",
            rich_help_panel=MEDIA,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The encoder's preset: superfast looks better than libx264's ultrafast, and takes longer.",
            rich_help_panel=MEDIA,
        ),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="auto|embedded|mediamtx|rtsp://…",
            help="auto: our relay, and MediaMTX for browsers where there is one; mediamtx: the RTSP port is its too; "
            "rtsp://[USER:PASSWORD@]HOST/PATH: push there besides.",
            rich_help_panel=NETWORK,
        ),
    ] = None,
    mediamtx_path: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The MediaMTX program; default: on PATH.", rich_help_panel=NETWORK),
    ] = None,
    ffmpeg_path: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The FFmpeg program; default: on PATH, else the bundled one.", rich_help_panel=MEDIA
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDR",
            help="Where to listen; default: every address, with --no-auth only this machine.",
            rich_help_panel=NETWORK,
        ),
    ] = None,
    advertise: Annotated[
        str | None,
        typer.Option(
            metavar="ADDR",
            help="The address in every URL that is shown or sent; default PI_VPN_IP.",
            rich_help_panel=NETWORK,
        ),
    ] = None,
    rtsp_port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Default 8554; 0: any free one.", rich_help_panel=NETWORK)
    ] = None,
    websocket_port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Default 9000; 0: any free one.", rich_help_panel=NETWORK)
    ] = None,
    hls_port: Annotated[
        int | None, typer.Option(metavar="PORT", help="MediaMTX's HLS page; default 8888.", rich_help_panel=NETWORK)
    ] = None,
    webrtc_port: Annotated[
        int | None, typer.Option(metavar="PORT", help="MediaMTX's WebRTC page; default 8889.", rich_help_panel=NETWORK)
    ] = None,
    stream_name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The stream's path; default zerolatency.", rich_help_panel=NETWORK),
    ] = None,
    token_file: TokenFile = None,
    token: Token = None,
    readonly_token_file: ReadonlyTokenFile = None,
    readonly_token: ReadonlyToken = None,
    no_auth: Annotated[
        bool | None, typer.Option("--no-auth", help="Let everyone in who can reach the port.", rich_help_panel=ACCESS)
    ] = None,
    tls_cert: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A certificate (PEM): other machines then come by rtsps://, wss:// and https:// only.",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its key (PEM, no password).", rich_help_panel=ACCESS)
    ] = None,
    rtsps_port: Annotated[
        int | None,
        typer.Option(metavar="PORT", help="RTSP over TLS; default 8322; 0: any free one.", rich_help_panel=NETWORK),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDR/NET",
            help="Who may come at all; default: everyone (with the token). May be given again.",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    web_plain: Annotated[
        bool | None,
        typer.Option(
            "--web-plain",
            help="WebRTC and HLS for other machines although the token then crosses the net readably (plain HTTP).",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    wait_camera: Annotated[
        bool | None,
        typer.Option(
            "--wait-camera", help="No camera at the start: wait for it instead of exit 3.", rich_help_panel=MEDIA
        ),
    ] = None,
    no_timecode: Annotated[
        bool | None,
        typer.Option("--no-timecode", help="No timecode strip: viewers cannot measure latency.", rich_help_panel=MEDIA),
    ] = None,
    no_overlay: Annotated[
        bool | None, typer.Option("--no-overlay", help="No wall clock in the picture.", rich_help_panel=MEDIA)
    ] = None,
    no_closed_frames: Annotated[
        bool | None,
        typer.Option(
            "--no-closed-frames", help="Do not end each frame at once: for players that object.", rich_help_panel=MEDIA
        ),
    ] = None,
    reset_controls: Annotated[
        bool | None,
        typer.Option(
            "--reset-controls", help="Forget what was set on the cameras while they ran.", rich_help_panel=MEDIA
        ),
    ] = None,
    alert_command: Annotated[
        str | None,
        typer.Option(
            metavar="CMD",
            help="A shell command for each alert: its event as JSON on stdin and in ZLFEED_EVENT_… variables.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    alert_webhook: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where each alert is posted, as JSON.", rich_help_panel=OUTPUT),
    ] = None,
    alert_latency: Annotated[
        str | None,
        typer.Option(metavar="MS|off", help="Alert above this latency (p95); default 150.", rich_help_panel=OUTPUT),
    ] = None,
    alert_fps: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE|off",
            help="Alert below this share of the frames asked for; default 0.5.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    alert_temperature: Annotated[
        str | None,
        typer.Option(
            metavar="CELSIUS|off",
            help="Alert above this temperature of the processor; default 80.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", help="/metrics for Prometheus, and /healthz; default: off.", rich_help_panel=OUTPUT
        ),
    ] = None,
    metrics_host: Annotated[
        str | None,
        typer.Option(metavar="ADDR", help="Where they listen; default: this machine only.", rich_help_panel=OUTPUT),
    ] = None,
    no_announce: Annotated[
        bool | None,
        typer.Option("--no-announce", help="Do not tell the local net of the feed (DNS-SD).", rich_help_panel=NETWORK),
    ] = None,
    duration: Duration = None,
    json: Json = False,
    config_file: ConfigFile = None,
    log_file: LogFile = None,
    log_format: LogFormat = None,
) -> None:
    """Publish cameras: camera → FFmpeg → RTSP relay, with a status server beside."""

    def run() -> int:
        if no_auth and (token or token_file or readonly_token or readonly_token_file):
            raise UsageError("--no-auth asks nobody for a token, so there is none to name: leave one of the two away")
        settings = load_settings(
            config_file,
            camera=camera or None, size=size, fps=fps, bitrate=bitrate, gop=gop, codec=codec, encoder=encoder,
            preset=preset, play=play, passthrough=passthrough, no_adaptive=no_adaptive, min_bitrate=min_bitrate,
            server=server, mediamtx_path=mediamtx_path, ffmpeg_path=ffmpeg_path, host=host, advertise=advertise,
            rtsp_port=rtsp_port, websocket_port=websocket_port, hls_port=hls_port, webrtc_port=webrtc_port,
            stream_name=stream_name, token_file=token_file, token=token, no_auth=no_auth,
            tls_cert=tls_cert, tls_key=tls_key, rtsps_port=rtsps_port,
            readonly_token_file=readonly_token_file, readonly_token=readonly_token,
            allow=allow or None,
            web_plain=web_plain, wait_camera=wait_camera, no_timecode=no_timecode, no_overlay=no_overlay,
            no_closed_frames=no_closed_frames, reset_controls=reset_controls,
            alert_command=alert_command, alert_webhook=alert_webhook,
            alert_latency=alert_latency, alert_fps=alert_fps, alert_temperature=alert_temperature,
            metrics_port=metrics_port, metrics_host=metrics_host, no_announce=no_announce,
            duration=duration, log_file=log_file, log_format=log_format,
        )  # fmt: skip
        if sys.platform == "win32":
            raise UsageError("publish runs on Linux and macOS; on Windows use receive and monitor")
        startup.loading()
        from zlfeed.opencv import load_cv2
        from zlfeed.publisher.camera.child import started_ahead
        from zlfeed.publisher.specs import camera_specs

        specs = camera_specs(settings)
        own = {spec: settings.of(spec.name) for spec in specs}
        ours = [spec for spec in specs if not own[spec].passthrough and own[spec].encoder != "rpicam"]
        with started_ahead(spec.kind for spec in ours):
            load_cv2()  # the sentence about a missing library, before anything else needs it
            from zlfeed.publisher.app import serve

            return asyncio.run(serve(settings, specs, as_json=json))

    end(run)
