from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from zlfeed import certificates, discovery, tls
from zlfeed.config import Settings
from zlfeed.doctor import app, checks, encoders, ntp, reach, self_test
from zlfeed.doctor.finding import Finding, worst
from zlfeed.publisher.encode.ffmpeg import EncoderSettings
from zlfeed.publisher.encode.trial import Trial
from zlfeed.receiver.describe import Description
from zlfeed.receiver.target import Target

SUMMARY: dict[str, Any] = {
    "frames": 120,
    "missed": 0,
    "latency_ms": {"p50": 4.1, "p95": 6.0, "p99": 9.2, "max": 11.0},
    "latency_error_ms": 0.4,
}


def test_the_gravest_finding_is_the_verdict() -> None:
    fine, odd, bad = (Finding("x", level, "") for level in ("ok", "warn", "fail"))
    assert worst([]) == worst([fine]) == "ok"
    assert worst([fine, odd, fine]) == "warn"
    assert worst([bad, odd]) == "fail"


def test_the_self_test_says_what_was_measured() -> None:
    found = self_test.verdict(SUMMARY)
    assert found.level == "ok"
    assert found.text == "120 pictures, 0 missed, latency p50 4.1 ms, p99 9.2 ms ± 0.4 ms"


def test_a_slow_machine_and_an_unknown_latency_are_said_to_be() -> None:
    slow = self_test.verdict({**SUMMARY, "latency_ms": {**SUMMARY["latency_ms"], "p50": 80.0}})
    assert (slow.level, bool(slow.cure)) == ("warn", True)
    assert self_test.verdict({**SUMMARY, "latency_ms": None}).level == "fail"


WISH = EncoderSettings(640, 480, 30.0, 800_000, 30, "h264", "auto")


@pytest.mark.parametrize(
    ("trial", "level", "words"),
    [
        (Trial("libx264", "/f", True, 0, 2.0, 3.0), "ok", "libx264: 2.0 ms a frame of 640x480 (p95 3.0), of /f"),
        (Trial("libx264", "/f", True, 2, 2.0, 3.0), "warn", "holds 2 frames back: 67 ms"),
        (Trial("libx264", "/f", True, 0, 30.0, 40.0), "warn", "too slow for 30 fps, or this machine is busy"),
        (Trial("libx264", "/f", True), "warn", "too slowly to be timed"),
    ],
)
def test_what_a_trial_says_of_the_machine(trial: Trial, level: str, words: str) -> None:
    found = encoders.verdict("encoder h264", trial, WISH)
    assert found.level == level
    assert words in found.text
    assert bool(found.cure) == (level != "ok")


def test_an_encoder_that_is_named_is_tried_for_its_own_codec_only() -> None:
    named = encoders.wishes(Settings(codec="h265", encoder="libx265", preset="medium", size=(1280, 720), fps=25))
    assert [(wish.codec, wish.encoder, wish.preset) for wish in named] == [
        ("h264", "auto", ""), ("h265", "libx265", "medium"), ("av1", "auto", ""),
    ]  # fmt: skip
    assert {(wish.width, wish.height, wish.fps, wish.gop) for wish in named} == {(1280, 720, 25.0, 25)}
    cameras_own = encoders.wishes(Settings(encoder="rpicam"))
    assert cameras_own[0].encoder == "auto", "FFmpeg has none of that name"


def test_a_program_that_is_no_ffmpeg_fails_it(tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    (found,) = checks.ffmpeg(Settings(ffmpeg_path=program))
    assert (found.level, found.text) == ("fail", f"{program} does not run: it says nothing of FFmpeg")
    assert found.cure
    program.write_text("#!/bin/sh\necho 'ffmpeg: error while loading shared libraries: libGL.so.1' >&2; exit 127\n")
    (found,) = checks.ffmpeg(Settings(ffmpeg_path=program))
    assert found.text.endswith("loading shared libraries: libGL.so.1")
    (found,) = checks.ffmpeg(Settings(ffmpeg_path=tmp_path / "nowhere"))
    assert found.level == "fail"
    assert "--ffmpeg-path" in found.text


def test_a_certificate_is_looked_at(tmp_path: Path) -> None:
    files = tls.Pair(tmp_path / "cert.pem", tmp_path / "key.pem")
    assert list(checks.certificate(Settings())) == []
    for days, level in ((400, "ok"), (10, "warn")):
        certificates.make(files, ["localhost"], days=days, replace=True)
        (found,) = checks.certificate(Settings(tls_cert=files.cert, tls_key=files.key))
        assert found.level == level
    assert "expires in " in found.text
    assert "zlfeed tls init --force" in found.cure
    (found,) = checks.certificate(Settings(tls_cert=files.cert))
    assert (found.level, "--tls-key is missing" in found.text) == ("fail", True)
    files.key.write_text("none")
    (found,) = checks.certificate(Settings(tls_cert=files.cert, tls_key=files.key))
    assert found.level == "fail"


@pytest.mark.parametrize(
    ("error", "level", "words"),
    [
        (None, "ok", "unknown"),
        (2_500, "ok", "set by the network, to 2 ms or better"),
        (16_000_000, "warn", "not set by the network"),
    ],
)
def test_the_clock_is_as_the_kernel_says(
    monkeypatch: pytest.MonkeyPatch, error: int | None, level: str, words: str
) -> None:
    monkeypatch.setattr(ntp, "error_us", lambda: error)
    (found,) = checks.clock(Settings())
    assert (found.level, words in found.text) == (level, True)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked on Linux only")
def test_the_kernel_is_asked_and_nothing_is_set() -> None:
    error = ntp.error_us()
    assert error is None or error >= 0


HERE = [reach.Own("eth0", "192.0.2.2", 24), reach.Own("wg0", "10.9.0.1", 24)]


@pytest.mark.parametrize(
    ("settings", "level", "words"),
    [
        ({"advertise": "10.9.0.1"}, "ok", "10.9.0.1 is advertised, and is this machine's (wg0)"),
        ({"advertise": "10.9.0.1", "publisher": "10.9.0.1"}, "ok", "is this machine's (wg0)"),
        ({"advertise": "10.9.0.7"}, "warn", "10.9.0.7 is advertised, and is no address of this machine"),
        (
            {"advertise": "10.9.0.7", "publisher": "10.9.0.7"},
            "ok",
            "is another machine; the way to it begins at 10.9.0.1",
        ),
        ({"publisher": "10.8.0.7"}, "warn", "the way to it begins at 192.0.2.2 (eth0), which is no VPN"),
        ({"publisher": "192.0.2.9"}, "ok", "begins at 192.0.2.2 (eth0)"),
    ],
)
def test_the_address_that_was_named_is_looked_for(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], level: str, words: str
) -> None:
    monkeypatch.setattr(reach, "source_for", lambda host: "10.9.0.1" if host.startswith("10.9.") else "192.0.2.2")
    monkeypatch.setattr(reach, "own", lambda: HERE)
    *_, found = reach.network(Settings(**settings))  # type: ignore[arg-type]
    assert (found.check, found.level) == ("address", level)
    assert words in found.text


