"""An RTSP server to push to, with every improvement off but those named: what each is worth, and what usual ones cost.

`python -m zlfeed.bench.programs.push_relay [closed-frames] [quick-ack] [gop-at-play]` says where to push and to look.
A frame goes out when its last packet has come, untouched; readers get what comes next, whatever it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time

from zlfeed.bench.ingest import Announcement, Frame
from zlfeed.bench.programs.speech import say
from zlfeed.net import bind_tcp
from zlfeed.rtsp.rtp import AccessUnit
from zlfeed.rtsp.server import Relay
from zlfeed.rtsp.stream import LiveStream

NAME = "live"
_ONE_ADDRESS = ("127.0.0.1",)


class PlainStream(LiveStream):
    """A stream whose readers begin at the next keyframe; with `gop_at_play` at the current one."""

    def __init__(self, *, closed_frames: bool, gop_at_play: bool) -> None:
        super().__init__(NAME, closed_frames=closed_frames)
        self._gop_at_play = gop_at_play

    def burst(self) -> list[AccessUnit]:
        """Nothing, or the current GOP."""
        return super().burst() if self._gop_at_play else []


class Ingest(asyncio.Protocol):
    """FFmpeg's connection."""

    def __init__(self, stream: LiveStream, *, quick_ack: bool) -> None:
        self._stream = stream
        self._quick_ack = quick_ack
        self._core = Announcement()
        self._announced = False
        self._transport: asyncio.Transport
        self._socket: socket.socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._socket = transport.get_extra_info("socket")

    def data_received(self, data: bytes) -> None:
        try:
            for item in self._core.receive(data):
                if isinstance(item, Frame):
                    self._publish(item)
                else:
                    self._transport.write(item)
        except ValueError as error:
            sys.stderr.write(f"{error}\n")
            self._transport.abort()
        if self._quick_ack and hasattr(socket, "TCP_QUICKACK"):
            # Linux forgets it after some packets, so it is said again after each.
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _publish(self, frame: Frame) -> None:
        if not self._announced:
            assert self._core.codec is not None
            self._stream.set_parameters(self._core.codec, self._core.parameter_sets)
            self._announced = True
        # The capture time is not known here, as it is to no server that is pushed to; players do without.
        self._stream.publish(
            frame.data, captured_us=time.time_ns() // 1000, captured_ns=time.monotonic_ns(), now=time.monotonic()
        )


async def _serve(improvements: set[str]) -> None:
    stream = PlainStream(closed_frames="closed-frames" in improvements, gop_at_play="gop-at-play" in improvements)
    relay = Relay()
    relay.streams[NAME] = stream
    relay.public.bind(_ONE_ADDRESS, 0)
    await relay.public.serve()
    (listener,), port = bind_tcp(_ONE_ADDRESS, 0, option="--rtsp-port")
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Ingest(stream, quick_ack="quick-ack" in improvements), sock=listener)
    host = _ONE_ADDRESS[0]
    say("ready", push=f"rtsp://{host}:{port}/{NAME}", url=f"rtsp://{host}:{relay.port}/{NAME}")
    await relay.run()


if __name__ == "__main__":
    asyncio.run(_serve(set(sys.argv[1:])))
