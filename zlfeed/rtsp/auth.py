"""Digest authentication for RTSP (RFC 2617 section 3, MD5 without qop: what FFmpeg, VLC, GStreamer and OpenCV do)."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field

REALM = "zlfeed"
_PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]*))')


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def digest(user: str, password: str, realm: str, nonce: str, method: str, uri: str) -> str:
    """The response value of RFC 2617 section 3.2.2.1 without qop."""
    return _md5(f"{_md5(f'{user}:{realm}:{password}')}:{nonce}:{_md5(f'{method}:{uri}')}")


def parameters(header: str) -> dict[str, str]:
    """The parameters of an Authorization or WWW-Authenticate header."""
    return {m[1].lower(): m[2] if m[2] is not None else m[3] for m in _PARAMETER.finditer(header)}


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who may look: one user, whose password is the token."""

    password: str = field(repr=False)
    user: str = "viewer"

    def matches(self, password: str) -> bool:
        """Whether this is the password, in constant time."""
        return hmac.compare_digest(self.password.encode(), password.encode())

    def challenge(self, nonce: str) -> str:
        """The WWW-Authenticate header. SHA-256 is not offered beside MD5: FFmpeg fails on it."""
        return f'Digest realm="{REALM}", nonce="{nonce}"'

    def accepts(self, header: str, method: str, nonce: str) -> bool:
        """Whether an Authorization header answers the challenge.

        The URI signed is taken as the client says it: VLC signs SETUP with the base URL.
        """
        scheme, _, rest = header.partition(" ")
        given = parameters(rest)
        if scheme.lower() != "digest" or given.get("nonce") != nonce or given.get("username") != self.user:
            return False
        expected = digest(self.user, self.password, REALM, nonce, method, given.get("uri", ""))
        # As bytes: of strings, compare_digest takes ASCII ones only.
        return hmac.compare_digest(expected.encode(), given.get("response", "").lower().encode())
