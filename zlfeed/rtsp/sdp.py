"""The session description of one video stream (RFC 8866; RFC 6184 section 8.2, RFC 7798 section 7.2); no I/O."""

from __future__ import annotations

from collections.abc import Sequence

from zlfeed.rtsp.codecs import Codec
from zlfeed.rtsp.rtp import CLOCK_RATE, PAYLOAD_TYPE

CONTROL = "trackID=0"


def describe(name: str, codec: Codec, parameter_sets: Sequence[bytes], *, session_id: int, host: str) -> str:
    """The SDP that answers a DESCRIBE. `host` is the address on which the client reached us."""
    family = "IP6" if ":" in host else "IP4"
    any_address = "::" if family == "IP6" else "0.0.0.0"
    lines = [
        "v=0",
        f"o=- {session_id} 1 IN {family} {host}",
        f"s={name}",
        f"c=IN {family} {any_address}",
        "t=0 0",
        "a=control:*",
        "a=range:npt=now-",
        f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
        f"a=rtpmap:{PAYLOAD_TYPE} {codec.encoding}/{CLOCK_RATE}",
        f"a=fmtp:{PAYLOAD_TYPE} {codec.fmtp(parameter_sets)}",
        f"a=control:{CONTROL}",
    ]
    return "\r\n".join(lines) + "\r\n"
