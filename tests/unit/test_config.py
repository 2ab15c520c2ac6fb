from __future__ import annotations

import os
from pathlib import Path

import pytest

from zlfeed import config
from zlfeed.config import Settings, load, parse_bitrate, parse_size, unknown_variables
from zlfeed.config_sources import OLDER_NAMES
from zlfeed.errors import UsageError
from zlfeed.publisher.operations import takers


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


@pytest.mark.parametrize("name", ["ZLFEED_RTSP_PORT", "RTSP_PORT"])
def test_a_wrong_value_from_elsewhere_tells_where_it_was_said(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "70000")
    assert refused() == f"variable {name}: must be at most 65535, not '70000'"
    monkeypatch.delenv(name)
    Path(".env").write_text(f"# ports\n{name}=-1\n")
    assert refused() == f".env, line 2: {name}: must be at least 0, not '-1'"


def test_a_viewers_address_that_is_none_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDOWS_VPN_IP", "10.9.0.1")
    assert load().allow == ["10.9.0.1/32"]
    monkeypatch.setenv("WINDOWS_VPN_IP", "mine")
    assert "WINDOWS_VPN_IP" in refused()


def test_every_wrong_value_has_its_line() -> None:
    assert len(refused(fps=0, bitrate="abc", gop="x").splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("bitrate = ", "zlfeed.toml, at its end: this is no TOML: invalid value; a line looks like"),
        ("fps = 3\nfps = 4\n", "zlfeed.toml, line 2: this is no TOML: cannot overwrite a value; a line looks like"),
        ("fps 3\n", "zlfeed.toml, line 1: this is no TOML: expected '=' after a key in a key/value pair; a line"),
        ("fps = 3 \xff", "zlfeed.toml cannot be read: it is not UTF-8 text"),
        ('bitrat = "2M"', "zlfeed.toml, line 1: there is no setting 'bitrat': did you mean bitrate?"),
        ("\n\nrtsp-port = 1", "zlfeed.toml, line 3: there is no setting 'rtsp-port': did you mean rtsp_port?"),
        ("colour = 1", "zlfeed.toml, line 1: there is no setting 'colour'"),
        ("[publish]\nfps = 3", "zlfeed.toml, line 1: there are no tables but [cameras.NAME]: settings stand by"),
        ("[[camera]]\nfps = 3", "zlfeed.toml, line 1: there are no tables but [cameras.NAME]: settings stand by"),
        ("[cameras.a]\nfps = 0", "zlfeed.toml, line 2: [cameras.a] fps: must be at least 0.1, not 0"),
        ("[cameras.b]\n[cameras.a]\n\n bitrat = 1", "zlfeed.toml, line 4: [cameras.a] bitrat: there is no such"),
        ("[cameras.a]\nsize = '641x480'", "zlfeed.toml, line 2: [cameras.a] size: the size 641x480 is odd"),
        ("[cameras.a]\nsource = ['x']", "zlfeed.toml, line 2: [cameras.a] source: must be text in quotes"),
        ("[cameras]\na = 3", "zlfeed.toml, line 1: [cameras.a]: must be a table, [cameras.NAME], not 3"),
        ("\n[cameras.'a b']", "zlfeed.toml, line 2: [cameras.a b]: the stream name 'a b' may hold letters"),
        ("cameras = 3", "zlfeed.toml, line 1: cameras: must be a table, [cameras.NAME], not 3"),
        ("camera = 3", 'zlfeed.toml, line 1: camera: must be a list like ["one", "two"], not 3'),
        ("size = 640", "zlfeed.toml, line 1: size: a size looks like 640x480, not '640'"),
        ("# slow\nfps = 0", "zlfeed.toml, line 2: fps: must be at least 0.1, not 0"),
        ("fps = 'many'", "zlfeed.toml, line 1: fps: must be a number, not 'many'"),
        ("bitrate = 'lots'", "zlfeed.toml, line 1: bitrate: a bitrate looks like 800k or 2M, not 'lots'"),
        ("gop = 1.5", "zlfeed.toml, line 1: gop: a keyframe interval is a number of frames or auto, not '1.5'"),
        ("codec = 'vp8'", "zlfeed.toml, line 1: codec: must be 'h264', 'h265' or 'av1', not 'vp8'"),
        ("server = 'nginx'", "zlfeed.toml, line 1: server: the server is auto, embedded, mediamtx or rtsp://"),
        ("server = 'rtsp://a:s3cret@'", "zlfeed.toml, line 1: server: "),
        ("ffmpeg_path = 3", "zlfeed.toml, line 1: ffmpeg_path: must be a path in quotes, not 3"),
        ("rtsp_port = 'abc'", "zlfeed.toml, line 1: rtsp_port: must be a whole number, not 'abc'"),
        ("rtsp_port = 70000", "zlfeed.toml, line 1: rtsp_port: must be at most 65535, not 70000"),
        ("advertise = 'a/b'", "zlfeed.toml, line 1: advertise: an address is a name or an IP address without port"),
        ("stream_name = 'a b'", "zlfeed.toml, line 1: stream_name: the stream name 'a b' may hold letters, digits"),
        ("no_auth = 'maybe'", "zlfeed.toml, line 1: no_auth: must be true or false, not 'maybe'"),
        ("token = 3", "zlfeed.toml, line 1: token: must be text in quotes"),
        ("allow = ['10.0.0.0/99']", "zlfeed.toml, line 1: allow: "),
        ("alert_fps = 2", "zlfeed.toml, line 1: alert_fps: a share of the frames is less than 1, or off, not 2"),
        ("alert_webhook = 'x'", "zlfeed.toml, line 1: alert_webhook: a webhook is a URL like https://HOST/PATH"),
        ("mediamtx_base_url = 'x'", "zlfeed.toml, line 1: mediamtx_base_url: an address of releases looks like https://"),
        ("connection_timeout = 0", "zlfeed.toml, line 1: connection_timeout: must be more than 0, not 0"),
        ("'refresh_hz' = 99", "zlfeed.toml, line 1: refresh_hz: must be at most 30, not 99"),
        ("log_level = 'loud'", "zlfeed.toml, line 1: log_level: must be 'debug', 'info', 'warning' or 'error', not"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_file_is_said_with_its_line(text: str, sentence: str) -> None:
    Path("zlfeed.toml").write_bytes(text.encode("latin-1"))
    said = refused()
    assert said.startswith(sentence)
    assert "\n" not in said
    assert "s3cret" not in said


def test_every_unknown_name_has_its_line() -> None:
    Path("zlfeed.toml").write_text('bitrat = "800k"\nfps = 3\nportt = 1\n')
    assert [line.partition(":")[0] for line in refused().splitlines()] == ["zlfeed.toml, line 1", "zlfeed.toml, line 3"]


def test_a_variable_that_is_no_setting_is_worth_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZLFEED_BITRAT", "2M")
    monkeypatch.setenv("ZLFEED_EVENT_CODE", "camera_lost")
    Path(".env").write_text("FOREIGN=1\nZLFEED_PORTS=3\n")
    assert unknown_variables() == [
        "the variable ZLFEED_BITRAT is no setting and does nothing: did you mean ZLFEED_BITRATE?",
        ".env, line 2: ZLFEED_PORTS is no setting and does nothing: did you mean ZLFEED_HLS_PORT?",
    ]
    assert load().bitrate == 800_000


def test_what_cannot_be_read_is_said_in_one_line() -> None:
    Path("zlfeed.toml").mkdir()
    assert refused() == "zlfeed.toml cannot be read: Is a directory"
    Path(".env").write_bytes(b"ZLFEED_FPS=\xff")
    assert refused() == ".env cannot be read: it is not UTF-8 text"


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


def test_every_setting_is_live_or_waits_for_a_restart_or_is_another_commands() -> None:
    lists = (takers.LIVE, takers.RESTART, takers.OTHERS)
    for name in Settings.model_fields:
        assert sum(name in one for one in lists) == 1, f"{name}: put it into one of LIVE, RESTART, OTHERS in takers.py"
    assert frozenset().union(*lists) == set(Settings.model_fields), "a name that is no setting any more"


@pytest.mark.parametrize("before", [None, "mine"])
def test_what_keeps_plugins_out_is_gone_afterwards(before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that are started later may use pydantic with some."""
    name = "PYDANTIC_DISABLE_PLUGINS"
    monkeypatch.delenv(name, raising=False) if before is None else monkeypatch.setenv(name, before)
    with config._without_plugins():
        assert os.environ[name] == "__all__"
    assert os.environ.get(name) == before
