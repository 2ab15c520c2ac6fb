from __future__ import annotations

import json
from pathlib import Path

import pytest

from zlfeed import config_command, tokens
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
    return {line["name"]: (line["value"], line["origin"]) for line in lines}


def test_each_setting_says_where_it_was_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("zlfeed.toml").write_text('bitrate = "2M"\nfps = 25\nsize = "1280x720"\n')
    Path(".env").write_text("ZLFEED_FPS=20\nSTREAM_NAME=door\n")
    monkeypatch.setenv("RTSP_PORT", "9554")
    rows = shown(capsys)
    assert rows["bitrate"] == ("2000000", "zlfeed.toml")
    assert rows["size"] == ("1280x720", "zlfeed.toml")
    assert rows["fps"] == ("20.0", ".env: ZLFEED_FPS")
    assert rows["stream_name"] == ("door", ".env: STREAM_NAME")
    assert rows["rtsp_port"] == ("9554", "variable RTSP_PORT")
    assert rows["gop"] == (None, "default")


def test_secrets_are_hidden(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZLFEED_TOKEN", "open-sesame")
    monkeypatch.setenv("ZLFEED_SERVER", "rtsp://me:open-sesame@host/path")
    config_command.show(as_json=False)
    config_command.show(as_json=True)
    out = capsys.readouterr().out
    assert "open-sesame" not in out
    assert "(hidden)" in out


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('\nbitrat = "2M"\n', "zlfeed.toml, line 2: there is no setting 'bitrat': did you mean bitrate?"),
        ("# fps\nfps = 0\n", "zlfeed.toml, line 2: the setting fps (--fps, ZLFEED_FPS or zlfeed.toml): must be"),
        ("fps = = 3\n", "zlfeed.toml cannot be read:"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, sentence: str) -> None:
    Path("zlfeed.toml").write_text(text)
    with pytest.raises(UsageError) as error:
        config_command.validate(None)
    assert str(error.value).startswith(sentence)


def test_a_right_file_is_said_to_be_right(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZLFEED_CONFIG", "")  # what validate() sets is taken back
    Path("mine.toml").write_text('bitrate = "2M"\n')
    assert config_command.validate(Path("mine.toml")) == 0
    assert capsys.readouterr().out == "mine.toml is right\n"
    with pytest.raises(UsageError, match=r"there is no file none\.toml"):
        config_command.validate(Path("none.toml"))


def test_a_new_token_takes_the_old_one_s_place_and_is_nobody_else_s_to_read() -> None:
    first, second = tokens.renew(), tokens.renew()
    assert first.value != second.value
    assert second.path is not None
    assert second.path.read_text().strip() == second.value
    assert second.path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in second.path.parent.iterdir()] == ["token"]
