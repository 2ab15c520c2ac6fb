"""TLS: contexts for servers and clients, and certificates told by their SHA-256 fingerprint.

A client verifies a certificate as everybody does, by the authorities that the system trusts (SSL_CERT_FILE names
others) and the host's name; or it is told the fingerprint, and then nothing else counts. What stays on this machine is
encrypted because the port is, and needs no proof.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zlfeed.errors import UsageError
from zlfeed.net import is_own

HANDSHAKE_S = 5.0
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate (with those that lead to its authority) and its key, as PEM files."""

    cert: Path
    key: Path


def pair(cert: Path | None, key: Path | None) -> Pair | None:
    """What --tls-cert and --tls-key name; None without TLS. Raises UsageError when one of the two is missing."""
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        missing = "--tls-cert" if cert is None else "--tls-key"
        raise UsageError(f"TLS wants a certificate and its key: {missing} is missing (`zlfeed tls init` makes both)")
    return Pair(cert, key)


def server_context(files: Pair) -> ssl.SSLContext:
    """The server's side, TLS 1.2 or newer. Raises UsageError that names the file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load(context, files)
    return context


def load(context: ssl.SSLContext, files: Pair) -> None:
    """Has the context use this certificate from now on, for connections to come. Raises UsageError."""
    for file in (files.cert, files.key):
        try:
            file.read_bytes()
        except OSError as error:
            raise UsageError(f"the TLS file {file} cannot be read: {os.strerror(error.errno or 0)}") from None
    try:
        # Without the empty password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(files.cert, files.key, password="")
    except ssl.SSLError as error:
        if "KEY_VALUES_MISMATCH" in str(error):
            raise UsageError(f"the TLS key {files.key} does not belong to the certificate {files.cert}") from None
        raise UsageError(
            f"{files.cert} and {files.key} are no certificate and key: both are PEM files, the key has no password"
        ) from None


def fingerprint(der: bytes) -> str:
    """A certificate's SHA-256, as OpenSSL and browsers show it."""
    return _colons(hashlib.sha256(der).hexdigest().upper())


def _colons(text: str) -> str:
    return ":".join(text[at : at + 2] for at in range(0, len(text), 2))


def file_fingerprint(cert: Path) -> str:
    """The fingerprint of the first certificate in a PEM file. Raises UsageError."""
    try:
        found = _PEM.search(cert.read_text("ascii", errors="replace"))
    except OSError as error:
        raise UsageError(f"the TLS file {cert} cannot be read: {os.strerror(error.errno or 0)}") from None
    if found is None:
        raise UsageError(f"there is no certificate in {cert}: it is a PEM file")
    return fingerprint(ssl.PEM_cert_to_DER_cert(found[0]))


def parse_fingerprint(text: str) -> str:
    """A SHA-256 fingerprint, with or without colons, as `fingerprint` gives it. Raises ValueError with a sentence."""
    digits = re.sub(r"(?i)^sha-?256[:= ]*(fingerprint=)?", "", text.strip()).replace(":", "").replace(" ", "").upper()
    if not re.fullmatch("[0-9A-F]{64}", digits):
        raise ValueError("a fingerprint is a certificate's SHA-256: 64 hexadecimal digits, with or without colons")
    return _colons(digits)


class Untrusted(OSError):
    """The server's certificate is not one that is trusted; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Which certificate a client accepts: one of `fingerprints`; with none, what the system trusts."""

    fingerprints: Sequence[str] = ()
    option: str = "--fingerprint"
    """By what they are named, for people."""

    def context(self, host: str) -> ssl.SSLContext:
        """For connections to `host`; `check` is to follow the handshake."""
        if self.fingerprints or is_own(host):
            return unverified()
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def check(self, where: str, connection: ssl.SSLObject | ssl.SSLSocket | None) -> None:
        """Looks at the certificate that the handshake brought. Raises Untrusted."""
        if not self.fingerprints:
            return
        der = connection.getpeercert(binary_form=True) if connection is not None else None
        shown = fingerprint(der or b"")
        if not any(hmac.compare_digest(shown, wanted) for wanted in self.fingerprints):
            raise Untrusted(
                f"{where} shows another certificate than {self.option} names: its SHA-256 is {shown}; "
                "if the publisher has a new one, take that, else somebody stands between"
            )


def unverified() -> ssl.SSLContext:
    """For connections whose other end is known otherwise. The system's authorities, which take long, are not read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def words(error: Exception, where: str, option: str = "--fingerprint") -> str:
    """Why a handshake failed, with the cure."""
    if isinstance(error, Untrusted):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or "it cannot be verified"
        return (
            f"the certificate of {where} is not trusted ({why}): give the fingerprint that the publisher shows with "
            f"{option}"
        )
    text = str(error)
    if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER" in text.upper():
        return f"{where} does not speak TLS: is it the port for it, and has the publisher --tls-cert?"
    reason = getattr(error, "reason", None) or text
    return f"no TLS connection to {where}: {reason}"
