"""Which encoder of which FFmpeg is found: real FFmpegs, and such as hold frames back, lack encoders or break."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from zlfeed.errors import EncoderError
from zlfeed.publisher.encode import choice as choice_module
from zlfeed.publisher.encode.choice import EncoderChoice
from zlfeed.publisher.encode.encoders import KINDS
from zlfeed.publisher.encode.ffmpeg import EncoderSettings, find_ffmpeg, find_ffmpegs
from zlfeed.publisher.encode.trial import Trial, attempt

pytestmark = pytest.mark.timeout(90)
WISH = EncoderSettings(320, 240, 30, 300_000, 30)


@pytest.fixture(scope="module")
def program() -> Path:
    return find_ffmpeg(None)


@pytest.fixture
def wrapped(tmp_path: Path, program: Path) -> Callable[[str], Path]:
    """FFmpeg behind a shell script, which sees the command line first."""

    def make(script: str) -> Path:
        path = tmp_path / "wrapped-ffmpeg"
        path.write_text(f'#!/bin/bash\n{script}\nexec "{program}" "$@"\n')
        path.chmod(0o755)
        return path

    return make


HOLDS_BACK = 'set -- "${@/zerolatency/psnr}"'
"""Without it x264 works on several frames at a time."""
LACKS_X264 = 'case "$*" in *libx264*) echo "Unknown encoder \'libx264\'" >&2; exit 1;; esac'


class Told:
    """The events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str]] = []

    def __call__(self, level: str, code: str, text: str) -> None:
        self.events.append((level, code, text))

    @property
    def codes(self) -> list[str]:
        return [code for _, code, _ in self.events]


async def test_a_trial_proves_one_frame_in_one_frame_out(program: Path) -> None:
    trial = await attempt(program, replace(WISH, encoder="libx264"))
    assert (trial.works, trial.held, trial.why) == (True, 0, "")
    assert trial.p50_ms is not None
    assert 0 < trial.p50_ms <= (trial.p95_ms or 0)


async def test_frames_that_are_held_back_are_counted(wrapped: Callable[[str], Path]) -> None:
    trial = await attempt(wrapped(HOLDS_BACK), replace(WISH, encoder="libx264"))
    assert trial.works
    assert trial.held > 0


@pytest.mark.parametrize(("encoder", "why"), [("nosuch", "nosuch"), ("h264_nvenc", "."), ("libx265", "--codec h265")])
async def test_what_does_not_work_is_told_in_ffmpeg_s_words(program: Path, encoder: str, why: str) -> None:
    trial = await attempt(program, replace(WISH, encoder=encoder))
    assert not trial.works
    assert re.search(why, trial.why)
    assert trial.lasting


async def test_the_usual_one_is_tried_once_and_then_known(program: Path, tmp_path: Path) -> None:
    told, file = Told(), tmp_path / "encoders.json"
    first = EncoderChoice([program], file)
    assert first.known(WISH) is None
    chosen = await first.choose(WISH, told)
    assert chosen == replace(WISH, encoder="libx264")
    assert first.known(replace(WISH, bitrate=1)) == replace(WISH, encoder="libx264", bitrate=1)
    assert first.known(replace(WISH, width=1280, height=720)) is None
    assert told.events == []


async def test_a_trial_is_kept_for_the_next_start_until_ffmpeg_changes(
    wrapped: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Path] = []

    async def counted(program: Path, settings: EncoderSettings) -> Trial:
        tried.append(program)
        return Trial(settings.name, str(program), True, 0, 1.0, 2.0)

    monkeypatch.setattr(choice_module, "attempt", counted)
    own, file = wrapped(""), tmp_path / "encoders.json"
    for _ in range(2):
        await EncoderChoice([own], file).choose(WISH, Told())
    assert tried == [own]
    wrapped("# an update")
    await EncoderChoice([own], file).choose(WISH, Told())
    assert tried == [own, own]


