"""`zlfeed bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zlfeed.commands.common import ConfigFile, Json, LogFormat, end, load_settings


def bench(
    only: Annotated[
        str | None,
        typer.Option(
            metavar="GROUPS",
            help="Comma-separated: plain, improvements, limit, clients, formats, readers, slow, joining, "
            "monitor. "
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
    config_file: ConfigFile = None,
    log_format: LogFormat = None,
) -> None:
    """Measure this machine: the usual chain against this one, side by side, and what each improvement buys."""

    def run() -> int:
        settings = load_settings(
            config_file,
            size=size, fps=fps, bitrate=bitrate, codec=codec, duration=duration, ffmpeg_path=ffmpeg_path,
            mediamtx_path=mediamtx_path, log_format=log_format,
        )  # fmt: skip
        from zlfeed.bench import app as bench_app

        groups = bench_app.groups_of(only, everything=everything)
        options = bench_app.Options(groups, rounds, settings.duration, picture)
        return bench_app.run(settings, options, as_json=json)

    end(run)
