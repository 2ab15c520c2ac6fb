"""The ways to read a CSI camera: the program rpicam-vid, and the Python package picamera2; which of them is fitter.

Neither is always the better one. picamera2 hands pictures over without a pipe and sets controls live, but runs a Python
loop of its own and comes with another numpy than ours; rpicam-vid is one process more. So both are tried, for a
second each, and the outcome is kept in the state folder for as long as both stay the same.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from zlfeed import state
from zlfeed.publisher.camera.holders import holders_text
from zlfeed.publisher.camera.rpicam import PROGRAMS
from zlfeed.publisher.camera.source import CSI_BACKENDS, CameraSpec

SAMPLE_S = 1.0
_SAMPLE_FRAMES = 8
"""At low rates a second holds too few pictures."""
_ENOUGH = 0.9
"""Of the rate asked for: below it a way is not fit while another is."""
_ALIKE_MS = 3.0
"""Ages that differ by less are alike; then controls that are set live count."""
_LOOK_S = 5.0
_MAX_KEPT = 50
_FIND = "from importlib.util import find_spec as f; s = f('picamera2'); print(s.origin if s and f('numpy') else '')"


RPICAM, PICAMERA2 = CSI_BACKENDS


class Interpreter(NamedTuple):
    """A Python that has picamera2, and where that lies."""

    python: str
    package: str


def find_program() -> str | None:
    """rpicam-vid, or what it was called before; None when there is neither."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


@functools.lru_cache(maxsize=4)
def _find_python(path: str) -> Interpreter | None:
    """Looked up once a PATH: each Python takes 50 ms to start here, and 0.3 s on a small Pi."""
    # The package is the system's: built for the system's numpy, which is another one than that in our environment.
    folders = [folder for folder in path.split(os.pathsep) if folder]
    for python in dict.fromkeys([*(os.path.join(folder, "python3") for folder in folders), sys.executable]):
        if not os.access(python, os.X_OK):
            continue
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            said = subprocess.run(
                [python, "-P", "-c", _FIND],
                check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_LOOK_S,
            )  # fmt: skip
            if said.returncode == 0 and (package := said.stdout.strip()):
                return Interpreter(python, package)
    return None


def find_python() -> Interpreter | None:
    """The first Python on PATH that has picamera2, ours if no other; None when there is none."""
    return _find_python(os.environ.get("PATH", os.defpath)) if sys.platform.startswith("linux") else None


def ways(spec: CameraSpec) -> list[CameraSpec]:
    """The camera by each way that is here and was not ruled out by its name; rpicam-vid, which says how to install it,
    where there is none."""
    if spec.backend:
        return [spec]
    here = [RPICAM] if find_program() else []
    here += [PICAMERA2] if find_python() else []
    return [replace(spec, backend=backend) for backend in here or [RPICAM]]


def holder() -> str:
    """Who has a CSI port open: libcamera takes /dev/mediaN for as long as it has a camera. "" when nobody is known."""
    return next((text for path in sorted(Path("/dev").glob("media*")) if (text := holders_text(str(path)))), "")


@dataclass(slots=True)
class Fitness:
    """How a way did in its trial. `problem` is why it gave no picture, "" if it did."""

    backend: str
    problem: str = ""
    offered: float | None = None
    """The rate at which the camera said it would give them."""
    ages_ms: list[float] = field(default_factory=list)
    """From the sensor's time stamp to the picture in hand; empty where the sensor's time is not told."""
    _count: int = 0
    _since: float | None = None
    _last: float = 0.0

    def picture(self, now: float, age_ms: float | None) -> None:
        """Another picture is in hand."""
        self._since = now if self._since is None else self._since
        self._last = now
        self._count += 1
        if age_ms is not None:
            self.ages_ms.append(age_ms)

    def sampled(self, now: float) -> bool:
        """Whether that is enough to judge by."""
        enough = self._count >= _SAMPLE_FRAMES or (self._since is not None and now - self._since > 8 * SAMPLE_S)
        return self._since is not None and now - self._since >= SAMPLE_S and enough

    @property
    def fps(self) -> float | None:
        """Pictures a second, None while fewer than two were seen."""
        taken = self._last - (self._since or 0.0)
        return (self._count - 1) / taken if self._count > 1 and taken > 0 else None

    @property
    def age_ms(self) -> float | None:
        """The age of a picture in hand, the median."""
        return statistics.median(self.ages_ms) if self.ages_ms else None

    def __str__(self) -> str:
        name = "rpicam-vid" if self.backend == RPICAM else self.backend
        if self.problem:
            return f"{name} gave no picture"
        age = "of unknown age" if self.age_ms is None else f"{self.age_ms:.0f} ms old"
        return f"{name}: {self.fps or 0:.0f} fps, {age}"


