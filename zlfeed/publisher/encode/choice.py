"""Which encoder of which FFmpeg is used: what `--encoder` names if it works here, else the best of those tried.

Trials are made once and kept in the state folder, for as long as FFmpeg, its libraries and our options stay the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import platformdirs

from zlfeed import logs, state
from zlfeed.errors import EncoderError
from zlfeed.publisher.encode.encoders import EncoderKind, default_name, kind_of, kinds_for
from zlfeed.publisher.encode.ffmpeg import EncoderSettings, device_of, encode_argv, version_of
from zlfeed.publisher.encode.trial import Trial, attempt, order

log = logs.get(__name__)

EventSink = Callable[[str, str, str], None]
SIZES = {"SD": 640 * 480, "HD": 1280 * 720, "FHD": 1920 * 1088}
"""What a trial holds for: pictures of up to so many pixels, and of more than the class before."""
FAILURE_HOLDS_S = 24 * 3600.0
"""A device that was busy, or a driver that was missing, may be there tomorrow."""
_MAX_KEPT = 200


def size_class(width: int, height: int) -> str:
    """The class of a picture of so many pixels."""
    return next((name for name, most in SIZES.items() if width * height <= most), "UHD")


@dataclass(frozen=True, slots=True)
class _Key:
    codec: str
    asked: str
    size: str


def _key(wanted: EncoderSettings) -> _Key:
    return _Key(wanted.codec, wanted.encoder, size_class(wanted.width, wanted.height))


class EncoderChoice:
    """Finds the encoder for what is wanted; shared by all cameras. `programs` are FFmpegs, the usual one first.

    `anew`: what was tried before counts for nothing; what comes of it now is kept as ever.
    """

    def __init__(self, programs: Sequence[Path], path: Path | None = None, *, anew: bool = False) -> None:
        self._programs = list(programs)
        self._anew = anew
        self._store = TrialStore(path or platformdirs.user_state_path("zlfeed") / "encoders.json")
        self._chosen: dict[_Key, Trial] = {}
        self._versions: dict[Path, str] = {}
        self._excluded: dict[tuple[str, str], str] = {}
        self._one_at_a_time = asyncio.Lock()
        self._again = False
        """Whether trials that failed are made anew."""

    def known(self, wanted: EncoderSettings) -> EncoderSettings | None:
        """What is wanted with the encoder's name and program in it; None when that has to be found out by choose()."""
        trial = self._chosen.get(_key(wanted))
        return None if trial is None else self._with(wanted, trial)

    async def choose(self, wanted: EncoderSettings, on_event: EventSink, *, again: bool = False) -> EncoderSettings:
        """Finds it out, which takes from nothing (kept from before) to some seconds. Raises EncoderError.

        `again`: what failed before is tried anew.
        """
        async with self._one_at_a_time:  # two trials at once would slow each other down
            if (found := self.known(wanted)) is not None:
                return found
            self._again = again
            trial = await (self._best(wanted, on_event) if wanted.encoder == "auto" else self._named(wanted, on_event))
            self._chosen[_key(wanted)] = trial
        _say_limits(trial, wanted.fps, on_event)
        return self._with(wanted, trial)

    def trial(self, wanted: EncoderSettings) -> Trial | None:
        """What came of the trial of what choose() found."""
        return self._chosen.get(_key(wanted))

    def exclude(self, used: EncoderSettings, why: str) -> None:
        """An encoder that passed its trial and fails at work is not chosen again by this publisher."""
        program = str(used.program or self._programs[0])
        self._excluded[used.name, program] = why
        self._chosen = {
            key: trial for key, trial in self._chosen.items() if (trial.encoder, trial.program) != (used.name, program)
        }

    def has_another(self, used: EncoderSettings) -> bool:
        """Whether there is an encoder to fall back to from this one: that in software."""
        return used.name != default_name(used.codec)

    def _with(self, wanted: EncoderSettings, trial: Trial) -> EncoderSettings:
        program = Path(trial.program)
        return replace(wanted, encoder=trial.encoder, program=None if program == self._programs[0] else program)

    # ------------------------------------------------------------ finding

    async def _named(self, wanted: EncoderSettings, on_event: EventSink) -> Trial:
        """The encoder that was named, of the first FFmpeg in which it holds nothing back."""
        trials = []
        for program in self._programs:
            trials.append(await self._tried(program, wanted))
            if trials[-1].other_codec:
                raise EncoderError(trials[-1].why)
            if trials[-1].works and not trials[-1].held:
                break
        best = order(trials, wanted.fps)
        if not best:
            others = await self._working(replace(wanted, encoder="auto"))
            names = ", ".join(dict.fromkeys(trial.encoder for trial in others)) or "none"
            raise EncoderError(
                f"the encoder {wanted.name} does not work here: {trials[0].why}; --encoder auto finds one by itself, "
                f"and of {wanted.codec}'s these work: {names}"
            )
        _say_other_program(trials, best[0], on_event)
        return best[0]

    async def _best(self, wanted: EncoderSettings, on_event: EventSink) -> Trial:
        """The best of all that this machine has a device for; the first that is swift ends the search.

        Another FFmpeg than the usual one is tried where those of that one fail or hold frames back. Not where they are
        slow: the same library elsewhere is no quicker, and the machine may only be busy just now.
        """
        trials: list[Trial] = []
        for program in self._programs:
            for kind in self._candidates(program, wanted.codec):
                trials.append(await self._tried(program, replace(wanted, encoder=kind.name)))
                if trials[-1].swift(wanted.fps):
                    break
            if any(trial.works and not trial.held for trial in trials):
                break
        best = order(trials, wanted.fps)
        if not best:
            default = trials[0]
            raise EncoderError(f"no {wanted.codec} encoder works here: {default.encoder}: {default.why}")
        for trial in trials:
            if not trial.works and (trial.encoder == default_name(wanted.codec) or kind_of(trial.encoder, "").hardware):
                on_event(
                    "warning", "encoder_fallback",
                    f"{trial.encoder} does not work here ({trial.why}): {best[0].encoder} is used",
                )  # fmt: skip
        _say_other_program(trials, best[0], on_event)
        return best[0]

    async def _working(self, wanted: EncoderSettings) -> list[Trial]:
        trials = [
            await self._tried(program, replace(wanted, encoder=kind.name))
            for program in self._programs
            for kind in self._candidates(program, wanted.codec)
        ]
        return order(trials, wanted.fps)

    def _candidates(self, program: Path, codec: str) -> list[EncoderKind]:
        """Those that this machine has a device for, and that have not failed at work."""
        return [
            kind
            for kind in kinds_for(codec)
            if device_of(kind) is not None and (kind.name, str(program)) not in self._excluded
        ]

    async def _tried(self, program: Path, settings: EncoderSettings) -> Trial:
        """The trial of that encoder, from before or made now. Raises EncoderError when the program is no FFmpeg."""
        if program not in self._versions:
            self._versions[program] = await version_of(program)
        mark = _mark(program, self._versions[program], settings)
        trial = None if self._anew else await asyncio.to_thread(self._store.get, mark)
        if trial is None or (self._again and not trial.works):
            began = time.monotonic()
            trial = await attempt(program, replace(settings, program=program))
            log.info("encoder_tried", **{**asdict(trial), "took_s": round(time.monotonic() - began, 2)})
            if trial.lasting:
                await asyncio.to_thread(self._store.put, mark, trial)
        return trial


