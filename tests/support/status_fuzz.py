"""What no honest client of the status port sends: broken messages, WebSocket frames and handshakes. Seeded."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

from zlfeed.model import (
    CameraInfo,
    CameraStatus,
    Control,
    Event,
    Hello,
    Ping,
    SetControl,
    Subscribe,
    Viewer,
    ViewerReport,
    Welcome,
)
from zlfeed.wire.convert import encode

SEEDS = [
    encode(message)
    for message in (
        Hello("a-token-of-mine", "monitor", "name", "session", "1.0"), Ping(7, 1_700_000_000_000_000),
        SetControl("front", "bitrate", "800", 3), Subscribe(cameras=("front", "rear"), thumbnails=True),
        ViewerReport("front", fps=29.9, latency_p50_ms=4.5, missed=3, session="port 5"),
        Welcome("pi", "1", (CameraInfo("front", {"rtsp": "rtsp://h/x"}, (Control("bitrate", "int"),)),)),
        CameraStatus("front", 5, viewers=(Viewer("1", "h:1", "tcp", "x"),), frames_dropped={"slow": 3}),
        Event(1, "info", "code", "text", "front"),
    )
]  # fmt: skip
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A message with some bytes changed, taken out, put in, repeated, or another's end."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0 if at < len(data):
                data[at] = rng.randrange(256)
            case 1 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 2:
                del data[at : at + rng.randrange(1, 9)]
            case 3:
                data[at:at] = rng.randbytes(rng.randrange(1, 9))
            case 4:
                data[at:at] = data[at : at + 40] * rng.randrange(1, 20)
            case _:
                data[at:] = rng.choice(seeds)[at:]
    return bytes(data)


def frame(
    opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0, mask: bool = True, length: int | None = None
) -> bytes:
    """A frame (RFC 6455 section 5.2); `length` is what it says of itself, where that is not the truth."""
    said = len(payload) if length is None else length
    flag = 0x80 if mask else 0
    first = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if said < 126:
        head = first + bytes([flag | said])
    elif said < 1 << 16:
        head = first + struct.pack("!BH", flag | 126, said)
    else:
        head = first + struct.pack("!BQ", flag | 127, said)
    return head + (bytes(4) if mask else b"") + payload  # masked with zeros it is as it was


def frames(rng: random.Random) -> bytes:
    """One message, as one frame or several, of which most are wrong in some way."""
    data = mutated(rng, SEEDS)
    match rng.randrange(12):
        case 0:
            return frame(rng.choice((3, 4, 5, 6, 7, 11, 12, 13, 14, 15)), data)  # opcodes there are not
        case 1:
            return frame(BINARY, data, rsv=rng.randrange(1, 8))
        case 2:
            return frame(BINARY, data, mask=False)
        case 3:
            return frame(BINARY, data, length=rng.choice((1 << 16, 1 << 31, (1 << 62) + 5, (1 << 64) - 1)))
        case 4:
            return frame(TEXT, rng.randbytes(40))  # hardly ever UTF-8
        case 5:
            at = rng.randrange(len(data) + 1)
            return frame(BINARY, data[:at], fin=False) + frame(0, data[at:])
        case 6:
            return frame(0, data)  # goes on with nothing
        case 7:
            return frame(BINARY, data, fin=False) + frame(BINARY, data)  # begins anew before the end
        case 8:
            return frame(PING, rng.randbytes(rng.randrange(300)), fin=bool(rng.randrange(2)))
        case 9:
            return frame(CLOSE, struct.pack("!H", rng.randrange(1 << 16)) + rng.randbytes(rng.randrange(8)))
        case 10:
            pieces = [frame(0, bytes([byte]), fin=False) for byte in data[:200]]
            return frame(BINARY, b"", fin=False) + b"".join(pieces) + frame(0, b"")
        case _:
            return frame(BINARY, data)


def handshake(rng: random.Random) -> bytes:
    """A request that stops half way, or is none."""
    match rng.randrange(4):
        case 0:
            return HANDSHAKE[: rng.randrange(len(HANDSHAKE))]
        case 1:
            return mutated(rng, [HANDSHAKE])
        case 2:
            return HANDSHAKE.replace(b"\r\n\r\n", b"\r\nX: " + b"y" * rng.randrange(20_000) + b"\r\n\r\n")
        case _:
            return rng.randbytes(rng.randrange(1, 400))


def conversation(rng: random.Random, hello: bytes, messages: int) -> bytes:
    """All that one client sends: a handshake, mostly a Hello, and messages."""
    if rng.randrange(4) == 0:
        return handshake(rng)
    first = frame(BINARY, hello) if rng.randrange(4) else b""
    honest = [frame(BINARY, encode(Ping(1, 1))) for _ in range(rng.randrange(3))]
    return HANDSHAKE + first + b"".join(honest) + b"".join(frames(rng) for _ in range(messages))