async def test_an_ffmpeg_that_gives_each_frame_at_once_is_preferred(
    wrapped: Callable[[str], Path], program: Path, tmp_path: Path
) -> None:
    told = Told()
    holding = wrapped(HOLDS_BACK)
    choice = EncoderChoice([holding, program], tmp_path / "encoders.json")
    chosen = await choice.choose(WISH, told)
    assert (chosen.encoder, chosen.program) == ("libx264", program)
    assert told.codes == ["encoder_chosen"]
    assert "frames back" in told.events[0][2]
    # Alone it is used all the same, and viewers are told what it costs.
    told = Told()
    chosen = await EncoderChoice([holding], tmp_path / "encoders.json").choose(WISH, told)
    assert chosen.program is None
    assert told.codes == ["encoder_holds_frames"]


async def test_an_ffmpeg_without_the_encoder_gives_way_to_one_that_has_it(
    wrapped: Callable[[str], Path], program: Path, tmp_path: Path
) -> None:
    told = Told()
    choice = EncoderChoice([wrapped(LACKS_X264), program], tmp_path / "encoders.json")
    assert (await choice.choose(WISH, told)).program == program
    assert "encoder_fallback" in told.codes


async def test_a_named_encoder_that_does_not_work_is_refused_with_those_that_do(program: Path, tmp_path: Path) -> None:
    choice = EncoderChoice([program], tmp_path / "encoders.json")
    with pytest.raises(EncoderError, match=r"nosuch does not work here: .*these work: libx264"):
        await choice.choose(replace(WISH, encoder="nosuch"), Told())
    with pytest.raises(EncoderError, match=r"libx265 is no h264 encoder: say --codec h265"):
        await choice.choose(replace(WISH, encoder="libx265"), Told())


async def test_a_preset_that_there_is_not_is_refused_in_ffmpeg_s_words(program: Path, tmp_path: Path) -> None:
    choice = EncoderChoice([program], tmp_path / "encoders.json")
    with pytest.raises(EncoderError, match="preset"):
        await choice.choose(replace(WISH, preset="nosuch"), Told())


async def test_when_none_works_that_is_said(wrapped: Callable[[str], Path], tmp_path: Path) -> None:
    choice = EncoderChoice([wrapped(LACKS_X264)], tmp_path / "encoders.json")
    with pytest.raises(EncoderError, match=r"no h264 encoder works here: libx264: Unknown encoder"):
        await choice.choose(WISH, Told())


async def test_hardware_is_tried_where_there_is_a_device_and_software_is_slow(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device node stands there, and FFmpeg finds that it is none."""
    monkeypatch.setattr(
        choice_module, "device_of", lambda kind: "" if kind.name in ("libx264", "h264_v4l2m2m") else None
    )
    monkeypatch.setattr(Trial, "swift", lambda _trial, _fps: False)
    told = Told()
    choice = EncoderChoice([program], tmp_path / "encoders.json")
    chosen = await choice.choose(WISH, told)
    assert chosen.encoder == "libx264"
    assert told.codes == ["encoder_fallback"]
    assert "h264_v4l2m2m does not work here" in told.events[0][2]


async def test_one_that_fails_at_work_is_not_chosen_again(program: Path, tmp_path: Path) -> None:
    choice = EncoderChoice([program], tmp_path / "encoders.json")
    used = await choice.choose(WISH, Told())
    assert not choice.has_another(used)
    hardware = replace(used, encoder="h264_v4l2m2m")
    assert choice.has_another(hardware)
    choice.exclude(hardware, "it stalled")
    assert choice.known(WISH) == used


@pytest.mark.parametrize("program", find_ffmpegs(None), ids=lambda path: path.name)
def test_every_option_of_ours_is_one_that_ffmpeg_knows(program: Path) -> None:
    """Hardware encoders cannot be tried on every machine; that their options exist can."""
    common = subprocess.run([program, "-hide_banner", "-h", "full"], capture_output=True, text=True, check=True).stdout
    for kind in KINDS:
        said = subprocess.run(
            [program, "-hide_banner", "-h", f"encoder={kind.name}"], capture_output=True, text=True, check=False
        ).stdout
        if f"Encoder {kind.name} " not in said:
            continue
        for option in kind.options[::2]:
            assert re.search(rf"^ +{option}\s", said, re.MULTILINE) or option == "-flags", (kind.name, option)
        for option in kind.before[::2]:
            assert re.search(rf"^{option}\s", common, re.MULTILINE), (kind.name, option)
