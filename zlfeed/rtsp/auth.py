"""Authentication for RTSP (RFC 2617), of both sides.

As a server: Digest with MD5 and without qop, which is what FFmpeg, VLC, GStreamer and OpenCV do; over TLS Basic too. As
a client: what the server asks for, Digest before Basic.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

REALM = "zlfeed"
_PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]*))')
_CHALLENGE = re.compile(r'(?:^|,)\s*(?:([\w-]+)\s+)?(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]*))')


def _hex(text: str, algorithm: str = "MD5") -> str:
    if algorithm == "SHA-256":
        return hashlib.sha256(text.encode()).hexdigest()
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def digest(user: str, password: str, realm: str, nonce: str, method: str, uri: str, algorithm: str = "MD5") -> str:
    """The response value of RFC 2617 section 3.2.2.1 without qop; `algorithm` is MD5 or SHA-256 (RFC 7616)."""
    secret = _hex(f"{user}:{realm}:{password}", algorithm)
    return _hex(f"{secret}:{nonce}:{_hex(f'{method}:{uri}', algorithm)}", algorithm)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except ValueError:
        return b""


def parameters(header: str) -> dict[str, str]:
    """The parameters of an Authorization or WWW-Authenticate header."""
    return {m[1].lower(): m[2] if m[2] is not None else m[3] for m in _PARAMETER.finditer(header)}


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who may look: one user, whose password is a token, any of those in force."""

    password: str = field(repr=False)
    user: str = "viewer"
    others: tuple[str, ...] = field(default=(), repr=False)

    def challenge(self, nonce: str, *, secure: bool = False) -> tuple[str, ...]:
        """The WWW-Authenticate headers; `secure`: over TLS. SHA-256 is not offered beside MD5: FFmpeg fails on it."""
        wanted = f'Digest realm="{REALM}", nonce="{nonce}"'
        return (wanted, f'Basic realm="{REALM}"') if secure else (wanted,)

    def accepts(self, header: str, method: str, nonce: str, *, secure: bool = False) -> bool:
        """Whether an Authorization header answers the challenge."""
        return self.shown(header, method, nonce, secure=secure) is not None

    def shown(self, header: str, method: str, nonce: str, *, secure: bool = False) -> str | None:
        """The password that an Authorization header knows; None when it knows none.

        The URI signed is taken as the client says it: VLC signs SETUP with the base URL. All passwords are compared,
        in constant time.
        """
        scheme, _, rest = header.partition(" ")
        if scheme.lower() == "basic" and secure:
            given = _decoded(rest)
            expected = {password: f"{self.user}:{password}".encode() for password in self.passwords}
        elif scheme.lower() == "digest":
            fields = parameters(rest)
            if fields.get("nonce") != nonce or fields.get("username") != self.user:
                return None
            # As bytes: of strings, compare_digest takes ASCII ones only.
            given = fields.get("response", "").lower().encode()
            uri = fields.get("uri", "")
            expected = {
                password: digest(self.user, password, REALM, nonce, method, uri).encode() for password in self.passwords
            }
        else:
            return None
        fits = [password for password, answer in expected.items() if hmac.compare_digest(answer, given)]
        return fits[0] if fits else None

    @property
    def passwords(self) -> tuple[str, ...]:
        """All of them."""
        return (self.password, *self.others)


# ---------------------------------------------------------------- the client's side


@dataclass(frozen=True, slots=True)
class Challenge:
    """One of the schemes that a server offers, as WWW-Authenticate has it; names in lower case."""

    scheme: str
    parameters: Mapping[str, str]

    @property
    def algorithm(self) -> str:
        """What a digest is made with."""
        return self.parameters.get("algorithm", "MD5").upper()

    @property
    def is_digest(self) -> bool:
        """Whether it is Digest as we know it: MD5 or SHA-256, and qop absent or with auth in it."""
        qop = self.parameters.get("qop", "auth").replace(" ", "").split(",")
        return self.scheme == "digest" and self.algorithm in ("MD5", "SHA-256") and "auth" in qop


def challenges(header: str) -> list[Challenge]:
    """The challenges of a WWW-Authenticate header, which may hold several (RFC 2617 section 1.2)."""
    found: list[Challenge] = []
    parameters: dict[str, str] = {}
    for scheme, name, quoted, plain in _CHALLENGE.findall(header):
        if scheme:
            parameters = {}
            found.append(Challenge(scheme.lower(), parameters))
        parameters[name.lower()] = quoted or plain
    return found


def best(offered: Sequence[Challenge]) -> Challenge | None:
    """The challenge to answer: Digest, and Basic only where nothing else is offered. None when we know none of them."""
    for challenge in offered:
        if challenge.is_digest:
            return challenge
    return offered[0] if offered and all(challenge.scheme == "basic" for challenge in offered) else None


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are at someone else's server."""

    user: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The Authorization header by Basic (RFC 7617), which no challenge goes into."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def answer(self, challenge: Challenge, method: str, uri: str, count: int = 1) -> str:
        """The Authorization header (RFC 2617 sections 2 and 3.2.2).

        `count` says how often this challenge has been answered, this answer included.
        """
        if challenge.scheme == "basic":
            return self.basic
        given = challenge.parameters
        realm, nonce = given.get("realm", ""), given.get("nonce", "")
        quoted = {"username": self.user.replace("\\", "\\\\").replace('"', '\\"'), "realm": realm, "nonce": nonce}
        plain: dict[str, str] = {}
        used = nonce
        if "qop" in given:
            quoted["cnonce"] = secrets.token_hex(8)
            plain |= {"qop": "auth", "nc": f"{count:08x}"}
            used = f"{nonce}:{plain['nc']}:{quoted['cnonce']}:auth"
        quoted["uri"] = uri
        quoted["response"] = digest(self.user, self.password, realm, used, method, uri, challenge.algorithm)
        if "opaque" in given:
            quoted["opaque"] = given["opaque"]
        if "algorithm" in given:
            plain["algorithm"] = given["algorithm"]
        fields = [f'{name}="{value}"' for name, value in quoted.items()] + [f"{n}={v}" for n, v in plain.items()]
        return "Digest " + ", ".join(fields)
