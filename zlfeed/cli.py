"""The command line (design 4.1). Each command imports what it needs when it runs, so that --help is quick."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup

from zlfeed import __version__
from zlfeed.errors import ExitCode, UsageError, ZlfeedError


class _PlainFlags:
    """--help without Typer's <bool> behind a flag, which looks as if a value were wanted."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, as Typer has them."""
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if getattr(param, "is_flag", False) and param.metavar is None:
                param.metavar = ""
        return params


class _Command(_PlainFlags, TyperCommand):
    """A command."""


class _Group(_PlainFlags, TyperGroup):
    """The commands together."""


app = typer.Typer(
    name="zlfeed",
    cls=_Group,
    help="A camera's picture from a headless Raspberry Pi to a screen in single-digit milliseconds, with the proof.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 ok, 1 failure, 2 usage or configuration, 3 could not start or connect, 4 gave up, 130, 143.",
)

_MEDIA, _NETWORK, _ACCESS, _OUTPUT = "Picture", "Network", "Access", "Output"

Duration = Annotated[
    float | None,
    typer.Option("--duration", metavar="SECONDS", help="End by itself after this long.", rich_help_panel=_OUTPUT),
]
Json = Annotated[bool, typer.Option("--json", help="JSON lines on stdout.", rich_help_panel=_OUTPUT)]
LogFormat = Annotated[
    str | None,
    typer.Option(
        "--log-format",
        metavar="auto|text|json",
        help="Logs on stderr: text on a terminal, else JSON.",
        rich_help_panel=_OUTPUT,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", help="A file that holds the token.", rich_help_panel=_ACCESS),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="TOKEN",
        help="The token itself; others on this machine can see it in the process list.",
        rich_help_panel=_ACCESS,
    ),
]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"zlfeed {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """zlfeed"""


def _end(command: Callable[[], int]) -> None:
    """Runs a command to its exit code; our own errors become one line on stderr."""
    try:
        code = command()
    except ZlfeedError as error:
        for line in str(error).splitlines():
            typer.echo(f"zlfeed: {line}", err=True)
        code = error.exit_code
    except KeyboardInterrupt:
        code = ExitCode.SIGINT
    raise typer.Exit(int(code))


def _settings(**flags: Any) -> Any:
    """The settings, with logging set up as they say."""
    from zlfeed import config, logs

    settings = config.load(**flags)
    logs.setup(settings.log_format, settings.log_level)
    if "@" in (flags.get("server") or ""):
        logs.get(__name__).warning(
            "password_visible", meaning="others on this machine can see --server in the process list; "
            "ZLFEED_SERVER or zlfeed.toml are safer"
        )  # fmt: skip
    if flags.get("token"):
        logs.get(__name__).warning(
            "token_visible", meaning="others on this machine can see --token in the process list; --token-file is safer"
        )
    return settings


@app.command(cls=_Command)
def publish(
    camera: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]SRC",
            help="auto, test, a device number or /dev/videoN, a video file (loops), rtsp://…; may be given again.",
            rich_help_panel=_MEDIA,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Picture size; default: as the source has it.", rich_help_panel=_MEDIA),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(metavar="N", help="Frames a second; default: as the source has it.", rich_help_panel=_MEDIA),
    ] = None,
    bitrate: Annotated[
        str | None, typer.Option(metavar="RATE", help="800k, 2M …; default 800k.", rich_help_panel=_MEDIA)
    ] = None,
    gop: Annotated[
        str | None,
        typer.Option(metavar="N|auto", help="Keyframe interval in frames; auto: one second.", rich_help_panel=_MEDIA),
    ] = None,
    codec: Annotated[
        str | None, typer.Option(metavar="h264|h265|av1", help="Default h264.", rich_help_panel=_MEDIA)
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(metavar="NAME|auto", help="FFmpeg's name of the encoder.", rich_help_panel=_MEDIA)
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="auto|embedded|mediamtx|rtsp://…",
            help="auto: our relay, and MediaMTX for browsers where there is one; mediamtx: the RTSP port is its too; "
            "rtsp://[USER:PASSWORD@]HOST/PATH: push there besides.",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    mediamtx_path: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The MediaMTX program; default: on PATH.", rich_help_panel=_NETWORK),
    ] = None,
    ffmpeg_path: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The FFmpeg program; default: on PATH, else the bundled one.", rich_help_panel=_MEDIA
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDR",
            help="Where to listen; default: every address, with --no-auth only this machine.",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    advertise: Annotated[
        str | None,
        typer.Option(
            metavar="ADDR",
            help="The address in every URL that is shown or sent; default PI_VPN_IP.",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    rtsp_port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Default 8554; 0: any free one.", rich_help_panel=_NETWORK)
    ] = None,
    websocket_port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Default 9000; 0: any free one.", rich_help_panel=_NETWORK)
    ] = None,
    hls_port: Annotated[
        int | None, typer.Option(metavar="PORT", help="MediaMTX's HLS page; default 8888.", rich_help_panel=_NETWORK)
    ] = None,
    webrtc_port: Annotated[
        int | None, typer.Option(metavar="PORT", help="MediaMTX's WebRTC page; default 8889.", rich_help_panel=_NETWORK)
    ] = None,
    stream_name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The stream's path; default zerolatency.", rich_help_panel=_NETWORK),
    ] = None,
    token_file: TokenFile = None,
    token: Token = None,
    no_auth: Annotated[
        bool | None, typer.Option("--no-auth", help="Let everyone in who can reach the port.", rich_help_panel=_ACCESS)
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDR/NET",
            help="Who may come at all; default: everyone (with the token). May be given again.",
            rich_help_panel=_ACCESS,
        ),
    ] = None,
    web_plain: Annotated[
        bool | None,
        typer.Option(
            "--web-plain",
            help="WebRTC and HLS for other machines although the token then crosses the net readably (plain HTTP).",
            rich_help_panel=_ACCESS,
        ),
    ] = None,
    wait_camera: Annotated[
        bool | None,
        typer.Option(
            "--wait-camera", help="No camera at the start: wait for it instead of exit 3.", rich_help_panel=_MEDIA
        ),
    ] = None,
    no_timecode: Annotated[
        bool | None,
        typer.Option(
            "--no-timecode", help="No timecode strip: viewers cannot measure latency.", rich_help_panel=_MEDIA
        ),
    ] = None,
    no_overlay: Annotated[
        bool | None, typer.Option("--no-overlay", help="No wall clock in the picture.", rich_help_panel=_MEDIA)
    ] = None,
    no_closed_frames: Annotated[
        bool | None,
        typer.Option(
            "--no-closed-frames", help="Do not end each frame at once: for players that object.", rich_help_panel=_MEDIA
        ),
    ] = None,
    reset_controls: Annotated[
        bool | None,
        typer.Option(
            "--reset-controls", help="Forget what was set on the cameras while they ran.", rich_help_panel=_MEDIA
        ),
    ] = None,
    alert_command: Annotated[
        str | None,
        typer.Option(
            metavar="CMD",
            help="A shell command for each alert: its event as JSON on stdin and in ZLFEED_EVENT_… variables.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    alert_webhook: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where each alert is posted, as JSON.", rich_help_panel=_OUTPUT),
    ] = None,
    alert_latency: Annotated[
        str | None,
        typer.Option(metavar="MS|off", help="Alert above this latency (p95); default 150.", rich_help_panel=_OUTPUT),
    ] = None,
    alert_fps: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE|off",
            help="Alert below this share of the frames asked for; default 0.5.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    alert_temperature: Annotated[
        str | None,
        typer.Option(
            metavar="CELSIUS|off",
            help="Alert above this temperature of the processor; default 80.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    duration: Duration = None,
    json: Json = False,
    log_format: LogFormat = None,
) -> None:
    """Publish cameras: camera → FFmpeg → RTSP relay, with a status server beside."""

    def run() -> int:
        if no_auth and (token or token_file):
            raise UsageError("--no-auth asks nobody for a token, so there is none to name: leave one of the two away")
        settings = _settings(
            camera=camera or None, size=size, fps=fps, bitrate=bitrate, gop=gop, codec=codec, encoder=encoder,
            server=server, mediamtx_path=mediamtx_path, ffmpeg_path=ffmpeg_path, host=host, advertise=advertise,
            rtsp_port=rtsp_port, websocket_port=websocket_port, hls_port=hls_port, webrtc_port=webrtc_port,
            stream_name=stream_name, token_file=token_file, token=token, no_auth=no_auth, allow=allow or None,
            web_plain=web_plain, wait_camera=wait_camera, no_timecode=no_timecode, no_overlay=no_overlay,
            no_closed_frames=no_closed_frames, reset_controls=reset_controls,
            alert_command=alert_command, alert_webhook=alert_webhook,
            alert_latency=alert_latency, alert_fps=alert_fps, alert_temperature=alert_temperature,
            duration=duration, log_format=log_format,
        )  # fmt: skip
        if sys.platform == "win32":
            raise UsageError("publish runs on Linux and macOS; on Windows use receive and monitor")
        from zlfeed.opencv import load_cv2

        load_cv2()  # the sentence about a missing library, before anything else needs it
        from zlfeed.publisher.app import serve

        return asyncio.run(serve(settings, as_json=json))

    _end(run)


@app.command(cls=_Command)
def receive(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="URL|HOST", help="rtsp://… or the publisher's address; default PI_VPN_IP, else localhost."
        ),
    ] = None,
    display: Annotated[bool, typer.Option("--display", help="Open a window.", rich_help_panel=_MEDIA)] = False,
    headless: Annotated[
        bool, typer.Option("--headless", help="No window: figures only.", rich_help_panel=_MEDIA)
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Save the picture as it comes: .avi or .mp4.", rich_help_panel=_MEDIA),
    ] = None,
    display_mode: Annotated[
        str | None, typer.Option(metavar="headless|display|save", help="The older spelling.", rich_help_panel=_MEDIA)
    ] = None,
    test_connection: Annotated[
        bool,
        typer.Option(
            "--test-connection", help="Say whether the stream and the status server answer.", rich_help_panel=_NETWORK
        ),
    ] = False,
    backend: Annotated[
        str | None,
        typer.Option(metavar="auto|ffmpeg|gstreamer|v4l2|any", help="OpenCV's backend.", rich_help_panel=_MEDIA),
    ] = None,
    transport: Annotated[
        str | None, typer.Option(metavar="tcp|udp", help="Default tcp.", rich_help_panel=_NETWORK)
    ] = None,
    status_url: Annotated[
        str | None,
        typer.Option(
            metavar="ws://…|none",
            help="The status server; default: port 9000 of the stream's host.",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    rtsp_port: Annotated[
        int | None, typer.Option(metavar="PORT", help="With HOST; default 8554.", rich_help_panel=_NETWORK)
    ] = None,
    websocket_port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Default 9000.", rich_help_panel=_NETWORK)
    ] = None,
    stream_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="With HOST; default zerolatency.", rich_help_panel=_NETWORK)
    ] = None,
    token_file: TokenFile = None,
    token: Token = None,
    duration: Duration = None,
    json: Json = False,
    log_format: LogFormat = None,
) -> None:
    """Watch a stream: in a window, in figures, or into a file, with its true latency."""

    def run() -> int:
        from zlfeed.receiver.app import run as receive_run

        settings = _settings(
            backend=backend, transport=transport, status_url=status_url, rtsp_port=rtsp_port,
            websocket_port=websocket_port, stream_name=stream_name, token_file=token_file, token=token,
            duration=duration, log_format=log_format,
        )  # fmt: skip
        mode = _mode(display, headless, display_mode, save)
        return receive_run(settings, target=target, mode=mode, save=save, test_connection=test_connection, as_json=json)

    _end(run)


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


@app.command(cls=_Command)
def monitor(
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="HOST[:PORT]|ws://…|wss://…", help="Publishers; default PI_VPN_IP, else localhost."),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Print the state once and end.", rich_help_panel=_OUTPUT)
    ] = False,
    readonly: Annotated[
        bool, typer.Option("--readonly", help="Nothing can be changed from here.", rich_help_panel=_ACCESS)
    ] = False,
    websocket_port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Default 9000.", rich_help_panel=_NETWORK)
    ] = None,
    token_file: TokenFile = None,
    token: Token = None,
    duration: Duration = None,
    json: Json = False,
    log_format: LogFormat = None,
) -> None:
    """Watch over publishers from a terminal: FPS, true latency, load, viewers, events."""

    def run() -> int:
        from zlfeed.monitor.run import run as monitor_run

        settings = _settings(
            websocket_port=websocket_port, token_file=token_file, token=token, duration=duration, log_format=log_format
        )
        return monitor_run(settings, targets=targets or [], once=once, as_json=json, readonly=readonly)

    _end(run)


@app.command(cls=_Command)
def demo(
    display: Annotated[bool, typer.Option("--display", help="Open the window too.", rich_help_panel=_MEDIA)] = False,
    headless: Annotated[
        bool, typer.Option("--headless", help="No monitor: figures only.", rich_help_panel=_MEDIA)
    ] = False,
    camera: Annotated[
        str | None, typer.Option(metavar="SRC", help="Default: the test picture.", rich_help_panel=_MEDIA)
    ] = None,
    duration: Duration = None,
    json: Json = False,
    log_format: LogFormat = None,
) -> None:
    """Everything on this machine: test picture → relay → receiver, in the monitor."""

    def run() -> int:
        settings = _settings(camera=None if camera is None else [camera], duration=duration, log_format=log_format)
        from zlfeed.demo import run as demo_run

        return demo_run(
            settings, camera="test" if camera is None else camera, display=display, headless=headless, as_json=json
        )

    _end(run)


@app.command(cls=_Command)
def bench(
    only: Annotated[
        str | None,
        typer.Option(
            metavar="GROUPS",
            help="Comma-separated: plain, improvements, limit, clients, formats, readers, slow, joining. "
            "Default: the first three, about three minutes.",
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All groups; half an hour.")] = False,
    rounds: Annotated[int, typer.Option(min=1, metavar="N", help="Rounds, taken in turns; figures are medians.")] = 2,
    duration: Annotated[
        float, typer.Option("--duration", metavar="SECONDS", help="How long each chain is measured in a round.")
    ] = 4.0,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the distribution of latencies: an SVG file.")
    ] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Default 640x480.")] = None,
    fps: Annotated[float | None, typer.Option(metavar="N", help="Default 30.")] = None,
    bitrate: Annotated[str | None, typer.Option(metavar="RATE", help="Default 800k.")] = None,
    codec: Annotated[str | None, typer.Option(metavar="h264|h265", help="Default h264.")] = None,
    ffmpeg_path: Annotated[Path | None, typer.Option(metavar="FILE", help="The FFmpeg program.")] = None,
    mediamtx_path: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The MediaMTX program; without it a plain relay.")
    ] = None,
    json: Json = False,
    log_format: LogFormat = None,
) -> None:
    """Measure this machine: the usual chain against this one, side by side, and what each improvement buys."""

    def run() -> int:
        settings = _settings(
            size=size, fps=fps, bitrate=bitrate, codec=codec, duration=duration, ffmpeg_path=ffmpeg_path,
            mediamtx_path=mediamtx_path, log_format=log_format,
        )  # fmt: skip
        from zlfeed.bench import app as bench_app

        groups = bench_app.groups_of(only, everything=everything)
        options = bench_app.Options(groups, rounds, settings.duration, picture)
        return bench_app.run(settings, options, as_json=json)

    _end(run)


@app.command(cls=_Command)
def doctor(
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Run the whole chain for some seconds too: a verdict in ms.")
    ] = False,
    ffmpeg_path: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The FFmpeg program to look at.", rich_help_panel=_MEDIA)
    ] = None,
    json: Json = False,
) -> None:
    """What this machine has, what it lacks, and the cure: FFmpeg, cameras, ports, display, network …"""

    def run() -> int:
        settings = _settings(ffmpeg_path=ffmpeg_path)
        from zlfeed.doctor.app import run as doctor_run

        return doctor_run(settings, with_self_test=self_test, as_json=json)

    _end(run)


configuration = typer.Typer(
    cls=_Group, help="The settings: which are in force, and where they were said.", no_args_is_help=True
)
app.add_typer(configuration, name="config")


@configuration.command("show", cls=_Command)
def config_show(json: Json = False) -> None:
    """Every setting with its value and where it was said; secrets are hidden."""

    def run() -> int:
        from zlfeed.config_command import show

        return show(as_json=json)

    _end(run)


@configuration.command("validate", cls=_Command)
def config_validate(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Default: the file that would be used.")] = None,
) -> None:
    """Whether the configuration is right; else file, line, key and the nearest right name."""

    def run() -> int:
        from zlfeed.config_command import validate

        return validate(file)

    _end(run)


token_group = typer.Typer(cls=_Group, help="This machine's token, which viewers elsewhere need.", no_args_is_help=True)
app.add_typer(token_group, name="token")


@token_group.command("new", cls=_Command)
def token_new() -> None:
    """Makes a new token; the old one lets nobody in once `publish` is started again."""

    def run() -> int:
        from zlfeed import tokens

        token = tokens.renew()
        typer.echo(token.value)
        typer.echo(f"kept in {token.path}; a publisher that runs takes it when it is started again", err=True)
        return ExitCode.OK

    _end(run)


mediamtx = typer.Typer(cls=_Group, help="MediaMTX, which gives browsers the stream.", no_args_is_help=True)
app.add_typer(mediamtx, name="mediamtx")


@mediamtx.command(cls=_Command)
def install(
    version: Annotated[
        str | None, typer.Option("--version", metavar="V", help="Default: the version this zlfeed is tested with.")
    ] = None,
) -> None:
    """Fetch MediaMTX's official release for this machine, check it, and put it where publish finds it."""

    def run() -> int:
        settings = _settings()
        from zlfeed.publisher.mediamtx.install import run as install_run

        return install_run(version, settings.mediamtx_base_url)

    _end(run)


def main() -> None:
    """The program's entry point."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Where a sign has no place in the encoding (LC_ALL=C, a Windows code page), "?" must do.
        sys.stdout.reconfigure(errors="replace")
    app()
