"""permessage-deflate (RFC 7692) for the status protocol: only for messages that are worth it.

One status is much like the one before it: with the context kept, half of its bytes go. Pings and pongs are too short to
gain, and thumbnails, snapshots and a Welcome would take the loop's time from the frames that it serves as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Frame
from websockets.typing import ExtensionParameter

LEAST_BYTES, MOST_BYTES = 64, 8 << 10
_WINDOW_BITS = 12
"""4 KiB: some statuses back."""
_SETTINGS = {"memLevel": 5}


class _Selective(PerMessageDeflate):
    """Leaves short and long messages as they are, which section 6 allows for each message."""

    def encode(self, frame: Frame) -> Frame:
        """The frame, compressed where that is worth it. We send no message in several frames."""
        return super().encode(frame) if LEAST_BYTES <= len(frame.data) <= MOST_BYTES else frame


def _selective(made: PerMessageDeflate) -> PerMessageDeflate:
    return _Selective(
        made.remote_no_context_takeover,
        made.local_no_context_takeover,
        made.remote_max_window_bits,
        made.local_max_window_bits,
        made.compress_settings,
    )


class _Server(ServerPerMessageDeflateFactory):
    def process_request_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> tuple[list[ExtensionParameter], PerMessageDeflate]:
        answer, made = super().process_request_params(params, accepted_extensions)
        return answer, _selective(made)


class _Client(ClientPerMessageDeflateFactory):
    def process_response_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> PerMessageDeflate:
        return _selective(super().process_response_params(params, accepted_extensions))


def server() -> ServerPerMessageDeflateFactory:
    """Accepts compression from clients that offer it."""
    return _Server(
        server_max_window_bits=_WINDOW_BITS, client_max_window_bits=_WINDOW_BITS, compress_settings=_SETTINGS
    )


def client() -> ClientPerMessageDeflateFactory:
    """Offers compression."""
    return _Client(
        server_max_window_bits=_WINDOW_BITS, client_max_window_bits=_WINDOW_BITS, compress_settings=_SETTINGS
    )
