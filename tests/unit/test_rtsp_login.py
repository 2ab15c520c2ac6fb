from __future__ import annotations

import re

import pytest

from zlfeed.rtsp.auth import Challenge, Login, best, challenges, digest, parameters

MUFASA = Login("Mufasa", "Circle Of Life")


def test_several_challenges_in_one_header() -> None:
    found = challenges('Basic realm="a, b=c", Digest realm="x", nonce="n", stale=FALSE,algorithm=MD5')
    assert [(c.scheme, dict(c.parameters)) for c in found] == [
        ("basic", {"realm": "a, b=c"}),
        ("digest", {"realm": "x", "nonce": "n", "stale": "FALSE", "algorithm": "MD5"}),
    ]


@pytest.mark.parametrize("header", ["", "Digest", ",,,", "=", "a=b", 'Digest realm="never closed'])
def test_odd_headers_hold_no_more_than_they_say(header: str) -> None:
    assert best(challenges(header)) is None or challenges(header)[0].scheme == "digest"


@pytest.mark.parametrize(
    ("header", "scheme"),
    [
        ('Basic realm="x"', "basic"),
        ('Basic realm="x", Digest realm="x", nonce="n"', "digest"),
        ('Digest realm="x", nonce="n", algorithm="SHA-256"', "digest"),
        ('Digest realm="x", nonce="n", qop="auth-int"', None),
        ('Digest realm="x", nonce="n", algorithm=MD5-sess', None),
        ('Digest realm="x", nonce="n", algorithm=MD5-sess, Basic realm="x"', None),
        ('Bearer realm="x", Basic realm="x"', None),
    ],
)
def test_what_is_answered(header: str, scheme: str | None) -> None:
    challenge = best(challenges(header))
    assert (challenge and challenge.scheme) == scheme


def test_the_digest_of_the_rfc_with_qop() -> None:
    # RFC 2617 section 3.5.
    nonce, cnonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093", "0a4f113b"
    used = f"{nonce}:00000001:{cnonce}:auth"
    value = digest("Mufasa", "Circle Of Life", "testrealm@host.com", used, "GET", "/dir/index.html")
    assert value == "6629fae49393a05397450978507c4ef1"


def test_the_digest_of_the_rfc_with_sha_256() -> None:
    # RFC 7616 section 3.9.1.
    nonce, cnonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    used = f"{nonce}:00000001:{cnonce}:auth"
    value = digest("Mufasa", "Circle of Life", "http-auth@example.org", used, "GET", "/dir/index.html", "SHA-256")
    assert value == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"


def test_with_qop_the_answer_names_what_it_was_made_of() -> None:
    challenge = Challenge("digest", {"realm": "r", "nonce": "n", "qop": "auth,auth-int", "opaque": "o"})
    header = MUFASA.answer(challenge, "RECORD", "rtsp://h/p", 3)
    given = parameters(header.removeprefix("Digest "))
    assert (given["qop"], given["nc"], given["opaque"], given["uri"]) == ("auth", "00000003", "o", "rtsp://h/p")
    used = f"n:00000003:{given['cnonce']}:auth"
    assert given["response"] == digest("Mufasa", "Circle Of Life", "r", used, "RECORD", "rtsp://h/p")
    assert MUFASA.answer(challenge, "RECORD", "rtsp://h/p", 3) != header, "the client's nonce is a new one each time"


def test_without_qop_the_answer_is_that_of_rfc_2069() -> None:
    header = MUFASA.answer(Challenge("digest", {"realm": "r", "nonce": "n"}), "SETUP", "rtsp://h/p")
    given = parameters(header.removeprefix("Digest "))
    assert given["response"] == digest("Mufasa", "Circle Of Life", "r", "n", "SETUP", "rtsp://h/p")
    assert not given.keys() & {"qop", "nc", "cnonce", "algorithm", "opaque"}


def test_signs_in_a_user_name_stay_within_their_quotes() -> None:
    header = Login('a"b\\c', "p").answer(Challenge("digest", {"realm": "r", "nonce": "n"}), "SETUP", "u")
    assert re.search(r'username="a\\"b\\\\c"', header)


def test_a_password_is_not_in_the_repr() -> None:
    assert "Circle" not in repr(MUFASA)
