"""Who may come in at the publisher, and what they may do there."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence

from zlfeed.config import Settings
from zlfeed.errors import UsageError
from zlfeed.gate import Gate
from zlfeed.model import CONTROL, VIEW, Role
from zlfeed.net import is_loopback
from zlfeed.rtsp.auth import Credentials
from zlfeed.tokens import Token, for_publisher, readonly_for_publisher


class Access:
    """The tokens in force. The main one lets its bearer look and control, the read-only one look.

    On this machine nobody is asked, unless the main token was named by the user; who shows the read-only token is held
    to it here too.
    """

    def __init__(self, main: Token | None, readonly: Token | None = None) -> None:
        """`main` None: everyone may do everything. Raises UsageError when both are the same."""
        self.gate = Gate()
        self._set(main, readonly)

    @classmethod
    def of(cls, settings: Settings) -> Access:
        """As the settings have it; makes the main token at the first start. Raises UsageError."""
        main = for_publisher(settings)
        return cls(main, readonly_for_publisher(settings) if main else None)

    def _set(self, main: Token | None, readonly: Token | None) -> None:
        if main is not None and readonly is not None and hmac.compare_digest(main.value, readonly.value):
            raise UsageError("the read-only token is the main one: whoever has it could control; make another")
        self.main, self.readonly = main, readonly

    def take(self, settings: Settings, check: Callable[[Sequence[str]], None] = lambda _tokens: None) -> list[str]:
        """Reads the tokens again; which of them have changed: `token`, `read-only token`. Raises UsageError.

        `check` raises UsageError when they cannot be taken, and then it is as before. Whether a token is asked for at
        all does not change before the next start.
        """
        if self.main is None:
            return []
        before = self.main.value, self.readonly.value if self.readonly else None
        main = for_publisher(settings)
        if main is None:
            raise UsageError("--no-auth is taken at the next start, not while viewers are here who had to show a token")
        explicit = self.main.explicit
        readonly = readonly_for_publisher(settings)
        check([token.value for token in (main, readonly) if token is not None])
        self._set(Token(main.value, explicit, main.path), readonly)
        after = self.main.value, self.readonly.value if self.readonly else None
        names = ("token", "read-only token")
        return [name for name, old, new in zip(names, before, after, strict=True) if old != new]

    @property
    def words(self) -> list[str]:
        """The tokens themselves, for those who must know them."""
        return [token.value for token in (self.main, self.readonly) if token is not None]

    def credentials_for(self, host: str) -> Credentials | None:
        """What a client at `host` must show; None: nothing."""
        if self.main is None or (is_loopback(host) and not self.main.explicit):
            return None
        first, *others = self.words
        return Credentials(first, others=tuple(others))

    def role(self, token: str, host: str) -> Role | None:
        """What a client at `host` with this token may do; None: nothing. Both tokens are always compared."""
        wanted = self.credentials_for(host)
        is_main = self.main is not None and _same(token, self.main.value)
        is_readonly = self.readonly is not None and _same(token, self.readonly.value)
        if is_readonly:
            return VIEW
        return CONTROL if is_main or wanted is None else None


def _same(token: str, other: str) -> bool:
    # As bytes: of strings, compare_digest takes ASCII ones only.
    return hmac.compare_digest(token.encode(errors="replace"), other.encode())
