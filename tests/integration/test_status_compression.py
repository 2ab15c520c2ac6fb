"""Statuses compressed for those who offer it, and as they were for all others."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode

from tests.tui.test_monitor_command import Publisher, publishing
from zlfeed.bench.terminal import Relayed
from zlfeed.model import CameraStatus, Hello, ServerMessage
from zlfeed.status_client import StatusClient
from zlfeed.wire import deflate

STATUSES = 3


async def heard(port: int, *, compress: bool) -> tuple[list[CameraStatus], int]:
    """Some statuses, and the bytes that went over the wire both ways for all but the first of them."""
    statuses: list[CameraStatus] = []
    relayed = Relayed()
    marks: list[int] = []

    def on_message(message: ServerMessage) -> None:
        if isinstance(message, CameraStatus):
            statuses.append(message)
            marks.append(relayed.bytes)

    async with relayed.to("127.0.0.1", port) as through:
        client = StatusClient(f"ws://127.0.0.1:{through}/", Hello(), on_message=on_message, compress=compress)
        running = asyncio.create_task(client.run())
        async with asyncio.timeout(30):
            while len(statuses) < STATUSES:
                await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return statuses, marks[-1] - marks[0]


async def test_who_offers_compression_hears_the_same_in_fewer_bytes() -> None:
    async with publishing(Publisher()) as server:
        (plain, plain_bytes), (packed, packed_bytes) = await asyncio.gather(
            heard(server.port, compress=False), heard(server.port, compress=True)
        )
    assert [status.viewers for status in packed] == [status.viewers for status in plain]
    assert packed_bytes < 0.6 * plain_bytes


@pytest.mark.parametrize(
    ("size", "compressed"), [(deflate.LEAST_BYTES - 1, False), (500, True), (deflate.MOST_BYTES + 1, False)]
)
def test_only_what_gains_is_compressed(size: int, compressed: bool) -> None:
    _, extension = deflate.server().process_request_params([], [])
    frame = extension.encode(Frame(Opcode.BINARY, b"status " * (size // 7) + b"." * (size % 7)))
    assert frame.rsv1 == compressed
    assert (len(frame.data) < size) == compressed


async def test_a_client_that_offers_none_gets_none() -> None:
    async with (
        publishing(Publisher()) as server,
        connect(f"ws://127.0.0.1:{server.port}/", compression=None, proxy=None) as client,
    ):
        assert client.protocol.extensions == []
