from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from zlfeed import tokens
from zlfeed.config import Settings, load
from zlfeed.errors import UsageError

GOOD = "a-Secret_token.42"


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A state folder of its own, and no settings of this machine."""
    path = tmp_path / "state" / "zlfeed" / "token"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tokens, "state_file", lambda: path)
    monkeypatch.delenv("ZLFEED_TOKEN", raising=False)
    monkeypatch.delenv("ZLFEED_TOKEN_FILE", raising=False)
    monkeypatch.delenv("ZLFEED_NO_AUTH", raising=False)
    return path


def test_a_publisher_makes_its_token_once_and_for_its_user_alone(own_state: Path) -> None:
    first = tokens.for_publisher(Settings())
    assert first is not None
    assert first.created
    assert not first.explicit
    assert len(first.value) >= 16
    if sys.platform != "win32":
        assert stat.S_IMODE(own_state.stat().st_mode) == 0o600
    assert [file.name for file in own_state.parent.iterdir()] == ["token"]
    second = tokens.for_publisher(Settings())
    assert second is not None
    assert second.value == first.value
    assert not second.created


def test_of_two_publishers_that_start_together_both_have_the_same_token(own_state: Path) -> None:
    # The other one finishes between our look and our write.
    own_state.parent.mkdir(parents=True)
    own_state.write_text(GOOD + "\n")
    assert tokens._create(own_state).value == GOOD


def test_a_viewer_on_the_publisher_s_machine_finds_the_token_and_one_elsewhere_has_none() -> None:
    assert tokens.for_client(Settings(), "localhost") == ""
    made = tokens.for_publisher(Settings())
    assert made is not None
    # This machine's own token is nobody else's business: a stranger would only have to be asked.
    assert tokens.for_client(Settings(), "192.0.2.7") == ""
    assert tokens.for_client(Settings(), "localhost") == made.value


def test_a_named_token_is_explicit_and_a_file_goes_before_the_flag(tmp_path: Path) -> None:
    file = tmp_path / "t"
    file.write_text(f"  {GOOD}\n")
    by_file = tokens.for_publisher(Settings(token_file=file, token="another-token"))
    assert by_file is not None
    assert (by_file.value, by_file.explicit) == (GOOD, True)
    by_flag = tokens.for_publisher(Settings(token=GOOD))
    assert by_flag is not None
    assert (by_flag.value, by_flag.explicit) == (GOOD, True)
    assert tokens.for_client(Settings(token_file=file), "192.0.2.7") == GOOD


def test_the_environment_names_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZLFEED_TOKEN", GOOD)
    assert tokens.for_client(load(), "localhost") == GOOD


def test_with_no_auth_there_is_none() -> None:
    assert tokens.for_publisher(Settings(no_auth=True, token=GOOD)) is None


@pytest.mark.parametrize("value", ["short", "x" * 257, "has a space", "ümlaut-token", 'quo"ted-token', "user:token-1"])
def test_a_token_that_would_not_survive_a_url_or_a_header_is_refused_without_repeating_it(value: str) -> None:
    with pytest.raises(UsageError) as caught:
        tokens.for_publisher(Settings(token=value))
    assert "--token" in str(caught.value)
    assert value not in str(caught.value)


def test_a_token_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="missing cannot be read: No such file"):
        tokens.given(Settings(token_file=tmp_path / "missing"))
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        tokens.given(Settings(token_file=tmp_path))
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\0")
    with pytest.raises(UsageError, match="is no text"):
        tokens.given(Settings(token_file=binary))


def test_a_state_folder_that_cannot_be_written_says_what_to_do(own_state: Path) -> None:
    own_state.parents[1].write_text("a file where a folder should be")
    with pytest.raises(UsageError, match="--token-file"):
        tokens.for_publisher(Settings())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may look into any folder")
def test_a_state_folder_that_may_not_be_looked_into_says_what_to_do(own_state: Path) -> None:
    own_state.parent.mkdir(parents=True)
    own_state.parent.chmod(0)
    with pytest.raises(UsageError, match="--token-file"):
        tokens.for_publisher(Settings())


def test_a_token_does_not_show_itself() -> None:
    assert GOOD not in repr(tokens.Token(GOOD, True))