def test_the_system_knows_the_way_to_itself() -> None:
    assert reach.source_for("127.0.0.1") == "127.0.0.1"


def test_a_vpn_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "own", lambda: HERE)
    found = {one.check: one.text for one in reach.network(Settings(advertise=None, publisher=None))}
    assert found == {"network": "192.0.2.2 (eth0), 10.9.0.1 (wg0)", "vpn": "10.9.0.1 (wg0)"}
    monkeypatch.setattr(reach, "own", list)
    (alone,) = reach.network(Settings(advertise=None, publisher=None))
    assert alone.level == "warn"


def test_a_publisher_that_was_only_found_is_shown_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []
    offer = discovery.Offer("pi", ("10.9.0.2",), 8554, 9000, ("front",), asks_token=True)

    async def find() -> list[discovery.Offer]:
        return [offer]

    async def reachable(_offer: discovery.Offer) -> str:
        return "10.9.0.2"

    def describe(target: Target, _timeout_s: float, _trust: tls.Trust) -> Description:
        shown.append(target.credentials)
        return Description(False, "it asks for a token", wants_token=True)

    monkeypatch.setattr(discovery, "find", find)
    monkeypatch.setattr(discovery, "reachable", reachable)
    monkeypatch.setattr(reach, "describe", describe)
    (found,) = reach.publisher(Settings(publisher=None, token="main-token-1"))
    assert shown == [None]
    assert (found.level, found.text) == (
        "ok", "rtsp://10.9.0.2:8554/front answers, and asks for a token; none was shown to it",
    )  # fmt: skip


def test_nothing_that_is_wrong_is_left_unsaid_on_a_narrow_terminal_or_none(capsys: pytest.CaptureFixture[str]) -> None:
    finding = Finding("encoder h264", "warn", "word " * 40, "cure " * 30)
    app._print(Console(width=80, force_terminal=True, color_system=None), finding)
    narrow = capsys.readouterr().out.splitlines()
    assert max(map(len, narrow)) <= 80
    assert all(line.startswith(" " * 24) for line in narrow[1:])
    app._print(Console(width=80, force_terminal=False), finding)
    assert len(capsys.readouterr().out.splitlines()) == 2


_NO_LIBRARY = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")

sys.meta_path.insert(0, Missing())
from zlfeed.doctor import app, checks
checks.ALL = (checks.opencv, checks.screen)
from zlfeed.config import Settings
sys.exit(app.run(Settings(), with_self_test=False, as_json=True))
"""


def test_a_machine_without_libgl_is_told_so_by_a_doctor_that_runs_there() -> None:
    """The loader of a Python that cannot find the library, as on a Pi without a desktop."""
    done = subprocess.run([sys.executable, "-c", _NO_LIBRARY], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    opencv, screen, verdict = map(json.loads, done.stdout.splitlines())
    assert (opencv["check"], opencv["level"], verdict["level"]) == ("opencv", "fail", "fail")
    assert "the library libGL.so.1 is missing" in opencv["text"]
    assert "apt install libgl1" in opencv["text"]
    assert screen["level"] == "warn"


def test_whatever_is_not_well_comes_with_its_cure(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    wrong = Settings(
        ffmpeg_path=nowhere, mediamtx_path=nowhere, tls_cert=nowhere, tls_key=nowhere, advertise="192.0.2.9"
    )
    looked = (checks.ffmpeg, checks.mediamtx, checks.cameras, checks.certificate, reach.network)
    found = [finding for check in looked for finding in check(wrong)]
    assert {finding.check for finding in found if finding.level == "fail"} == {"ffmpeg", "certificate"}
    assert [finding for finding in found if finding.level != "ok" and not finding.cure] == []
