"""Certificates: made, told by their fingerprint, trusted or not, and what is said when something is wrong with them."""

from __future__ import annotations

import contextlib
import datetime
import re
import ssl
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zlfeed import certificates, tls
from zlfeed.config import Settings
from zlfeed.errors import UsageError
from zlfeed.publisher.certificate import Certificate
from zlfeed.tls import Pair, Trust, Untrusted, parse_fingerprint

NAMES = ["robot.local", "10.9.0.2", "fd00::2"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("tls") / "state"
    files = Pair(folder / "cert.pem", folder / "key.pem")
    certificates.make(files, NAMES)
    return files


def test_a_pair_is_made_for_its_user_alone_and_serves(made: Pair) -> None:
    if sys.platform != "win32":
        assert {stat.S_IMODE(file.stat().st_mode) for file in (made.cert, made.key)} == {0o600}
    assert sorted(file.name for file in made.cert.parent.iterdir()) == ["cert.pem", "key.pem"]
    context = tls.server_context(made)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_it_is_for_the_names_that_were_said_and_tells_its_fingerprint(made: Pair) -> None:
    words = "\n".join(certificates.describe(made))
    assert ", ".join(NAMES) in words
    assert tls.file_fingerprint(made.cert) in words
    assert tls.fingerprint(ssl.PEM_cert_to_DER_cert(made.cert.read_text())) == tls.file_fingerprint(made.cert)


def test_a_pair_that_is_there_is_not_replaced_unasked(made: Pair) -> None:
    before = made.cert.read_bytes()
    with pytest.raises(UsageError, match="--force"):
        certificates.make(made, NAMES)
    assert made.cert.read_bytes() == before


def test_this_machine_s_names_are_found_and_what_is_advertised_comes_first() -> None:
    found = certificates.names(Settings(advertise="10.9.0.7"), ["robot.example"])
    assert found[:2] == ["robot.example", "10.9.0.7"]
    assert {"localhost", "127.0.0.1"} <= set(found)
    assert len(found) == len(set(found))
    assert not any(name.startswith("fe80") for name in found)


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no host name"):
        certificates.make(Pair(tmp_path / "c", tmp_path / "k"), ["x" * 300])


def test_its_end_is_told_in_time(made: Pair) -> None:
    end = certificates.expires(made.cert)
    day = datetime.timedelta(days=1)
    assert certificates.expiry_words(made.cert, end - 100 * day) == ""
    assert "expires in 5 days" in certificates.expiry_words(made.cert, end - 5 * day)
    assert "has expired on" in certificates.expiry_words(made.cert, end + day)


def test_a_renewed_certificate_is_taken_and_one_that_does_not_fit_is_not(made: Pair, tmp_path: Path) -> None:
    files = Pair(tmp_path / "cert.pem", tmp_path / "key.pem")
    certificates.make(files, NAMES)
    certificate = Certificate(files)
    assert certificate.take() is False
    certificates.make(files, NAMES, replace=True)
    assert certificate.take() is True
    files.cert.write_bytes(made.cert.read_bytes())
    with pytest.raises(UsageError, match="does not belong"):
        certificate.take()


@pytest.mark.parametrize(
    ("cert", "key", "words"),
    [("missing", "key.pem", "cannot be read"), ("key.pem", "key.pem", "are no certificate and key")],
)
def test_what_is_wrong_with_the_files_is_said(made: Pair, cert: str, key: str, words: str) -> None:
    folder = made.cert.parent
    with pytest.raises(UsageError, match=words):
        tls.server_context(Pair(folder / cert, folder / key))


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(made: Pair, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(made.key.read_bytes(), None)
    secret = tmp_path / "key.pem"
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"password"),
        )
    )
    with pytest.raises(UsageError, match="no password"):
        tls.server_context(Pair(made.cert, secret))


def test_tls_wants_both_files(made: Pair) -> None:
    assert tls.pair(None, None) is None
    assert tls.pair(made.cert, made.key) == made
    with pytest.raises(UsageError, match="--tls-key is missing"):
        tls.pair(made.cert, None)
    with pytest.raises(UsageError, match="--tls-cert is missing"):
        tls.pair(None, made.key)


# ------------------------------------------------------------ the client's side


def test_elsewhere_a_certificate_is_verified_unless_its_fingerprint_is_known() -> None:
    plain = Trust().context("192.0.2.7")
    assert (plain.verify_mode, plain.check_hostname) == (ssl.CERT_REQUIRED, True)
    pinned = Trust([tls.fingerprint(b"x")]).context("192.0.2.7")
    assert pinned.verify_mode == ssl.CERT_NONE, "the fingerprint proves more than any authority"
    own = Trust().context("127.0.0.1")
    assert own.verify_mode == ssl.CERT_NONE
    assert own.get_ca_certs() == [], "to read the system's takes a tenth of a second, in which no frame would go out"


class Shown(ssl.SSLObject):
    """A connection on which a certificate was shown."""

    def __new__(cls, _der: bytes) -> Shown:
        return super().__new__(cls)

    def __init__(self, der: bytes) -> None:
        self.der = der

    def getpeercert(self, binary_form: bool = False) -> bytes:  # type: ignore[override]
        return self.der


def test_only_the_certificate_of_the_fingerprint_is_accepted() -> None:
    trust = Trust([tls.fingerprint(b"one"), tls.fingerprint(b"two")])
    trust.check("host:1", Shown(b"one"))
    trust.check("host:1", Shown(b"two"))
    for connection in (Shown(b"three"), None):
        with pytest.raises(Untrusted, match="another certificate"):
            trust.check("host:1", connection)
    Trust().check("host:1", None)


def test_a_fingerprint_is_read_as_people_write_it() -> None:
    wanted = tls.fingerprint(b"x")
    plain = wanted.replace(":", "")
    for text in (wanted, plain, plain.lower(), f"SHA256:{wanted}", f"sha256 Fingerprint={wanted}", f" {wanted} "):
        assert parse_fingerprint(text) == wanted
    assert Settings(fingerprint=[plain]).fingerprint == [wanted]
    for text in ("", "AB:CD", wanted + ":00", wanted.replace("0", "g", 1).replace("1", "g", 1)):
        with pytest.raises(ValueError, match="64 hexadecimal"):
            parse_fingerprint(text)


@given(st.text(max_size=100))
def test_any_text_is_a_fingerprint_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert re.fullmatch("([0-9A-F]{2}:){31}[0-9A-F]{2}", parse_fingerprint(text))
