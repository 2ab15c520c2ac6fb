from __future__ import annotations

from pathlib import Path

import pytest

from zlfeed.config import OLDER_NAMES, Settings, load, parse_bitrate, parse_size
from zlfeed.errors import UsageError


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder, and none of the variables that this machine may have set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in (*OLDER_NAMES, *(f"ZLFEED_{field.upper()}" for field in Settings.model_fields), "ZLFEED_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def refused(**flags: object) -> str:
    with pytest.raises(UsageError) as caught:
        load(**flags)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "size"),
    [("640x480", (640, 480)), (" 1920X1080 ", (1920, 1080)), ("64×64", (64, 64)), ([64, 66], (64, 66))],
)
def test_sizes(text: object, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("641x480", "try 642x480"),
        ("640x481", "try 640x482"),
        ("640", "looks like 640x480"),
        ("640x480x3", "looks like 640x480"),
        ("-640x480", "looks like 640x480"),
        ("0x0", "outside"),
        ("62x64", "outside"),
        ("8000x480", "outside"),
        (None, "looks like"),
    ],
)
def test_sizes_that_cannot_be(text: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("800k", 800_000), ("2.5M", 2_500_000), ("800000", 800_000), (800_000, 800_000), ("64kbps", 64_000)],
)
def test_bitrates(text: object, rate: int) -> None:
    assert parse_bitrate(text) == rate


@pytest.mark.parametrize("text", ["abc", "", "k", "800kk", "-1M", "1e6", "15k", "201M", "0", "nan"])
def test_bitrates_that_cannot_be(text: str) -> None:
    with pytest.raises(ValueError, match="bitrate"):
        parse_bitrate(text)


def test_the_defaults() -> None:
    settings = load()
    assert settings.camera == ["auto"]
    assert (settings.rtsp_port, settings.websocket_port) == (8554, 9000)
    assert settings.bitrate == 800_000
    assert settings.gop is None
    assert settings.size is None
    assert settings.stream_name == "zerolatency"


