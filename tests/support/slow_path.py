"""A TCP proxy that makes a path longer: every byte arrives, in order, a while later."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

_CHUNKS = 1000
"""Held at most in a direction; what comes after waits in the socket."""


@contextlib.contextmanager
def slow_path(port: int, *, there_s: float = 0.0, back_s: float = 0.0) -> Iterator[int]:
    """A port on this machine that leads to `port`, `there_s` later for what clients send, `back_s` for the answers."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    bound: list[int] = []
    ended = asyncio.Event()

    async def serve() -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", port)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(_carry(reader, onward_writer, there_s))
                    tasks.create_task(_carry(onward_reader, writer, back_s))

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        bound.append(server.sockets[0].getsockname()[1])
        ready.set()
        await ended.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(5)
        yield bound[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(5)
        loop.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    """Copies until one side ends, each piece `delay_s` after it came."""
    loop = asyncio.get_running_loop()
    held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS)

    async def deliver() -> None:
        try:
            while True:
                due, data = await held.get()
                await asyncio.sleep(due - loop.time())
                if not data:
                    return
                writer.write(data)
                await writer.drain()
        except OSError:
            return
        finally:
            writer.close()

    async with asyncio.TaskGroup() as tasks:
        delivery = tasks.create_task(deliver())
        data = b"-"
        while data and not delivery.done():
            try:
                data = await reader.read(1 << 16)
            except OSError:
                data = b""
            await held.put((loop.time() + delay_s, data))
