"""`zlfeed tls`: makes a certificate that this machine signs itself, and tells about one."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zlfeed import tokens
from zlfeed.config import Settings
from zlfeed.errors import UsageError
from zlfeed.tls import Pair, file_fingerprint

if TYPE_CHECKING:
    from cryptography import x509

DAYS = 820
"""Browsers accept no more than 825."""
SOON_DAYS = 30
"""A publisher warns so long before its certificate expires."""


def default_pair() -> Pair:
    """Where this user's own certificate and key are kept: beside the token."""
    folder = tokens.state_file().parent
    return Pair(folder / "tls-cert.pem", folder / "tls-key.pem")


def names(settings: Settings, more: Sequence[str] = ()) -> list[str]:
    """The names and addresses that a certificate for this machine is for, the most telling first."""
    import psutil

    host = platform.node().lower()
    found = [*more, settings.advertise or "", host, f"{host}.local" if host and "." not in host else "", "localhost"]
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            with contextlib.suppress(ValueError):
                ip = ipaddress.ip_address(address.address.split("%")[0])
                if not ip.is_link_local:
                    found.append(str(ip))
    return list(dict.fromkeys(name.strip("[]") for name in found if name))


def make(files: Pair, for_names: Sequence[str], *, days: int = DAYS, replace: bool = False) -> None:
    """Makes a key (ECDSA, P-256) and a certificate signed by itself; files of 0600. Raises UsageError."""
    if not replace and (there := next((file for file in (files.cert, files.key) if file.exists()), None)):
        raise UsageError(f"there is {there} already: --force makes a new pair, which clients must then be told of")
    key_pem, cert_pem = _made(for_names, days)
    try:
        files.cert.parent.mkdir(parents=True, exist_ok=True)
        # The key first: a publisher that starts in between says that the two do not fit, and no more.
        _write(files.key, key_pem)
        _write(files.cert, cert_pem)
    except OSError as error:
        raise UsageError(
            f"the certificate cannot be kept in {files.cert.parent}: {os.strerror(error.errno or 0)}"
        ) from None


def _made(for_names: Sequence[str], days: int) -> tuple[bytes, bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"zlfeed {platform.node()}"[:64])])
    # A Raspberry Pi without a clock of its own may be behind when it makes it.
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in for_names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key_pem, certificate.public_bytes(serialization.Encoding.PEM)


def _general(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name.encode("idna").decode())
    except (UnicodeError, ValueError):
        raise UsageError(f"{name!r} is no host name and no address: a certificate cannot be for it") from None


def _write(file: Path, data: bytes) -> None:
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(data)
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)


def expires(cert: Path) -> datetime.datetime:
    """Until when a certificate is valid. Raises UsageError."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(cert.read_bytes()).not_valid_after_utc
    except OSError as error:
        raise UsageError(f"the TLS file {cert} cannot be read: {os.strerror(error.errno or 0)}") from None
    except ValueError:
        raise UsageError(f"there is no certificate in {cert}: it is a PEM file") from None


def expiry_words(cert: Path, now: datetime.datetime) -> str:
    """What there is to say of a certificate that has expired or soon will; empty when there is time."""
    end = expires(cert)
    days = (end - now).days
    cure = "`zlfeed tls init --force` makes a new one, of which clients must be told"
    if end <= now:
        return f"the TLS certificate {cert} has expired on {end:%Y-%m-%d}: {cure}"
    if days < SOON_DAYS:
        return f"the TLS certificate {cert} expires in {days} day{'' if days == 1 else 's'}, on {end:%Y-%m-%d}: {cure}"
    return ""


def describe(files: Pair) -> list[str]:
    """A certificate in some lines: fingerprint, names, until when."""
    from cryptography import x509

    end = expires(files.cert)
    certificate = x509.load_pem_x509_certificate(files.cert.read_bytes())
    try:
        general = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        said = ", ".join(str(name.value) for name in general)
    except x509.ExtensionNotFound:
        said = "nobody by name"
    return [
        f"certificate  {files.cert}",
        f"key          {files.key}",
        f"for          {said}",
        f"valid until  {end:%Y-%m-%d}",
        f"SHA-256      {file_fingerprint(files.cert)}",
    ]