def test_flag_before_environment_before_dotenv_before_file_before_default(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("zlfeed.toml").write_text('bitrate = "100k"\nrtsp_port = 1001\nfps = 1\nstream_name = "toml"\n')
    Path(".env").write_text("ZLFEED_BITRATE=200k\nZLFEED_RTSP_PORT=1002\nZLFEED_FPS=2\n")
    monkeypatch.setenv("ZLFEED_BITRATE", "300k")
    monkeypatch.setenv("ZLFEED_RTSP_PORT", "1003")
    settings = load(bitrate="400k", fps=None)
    assert settings.bitrate == 400_000
    assert settings.rtsp_port == 1003
    assert settings.fps == 2
    assert settings.stream_name == "toml"
    assert load(rtsp_port=1004).rtsp_port == 1004


def test_the_older_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PI_VPN_IP", "10.8.0.2")
    for name, value in {
        "WEBSOCKET_PORT": "9100",
        "RTSP_PORT": "8600",
        "HLS_PORT": "8700",
        "WEBRTC_PORT": "8701",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("STREAM_NAME", "door")
    monkeypatch.setenv("CONNECTION_TIMEOUT", "7.5")
    settings = load()
    assert (settings.advertise, settings.publisher) == ("10.8.0.2", "10.8.0.2")
    assert (settings.websocket_port, settings.rtsp_port, settings.hls_port, settings.webrtc_port) == (
        9100,
        8600,
        8700,
        8701,
    )
    assert settings.stream_name == "door"
    assert settings.connection_timeout == 7.5
    assert load(rtsp_port=1).rtsp_port == 1
    assert load(advertise="a").publisher == "10.8.0.2"


def test_the_new_name_goes_before_the_older_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTSP_PORT", "8600")
    monkeypatch.setenv("ZLFEED_RTSP_PORT", "8700")
    assert load().rtsp_port == 8700


def test_an_older_name_in_dotenv_stands_behind_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("RTSP_PORT=1002\nSTREAM_NAME=dot\n")
    monkeypatch.setenv("ZLFEED_RTSP_PORT", "1003")
    settings = load()
    assert settings.rtsp_port == 1003
    assert settings.stream_name == "dot"


def test_lists_and_sizes_come_from_the_environment_as_they_would_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZLFEED_CAMERA", "front=test,back=/dev/video1")
    monkeypatch.setenv("ZLFEED_ALLOW", "10.0.0.0/8")
    monkeypatch.setenv("ZLFEED_SIZE", "1280x720")
    settings = load()
    assert settings.camera == ["front=test", "back=/dev/video1"]
    assert settings.allow == ["10.0.0.0/8"]
    assert settings.size == (1280, 720)


def test_lists_and_sizes_come_from_the_file() -> None:
    Path("zlfeed.toml").write_text('camera = ["front=0", "test"]\nsize = "1280x720"\n')
    settings = load()
    assert settings.camera == ["front=0", "test"]
    assert settings.size == (1280, 720)


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZLFEED_BITRATE", "")
    assert load().bitrate == 800_000


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"fps": 0}, ["--fps", "0"]),
        ({"fps": float("nan")}, ["--fps"]),
        ({"fps": 241}, ["--fps", "240"]),
        ({"size": "641x480"}, ["--size", "642x480"]),
        ({"bitrate": "abc"}, ["--bitrate", "'abc'"]),
        ({"gop": "often"}, ["--gop", "'often'"]),
        ({"gop": "0"}, ["--gop", "1 to 3000"]),
        ({"codec": "mpeg2"}, ["--codec", "h264", "h265", "'mpeg2'"]),
        ({"server": "nginx"}, ["--server", "'nginx'"]),
        ({"rtsp_port": 65536}, ["--rtsp-port", "65535"]),
        ({"stream_name": "a/b"}, ["--stream-name", "'a/b'"]),
        ({"duration": -1}, ["--duration"]),
        ({"log_format": "xml"}, ["--log-format", "'xml'"]),
    ],
)
def test_a_wrong_flag_is_named_with_its_value(flags: dict[str, object], words: list[str]) -> None:
    said = refused(**flags)
    assert "\n" not in said
    assert all(word in said for word in words), said
    # Words for people, not those of the checker.
    assert "pattern" not in said
    assert "^" not in said


def test_a_wrong_value_from_elsewhere_tells_where_it_may_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZLFEED_BITRATE", "lots")
    said = refused()
    assert all(word in said for word in ("--bitrate", "ZLFEED_BITRATE", "zlfeed.toml", "'lots'")), said


def test_every_wrong_value_has_its_line() -> None:
    assert len(refused(fps=0, bitrate="abc", gop="x").splitlines()) == 3


@pytest.mark.parametrize("text", ["bitrate = ", "[[", "bitrate = \xff"])
def test_a_file_that_is_no_toml_is_said_in_one_line(text: str) -> None:
    Path("zlfeed.toml").write_bytes(text.encode("latin-1"))
    said = refused()
    assert "zlfeed.toml" in said
    assert "\n" not in said


def test_an_unknown_name_in_the_file_is_said() -> None:
    Path("zlfeed.toml").write_text('bitrat = "800k"\n')
    said = refused()
    assert "zlfeed.toml" in said
    assert "'bitrat'" in said
    assert "did you mean bitrate?" in said


def test_a_file_named_by_the_environment_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZLFEED_CONFIG", "elsewhere.toml")
    assert "elsewhere.toml" in refused()
    Path("elsewhere.toml").write_text("rtsp_port = 1\n")
    assert load().rtsp_port == 1


def test_the_file_stands_behind_an_older_name(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("zlfeed.toml").write_text('advertise = "10.0.0.9"\n')
    monkeypatch.setenv("PI_VPN_IP", "10.8.0.2")
    assert load().advertise == "10.8.0.2"


def test_a_foreign_dotenv_is_no_concern_of_ours() -> None:
    Path(".env").write_text("PUBLISHER=acme\nHOST=db\nPASSWORD=x y\n")
    settings = load()
    assert settings.publisher is None
    assert settings.host is None
