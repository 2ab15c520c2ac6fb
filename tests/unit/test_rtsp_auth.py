from __future__ import annotations

import base64
import hashlib

from hypothesis import given
from hypothesis import strategies as st

from zlfeed.rtsp.auth import Credentials, digest, parameters

NONCE = "0123abcd"
CREDENTIALS = Credentials("a-secret-token")


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def authorization(
    password: str = "a-secret-token",
    user: str = "viewer",
    nonce: str = NONCE,
    method: str = "DESCRIBE",
    uri: str = "rtsp://h/zerolatency",
) -> str:
    """What a client makes of the challenge, by RFC 2617 sections 3.2.2.1 to 3.2.2.3."""
    response = md5(f"{md5(f'{user}:zlfeed:{password}')}:{nonce}:{md5(f'{method}:{uri}')}")
    return f'Digest username="{user}", realm="zlfeed", nonce="{nonce}", uri="{uri}", response="{response}"'


def test_the_digest_is_that_of_the_rfc() -> None:
    # RFC 2069 section 2.4 with its erratum 749: the example without qop.
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    value = digest("Mufasa", "CircleOfLife", "testrealm@host.com", nonce, "GET", "/dir/index.html")
    assert value == "1949323746fe6a43ef61f9606e7febea"


def test_the_right_password_is_accepted() -> None:
    assert CREDENTIALS.accepts(authorization(), "DESCRIBE", NONCE)


def test_the_uri_may_be_the_base_url_as_vlc_signs_it() -> None:
    header = authorization(method="SETUP", uri="rtsp://h/zerolatency/")
    assert CREDENTIALS.accepts(header, "SETUP", NONCE)


def test_what_is_wrong_is_refused() -> None:
    assert not CREDENTIALS.accepts("", "DESCRIBE", NONCE)
    assert not CREDENTIALS.accepts(authorization(password="another"), "DESCRIBE", NONCE)
    assert not CREDENTIALS.accepts(authorization(user="admin"), "DESCRIBE", NONCE)
    assert not CREDENTIALS.accepts(authorization(nonce="feed"), "DESCRIBE", NONCE)
    assert not CREDENTIALS.accepts(authorization(method="SETUP"), "DESCRIBE", NONCE)
    assert not CREDENTIALS.accepts(authorization().replace("Digest", "Basic"), "DESCRIBE", NONCE)


def test_parameters_come_quoted_or_bare() -> None:
    header = 'username="v, w", nc=00000001,qop=auth , uri="/a=b"'
    assert parameters(header) == {"username": "v, w", "nc": "00000001", "qop": "auth", "uri": "/a=b"}


def test_the_challenge_offers_md5_alone() -> None:
    (challenge,) = CREDENTIALS.challenge(NONCE)
    assert challenge.startswith("Digest ")
    assert parameters(challenge.partition(" ")[2]) == {"realm": "zlfeed", "nonce": NONCE}


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_over_tls_basic_is_offered_and_taken_and_without_it_is_not() -> None:
    assert [challenge.split()[0] for challenge in CREDENTIALS.challenge(NONCE, secure=True)] == ["Digest", "Basic"]
    assert CREDENTIALS.accepts(basic("viewer:a-secret-token"), "PLAY", NONCE, secure=True)
    assert not CREDENTIALS.accepts(basic("viewer:a-secret-token"), "PLAY", NONCE)
    for text in ("viewer:a-secret-toke", "viewer:", "other:a-secret-token", "a-secret-token", "viewer:ä-secret-token"):
        assert not CREDENTIALS.accepts(basic(text), "PLAY", NONCE, secure=True)
    for header in ("Basic", "Basic ", "Basic %%%", "Basic é"):
        assert not CREDENTIALS.accepts(header, "PLAY", NONCE, secure=True)


def test_any_of_several_passwords_will_do_and_it_is_known_which() -> None:
    both = Credentials("main-token", others=("look-token",))
    answer = digest("viewer", "look-token", "zlfeed", NONCE, "PLAY", "*")
    header = f'Digest username="viewer", nonce="{NONCE}", uri="*", response="{answer}"'
    assert both.shown(header, "PLAY", NONCE) == "look-token"
    assert both.shown(basic("viewer:main-token"), "PLAY", NONCE, secure=True) == "main-token"
    assert both.shown(basic("viewer:other-token"), "PLAY", NONCE, secure=True) is None
    assert "token" not in repr(both)


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_header_is_refused_and_nothing_worse(header: str, response: str) -> None:
    assert not CREDENTIALS.accepts(header, "PLAY", NONCE)
    forged = f'Digest username="viewer", nonce="{NONCE}", uri="*", response="{response}"'
    assert not CREDENTIALS.accepts(forged, "PLAY", NONCE)


def test_neither_password_nor_digest_shows_in_the_credentials() -> None:
    assert "a-secret-token" not in repr(CREDENTIALS)
