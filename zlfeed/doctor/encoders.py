"""FFmpeg's encoders, each really tried as a publisher would try it, with what was measured."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

from zlfeed.config import Settings
from zlfeed.doctor.finding import Finding
from zlfeed.errors import EncoderError
from zlfeed.publisher.camera import DEFAULT_FPS
from zlfeed.publisher.encode.choice import EncoderChoice
from zlfeed.publisher.encode.encoders import RPICAM, kinds_for
from zlfeed.publisher.encode.ffmpeg import EncoderSettings
from zlfeed.publisher.encode.trial import Trial

CODECS = ("h264", "h265", "av1")
_SIZE = (640, 480)


def wishes(settings: Settings) -> list[EncoderSettings]:
    """What is to be encoded, in each codec: as the settings have it, the named encoder for its own codec only."""
    width, height = settings.size or _SIZE
    fps = settings.fps or DEFAULT_FPS
    named = settings.encoder if settings.encoder != RPICAM else "auto"
    return [
        EncoderSettings(
            width, height, fps, settings.bitrate, settings.gop or max(1, round(fps)), codec,
            named if codec == settings.codec else "auto", settings.preset if codec == settings.codec else "",
        )
        for codec in CODECS
    ]  # fmt: skip


def tried(settings: Settings, programs: Sequence[Path]) -> Iterator[Finding]:
    """Tries them anew, whatever came of it before; the next publisher finds what came of it now."""
    choice = EncoderChoice(programs, anew=True)
    for wish in wishes(settings):
        yield from asyncio.run(_tried(choice, wish, wanted=wish.codec == settings.codec))


async def _tried(choice: EncoderChoice, wish: EncoderSettings, *, wanted: bool) -> list[Finding]:
    check = f"encoder {wish.codec}"
    found: list[Finding] = []

    def on_event(level: str, code: str, text: str) -> None:
        if code == "encoder_fallback":
            found.append(Finding(check, "warn", text, "update its driver, or leave it: another one is used"))

    try:
        await choice.choose(wish, on_event)
    except EncoderError as error:
        other = "install FFmpeg from your distribution, or leave --ffmpeg-path away to use the bundled one"
        if wish.encoder != "auto":
            other = "leave --encoder away, or name one that works here"
        cure = other if wanted else "publish with another --codec, or with another FFmpeg (--ffmpeg-path)"
        return [Finding(check, "fail" if wanted else "warn", str(error), cure)]
    trial = choice.trial(wish)
    assert trial is not None, "choose() found one"
    return [verdict(check, trial, wish), *found]


def verdict(check: str, trial: Trial, wish: EncoderSettings) -> Finding:
    """What a trial says of this machine."""
    size = f"{wish.width}x{wish.height}"
    if trial.p50_ms is None or trial.p95_ms is None:
        return Finding(check, "warn", f"{trial.encoder} encodes {size}, too slowly to be timed", _slow(wish))
    text = f"{trial.encoder}: {trial.p50_ms:.1f} ms a frame of {size} (p95 {trial.p95_ms:.1f}), of {trial.program}"
    if trial.held:
        late = trial.held * 1000 / wish.fps
        return Finding(check, "warn", f"{text}; it holds {trial.held} frames back: {late:.0f} ms", _other(wish))
    if not trial.keeps_pace(wish.fps):
        return Finding(check, "warn", f"{text}: too slow for {wish.fps:g} fps, or this machine is busy", _slow(wish))
    return Finding(check, "ok", text)


def _slow(wish: EncoderSettings) -> str:
    other = "" if wish.codec == "h264" else ", or --codec h264"
    return f"a smaller --size or --fps{other}"


def _other(wish: EncoderSettings) -> str:
    names = ", ".join(kind.name for kind in kinds_for(wish.codec))
    return f"another FFmpeg (--ffmpeg-path), or another --encoder of {names}"
