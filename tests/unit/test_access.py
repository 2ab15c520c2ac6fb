"""The tokens in force: who may come in, what they may do, and what a change of tokens changes."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from pathlib import Path

import pytest

from zlfeed import tokens
from zlfeed.config import Settings
from zlfeed.errors import UsageError
from zlfeed.publisher.access import Access
from zlfeed.tokens import Token

MAIN, LOOK, WRONG = "main-token-1", "look-token-2", "wrong-token-3"
ELSEWHERE, HERE = "10.9.0.5", "127.0.0.1"


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A state folder of its own, and no settings of this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tokens, "state_file", lambda: tmp_path / "state" / "token")
    for name in ("TOKEN", "TOKEN_FILE", "NO_AUTH", "READONLY_TOKEN", "READONLY_TOKEN_FILE"):
        monkeypatch.delenv(f"ZLFEED_{name}", raising=False)
    return tmp_path / "state"


@pytest.mark.parametrize(
    ("explicit", "host", "token", "role"),
    [
        (False, ELSEWHERE, MAIN, "control"), (False, ELSEWHERE, LOOK, "view"),
        (False, ELSEWHERE, WRONG, None), (False, ELSEWHERE, "", None), (False, ELSEWHERE, "ümlaut-token", None),
        (False, HERE, "", "control"), (False, HERE, WRONG, "control"), (False, HERE, LOOK, "view"),
        (True, HERE, "", None), (True, HERE, WRONG, None), (True, HERE, MAIN, "control"), (True, HERE, LOOK, "view"),
    ],
)  # fmt: skip
def test_what_a_token_lets_its_bearer_do(explicit: bool, host: str, token: str, role: str | None) -> None:
    access = Access(Token(MAIN, explicit), Token(LOOK, True))
    assert access.role(token, host) == role


def test_both_tokens_open_rtsp() -> None:
    credentials = Access(Token(MAIN, False), Token(LOOK, True)).credentials_for(ELSEWHERE)
    assert credentials is not None
    assert credentials.passwords == (MAIN, LOOK)
    assert MAIN not in repr(credentials)
    assert LOOK not in repr(credentials)


def test_without_authentication_everyone_may_do_everything() -> None:
    access = Access.of(Settings(no_auth=True, readonly_token=LOOK))
    assert access.role("", ELSEWHERE) == access.role(LOOK, ELSEWHERE) == "control"
    assert access.credentials_for(ELSEWHERE) is None
    assert access.take(Settings(no_auth=True)) == []


def test_tokens_are_compared_in_constant_time_and_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    real = hmac.compare_digest

    def spy(a: bytes, b: bytes) -> bool:
        compared.append(b)
        return real(a, b)

    access = Access(Token(MAIN, False), Token(LOOK, True))
    monkeypatch.setattr(hmac, "compare_digest", spy)
    for token in (MAIN, LOOK, WRONG, ""):
        compared.clear()
        access.role(token, ELSEWHERE)
        assert compared == [MAIN.encode(), LOOK.encode()]


def test_a_read_only_token_that_is_the_main_one_is_refused_without_repeating_it() -> None:
    with pytest.raises(UsageError, match="whoever has it could control") as caught:
        Access.of(Settings(token=MAIN, readonly_token=MAIN))
    assert MAIN not in str(caught.value)


def test_a_new_token_is_taken_and_the_old_one_is_none_any_more() -> None:
    access = Access.of(Settings())
    assert access.take(Settings()) == []
    (old,) = access.words
    new = tokens.renew(Settings()).value
    assert access.take(Settings()) == ["token"]
    assert (access.role(old, ELSEWHERE), access.role(new, ELSEWHERE)) == (None, "control")
    look = tokens.renew(Settings(), readonly=True).value
    assert access.take(Settings()) == ["read-only token"]
    assert access.role(look, ELSEWHERE) == "view"


def test_a_file_that_cannot_be_read_leaves_the_tokens_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "t"
    file.write_text(MAIN)
    settings = Settings(token_file=file)
    access = Access.of(settings)
    file.unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        access.take(settings)
    assert access.role(MAIN, ELSEWHERE) == "control"


def test_a_token_that_does_not_fit_leaves_the_tokens_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "t"
    file.write_text(MAIN)
    access = Access.of(Settings(token_file=file))
    file.write_text("another~token-1")

    def no(found: Sequence[str]) -> None:
        assert list(found) == ["another~token-1"]
        raise UsageError("the old one stays")

    with pytest.raises(UsageError, match="the old one stays"):
        access.take(Settings(token_file=file), no)
    assert access.words == [MAIN]


def test_whether_anybody_is_asked_does_not_change_while_viewers_are_here() -> None:
    access = Access.of(Settings(token=MAIN))
    with pytest.raises(UsageError, match="next start"):
        access.take(Settings(no_auth=True))
    assert access.role("", ELSEWHERE) is None
    access.take(Settings())
    assert access.role("", HERE) is None, "this machine is asked as before"
