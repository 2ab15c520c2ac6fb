"""What the packetizer, the SDP and the relay must know of a codec; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from zlfeed.rtsp.av1 import AV1
from zlfeed.rtsp.nal import H264, H265


class Codec(Protocol):
    """One codec: how its frames are taken apart, described, and put into RTP payloads."""

    @property
    def name(self) -> str:
        """As people and the CLI write it."""

    @property
    def encoding(self) -> str:
        """The encoding name of the RTP payload format."""

    @property
    def delimiter(self) -> bytes:
        """A unit that ends the frame before it (design 1.1); empty where none is needed."""

    def split(self, data: bytes) -> list[bytes]:
        """The units (NAL units, OBUs) of one encoded frame as it comes from the container."""

    def payloads(self, units: Sequence[bytes], keyframe: bool) -> list[bytes]:
        """The RTP payloads of one frame's units, none of more than MAX_PAYLOAD bytes."""

    def is_parameter_set(self, unit: bytes) -> bool:
        """A unit that decoding needs before the first keyframe."""

    def is_keyframe(self, unit: bytes) -> bool:
        """A unit from which decoding can start."""

    def is_dispensable(self, unit: bytes) -> bool:
        """A unit that viewers do not need: delimiters (we make our own), filler, the encoder's own advertisement."""

    def fmtp(self, parameter_sets: Sequence[bytes]) -> str:
        """The parameters of the SDP's a=fmtp line."""


CODECS: dict[str, Codec] = {"h264": H264(), "h265": H265(), "av1": AV1()}
