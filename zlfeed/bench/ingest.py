"""What an RTSP server must know to be pushed to by FFmpeg: ANNOUNCE and RECORD, and RTP back into frames; no I/O.

Only for the bench: it stands in for the usual server with every improvement off, and lets one be turned on.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from zlfeed.rtsp.codecs import CODECS, Codec
from zlfeed.rtsp.messages import Interleaved, Parser, Request, Response

_START_CODE = b"\0\0\0\1"
_FU_A, _STAP_A = 28, 24
_HEVC_FU, _HEVC_AP = 49, 48


@dataclass(frozen=True, slots=True)
class Frame:
    """One access unit in Annex B form; `timestamp` is RTP's, in 1/90000 s."""

    data: bytes
    timestamp: int


class Depacketizer:
    """RTP packets → access units, by the marker bit (RFC 6184 sections 5.6–5.8, RFC 7798 sections 4.4.1–4.4.3).

    For packets that came over TCP: nothing is missing, nothing out of order.
    """

    def __init__(self, codec: Codec) -> None:
        self._hevc = codec.name == "h265"
        self._frame = bytearray()

    def feed(self, packet: bytes) -> Frame | None:
        """The access unit that a packet ends, if it ends one. Raises ValueError for what is no such packet."""
        header = 12 + 4 * (packet[0] & 15) if packet else 12
        if len(packet) < header + 3 or packet[0] >> 6 != 2:
            raise ValueError("no RTP packet")
        payload = packet[header:]
        if self._hevc:
            self._h265(payload)
        else:
            self._h264(payload)
        if not packet[1] & 0x80:
            return None
        frame = Frame(bytes(self._frame), int.from_bytes(packet[4:8], "big"))
        self._frame.clear()
        return frame

    def _h264(self, payload: bytes) -> None:
        kind = payload[0] & 0x1F
        if kind == _FU_A:
            if payload[1] & 0x80:
                self._frame += _START_CODE + bytes((payload[0] & 0xE0 | payload[1] & 0x1F,))
            self._frame += payload[2:]
        elif kind == _STAP_A:
            self._aggregate(payload[1:])
        else:
            self._frame += _START_CODE + payload

    def _h265(self, payload: bytes) -> None:
        kind = payload[0] >> 1 & 0x3F
        if kind == _HEVC_FU:
            if payload[2] & 0x80:
                self._frame += _START_CODE + bytes((payload[0] & 0x81 | (payload[2] & 0x3F) << 1, payload[1]))
            self._frame += payload[3:]
        elif kind == _HEVC_AP:
            self._aggregate(payload[2:])
        else:
            self._frame += _START_CODE + payload

    def _aggregate(self, body: bytes) -> None:
        at = 0
        while at + 2 <= len(body):
            size = body[at] << 8 | body[at + 1]
            self._frame += _START_CODE + body[at + 2 : at + 2 + size]
            at += 2 + size


def described(sdp: str) -> tuple[Codec, bytes]:
    """The codec and the parameter sets (Annex B) of an announced video stream. Raises ValueError."""
    for codec in (CODECS["h264"], CODECS["h265"]):
        if re.search(rf"^a=rtpmap:\d+ {codec.encoding}/90000", sdp, re.MULTILINE):
            break
    else:
        raise ValueError("neither H.264 nor H.265 is announced")
    named = re.findall(r"sprop-(?:parameter-sets|vps|sps|pps)=([A-Za-z0-9+/=,]+)", sdp)
    units = [base64.b64decode(text) for group in named for text in group.split(",") if text]
    return codec, b"".join(_START_CODE + unit for unit in units)


class Announcement:
    """The server's side of one pushing client: feed it bytes; it gives answers, and frames once RECORD came.

    `codec` and `parameter_sets` are known from ANNOUNCE on.
    """

    def __init__(self) -> None:
        self.codec: Codec | None = None
        self.parameter_sets = b""
        self._parser = Parser()
        self._session = secrets.token_hex(8)
        self._depacketizer: Depacketizer | None = None

    def receive(self, data: bytes) -> Iterator[bytes | Frame]:
        """Bytes to send back, and frames. Raises ValueError (an RtspError too) for what is no RTSP or no RTP."""
        for message in self._parser.feed(data):
            if isinstance(message, Request):
                yield self._answer(message)
            elif isinstance(message, Interleaved) and message.channel == 0 and self._depacketizer is not None:
                frame = self._depacketizer.feed(message.data)
                if frame is not None:
                    yield frame

    def _answer(self, request: Request) -> bytes:
        headers = {"CSeq": request.headers.get("cseq", "0"), "Session": self._session}
        match request.method:
            case "OPTIONS":
                headers["Public"] = "OPTIONS, ANNOUNCE, SETUP, RECORD, TEARDOWN"
            case "ANNOUNCE":
                self.codec, self.parameter_sets = described(request.body.decode("utf-8", "replace"))
                self._depacketizer = Depacketizer(self.codec)
            case "SETUP":
                headers["Transport"] = "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record"
            case "RECORD" | "TEARDOWN" | "GET_PARAMETER" | "SET_PARAMETER":
                pass
            case _:
                return Response(405, headers).encode()
        return Response(200, headers).encode()
