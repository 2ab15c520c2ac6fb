"""The publisher's certificate: read at the start, watched for its end, read again when it is renewed."""

from __future__ import annotations

import datetime
import ssl
from typing import Self

from zlfeed import certificates, logs, tls
from zlfeed.config import Settings

log = logs.get(__name__)


class Certificate:
    """One context for all doors of ours; a new certificate is for the connections to come."""

    def __init__(self, files: tls.Pair) -> None:
        """Raises UsageError."""
        self.files = files
        self.context: ssl.SSLContext = tls.server_context(files)
        self._shown = tls.file_fingerprint(files.cert)
        self._warn()

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """As the settings have it; None without TLS. Raises UsageError."""
        files = tls.pair(settings.tls_cert, settings.tls_key)
        return cls(files) if files else None

    def take(self) -> bool:
        """Reads the files again; whether there is another certificate in them. Raises UsageError."""
        shown = tls.file_fingerprint(self.files.cert)
        if shown == self._shown:
            return False
        tls.server_context(self.files)  # should they not fit, the old ones stay
        tls.load(self.context, self.files)
        self._shown = shown
        self._warn()
        return True

    def _warn(self) -> None:
        if words := certificates.expiry_words(self.files.cert, datetime.datetime.now(datetime.UTC)):
            log.warning("certificate_expires", text=words)