def _mark(program: Path, version: str, settings: EncoderSettings) -> str:
    """What a trial depends on: the program, its libraries, the device, our options, and the size of the pictures."""
    typical = EncoderSettings(640, 480, 30, 800_000, 30, settings.codec, settings.encoder, settings.preset)
    device = device_of(kind_of(settings.name, settings.codec))
    changed = os.stat(program).st_mtime_ns
    parts = (
        *encode_argv(program, typical, warm=False), version, str(changed), str(device),
        size_class(settings.width, settings.height),
    )  # fmt: skip
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _say_other_program(trials: Sequence[Trial], best: Trial, on_event: EventSink) -> None:
    """Where another FFmpeg than the usual one is used, why."""
    usual = next(trial for trial in trials if trial.encoder == best.encoder)
    if usual.program == best.program:
        return
    why = f"holds {usual.held} frames back" if usual.works else f"does not work ({usual.why})"
    text = f"{best.encoder} of {best.program} is used: that of {usual.program} {why}"
    on_event("info", "encoder_chosen", text)


def _say_limits(trial: Trial, fps: float, on_event: EventSink) -> None:
    """What viewers will notice of the best there is."""
    if trial.held:
        late = f"{trial.held * 1000 / fps:.0f} ms at {fps:g} fps"
        text = f"{trial.encoder} holds {trial.held} frames back: every picture is later by {late}"
        on_event("warning", "encoder_holds_frames", text)


class TrialStore:
    """Trials by their mark, in a file. One that cannot be read or written is a line in the log, and nothing more."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, mark: str) -> Trial | None:
        """The trial, unless there is none, or it failed too long ago."""
        try:
            kept = self._all().get(mark)
            if kept is None:
                return None
            at, trial = float(kept["at"]), Trial(**kept["trial"])
        except (TypeError, KeyError, ValueError):
            return None
        age = time.time() - at
        return trial if trial.works or 0 <= age < FAILURE_HOLDS_S else None

    def put(self, mark: str, trial: Trial) -> None:
        """Keeps it; the oldest give way when there are too many."""
        everything = self._all()
        everything.pop(mark, None)
        everything[mark] = {"at": int(time.time()), "trial": asdict(trial)}
        newest = dict(list(everything.items())[-_MAX_KEPT:])
        try:
            state.write(self._path, newest)
        except OSError as error:
            log.warning("trial_not_kept", file=str(self._path), error=os.strerror(error.errno or 0))

    def _all(self) -> dict[str, dict[str, Any]]:
        try:
            return state.read(self._path)
        except (OSError, ValueError):
            return {}
