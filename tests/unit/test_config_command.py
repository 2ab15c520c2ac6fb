from __future__ import annotations

import json
from pathlib import Path

import pytest

from zlfeed import config_command, tokens
from zlfeed.config import Settings
from zlfeed.errors import UsageError


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("PI_VPN_IP", "WINDOWS_VPN_IP", "RTSP_PORT", "ZLFEED_CONFIG", "ZLFEED_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def shown(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str | None, str]]:
    assert config_command.show(as_json=True) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(next(iter(line)) == "type" for line in lines)
    assert lines[0]["type"] == "file"
    return {line["name"]: (line["value"], line["origin"]) for line in lines[1:]}


def test_each_setting_says_where_it_was_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("zlfeed.toml").write_text('bitrate = "2M"\nfps = 25\nsize = "1280x720"\n')
    Path(".env").write_text("ZLFEED_FPS=20\nSTREAM_NAME=door\n")
    monkeypatch.setenv("RTSP_PORT", "9554")
    rows = shown(capsys)
    assert rows["bitrate"] == ("2000000", "zlfeed.toml, line 1")
    assert rows["size"] == ("1280x720", "zlfeed.toml, line 3")
    assert rows["fps"] == ("20.0", ".env, line 1: ZLFEED_FPS")
    assert rows["stream_name"] == ("door", ".env, line 2: STREAM_NAME")
    assert rows["rtsp_port"] == ("9554", "variable RTSP_PORT")
    assert rows["gop"] == (None, "default")


def test_secrets_are_hidden(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZLFEED_TOKEN", "open-sesame")
    monkeypatch.setenv("ZLFEED_SERVER", "rtsp://me:open-sesame@host/path")
    monkeypatch.setenv("ZLFEED_CAMERA", "test,front=rtsp://me:open-sesame@10.0.0.3/s")
    Path("zlfeed.toml").write_text('[cameras.back]\nsource = "rtsp://me:open-sesame@10.0.0.4/s"\n')
    config_command.show(as_json=False)
    config_command.show(as_json=True)
    out = capsys.readouterr().out
    assert "open-sesame" not in out
    assert "(hidden)" in out
    assert "front=rtsp://***@10.0.0.3/s" in out


def test_the_older_name_of_a_viewers_address_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("zlfeed.toml").write_text('allow = "10.0.0.0/8"\n')
    monkeypatch.setenv("WINDOWS_VPN_IP", "10.9.0.1")
    assert shown(capsys)["allow"] == ("10.0.0.0/8, 10.9.0.1/32", "zlfeed.toml, line 1; variable WINDOWS_VPN_IP")


def test_people_see_which_file_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    config_command.show(as_json=False)
    assert capsys.readouterr().out.startswith("configuration file: ")


def test_a_right_configuration_is_said_to_be_right(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("mine.toml").write_text('bitrate = "2M"\n')
    monkeypatch.setenv("ZLFEED_CONFIG", "mine.toml")
    monkeypatch.setenv("ZLFEED_BITRAT", "2M")
    assert config_command.validate() == 0
    assert capsys.readouterr() == (
        "mine.toml is right\n",
        "zlfeed: warning: the variable ZLFEED_BITRAT is no setting and does nothing: did you mean ZLFEED_BITRATE?\n",
    )
    Path("mine.toml").write_text('bitrat = "2M"\n')
    with pytest.raises(UsageError, match=r"mine\.toml, line 1: there is no setting 'bitrat': did you mean bitrate\?"):
        config_command.validate()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('camera = ["a=test", "a=0"]', "zlfeed.toml, line 1: two cameras are called 'a': give each a name of its own"),
        ('fps = 5\ntoken_file = "none"', "zlfeed.toml, line 2: the token file none cannot be read: No such file"),
        ('token = "abc"', "zlfeed.toml, line 1: --token: a token is 8 to 256 letters"),
        ('readonly_token = "a b c d e"', "zlfeed.toml, line 1: --readonly-token: a token is 8 to 256 letters"),
        ('tls_cert = "c.pem"', "zlfeed.toml, line 1: TLS wants a certificate and its key: --tls-key is missing"),
        ('tls_cert = "c.pem"\ntls_key = "k.pem"', "zlfeed.toml, line 1: the TLS file c.pem cannot be read"),
        (
            "rtsp_port = 9000",
            "zlfeed.toml, line 1: rtsp_port and websocket_port are both 9000: give each a port of its",
        ),
    ],
)
def test_what_settings_name_or_are_together_is_validated_too(text: str, sentence: str) -> None:
    Path("zlfeed.toml").write_text(text + "\n")
    with pytest.raises(UsageError) as caught:
        config_command.validate()
    assert str(caught.value).startswith(sentence)


def test_a_new_token_takes_the_old_one_s_place_and_is_nobody_else_s_to_read() -> None:
    first, second = tokens.renew(Settings()), tokens.renew(Settings())
    assert first.value != second.value
    assert second.path is not None
    assert second.path.read_text().strip() == second.value
    assert second.path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in second.path.parent.iterdir()] == ["token"]


def test_a_new_token_is_put_where_the_publisher_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "t"
    file.write_text("some-token-1")
    file.chmod(0o640)
    token = tokens.renew(Settings(token_file=file))
    assert (token.path, file.read_text().strip()) == (file, token.value)
    assert file.stat().st_mode & 0o777 == 0o640, "a service of another user may read it as before"
    assert not tokens.state_file().exists()
    with pytest.raises(UsageError, match="holds the token itself: change token there, or name a token_file"):
        tokens.renew(Settings(token="some-token-1"))