def fitter(found: Sequence[Fitness], fps: float) -> Fitness | None:
    """The fittest; None when none gave a picture.

    First whether the rate is reached that was asked for, or that the camera has (else the higher rate), then how old a
    picture is when it is in hand; where the ages are alike, picamera2, which sets controls without starting anew.
    """
    working = [fitness for fitness in found if not fitness.problem]
    fps = min(fps, max((fitness.offered or fps for fitness in working), default=fps))
    reaching = [fitness for fitness in working if (fitness.fps or 0.0) >= _ENOUGH * fps]
    if not reaching:
        return max(working, key=lambda fitness: fitness.fps or 0.0, default=None)

    def rank(fitness: Fitness) -> float:
        age = float("inf") if fitness.age_ms is None else fitness.age_ms
        return age - (_ALIKE_MS if fitness.backend == PICAMERA2 else 0.0)

    return min(reaching, key=rank)


class Verdict(NamedTuple):
    """The way that is taken, and what was measured, in words."""

    backend: str
    why: str


class Comparison:
    """A CSI camera that can be read in several ways, on trial in one after the other."""

    def __init__(self, spec: CameraSpec, there: Sequence[CameraSpec]) -> None:
        self.spec = spec
        self.found: list[Fitness] = []
        self._left = list(there)

    def next(self) -> CameraSpec | None:
        """The next way to try, None when all were."""
        if not self._left:
            return None
        spec = self._left.pop(0)
        self.found.append(Fitness(spec.backend))
        return spec

    def failed(self, why: str) -> None:
        """The way on trial gave no picture."""
        self.found[-1].problem = why

    @property
    def problems(self) -> str:
        """Why ways gave no picture, "" when all did."""
        return "; ".join(dict.fromkeys(fitness.problem for fitness in self.found if fitness.problem))

    def verdict(self, fps: float) -> Verdict | None:
        """The way to take of those that were tried; None when none gave a picture."""
        best = fitter(self.found, fps)
        return Verdict(best.backend, "tried: " + "; ".join(map(str, self.found))) if best else None


_verdicts: dict[str, Verdict] = {}
"""What this process found out or read, so that a state folder that cannot be written costs no trial at each opening."""


def _file() -> Path:
    import platformdirs  # not there where picamera2's Python loads this module

    return platformdirs.user_state_path("zlfeed") / "csi.json"


def _mark(spec: CameraSpec, size: tuple[int, int], fps: float) -> str:
    """What a verdict depends on: the camera, what is asked of it, and the two programs."""
    program, python = find_program() or "", find_python()
    parts = [f"csi:{spec.target}", f"{size[0]}x{size[1]}", f"{fps:g}"]
    for path in (program, python.package if python else ""):
        changed = 0
        with contextlib.suppress(OSError):
            changed = os.stat(path).st_mtime_ns
        parts.append(f"{path}@{changed}")
    return " ".join(parts)


def recall(spec: CameraSpec, size: tuple[int, int], fps: float) -> Verdict | None:
    """What was found out before."""
    mark = _mark(spec, size, fps)
    if mark not in _verdicts:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            kept = state.read(_file())[mark]
            if kept["backend"] in CSI_BACKENDS:
                _verdicts[mark] = Verdict(kept["backend"], str(kept["why"]))
    return _verdicts.get(mark)


def remember(
    spec: CameraSpec, size: tuple[int, int], fps: float, verdict: Verdict | None, *, lasting: bool = True
) -> None:
    """Keeps it, `lasting`: for the next start too; None: forgets it."""
    mark = _mark(spec, size, fps)
    _verdicts.pop(mark, None)
    if verdict:
        _verdicts[mark] = verdict
        if not lasting:
            return
    with contextlib.suppress(OSError):
        try:
            kept = state.read(_file())
        except ValueError:
            kept = {}
        kept.pop(mark, None)
        if verdict:
            kept[mark] = {"at": int(time.time()), **verdict._asdict()}
        state.write(_file(), dict(list(kept.items())[-_MAX_KEPT:]))
