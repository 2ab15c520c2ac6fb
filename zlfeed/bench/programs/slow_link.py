"""A slow link to an RTSP server: `python -m zlfeed.bench.programs.slow_link HOST PORT BITS_PER_SECOND`.

A TCP proxy on loopback whose way back to the client is a token bucket. It reads from the server only what it may pass
on, with a small socket buffer and an Ethernet's segment size, so that the server's kernel sees what it would see of a
slow link: data that is not acknowledged. What fits into that buffer is acknowledged and not yet passed on, as by a VPN
gateway; a router would be kinder. (Smaller buffers make TCP stop and wait, and the link slower than it was told.)
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable

from zlfeed.bench.programs.speech import say

_SEGMENT = 1448
_BUFFER = 8 << 10
"""As SO_RCVBUF: seven segments or so, after Linux has doubled it and charged its own overhead."""


def _shaped(source: socket.socket, sink: socket.socket, bits_per_second: float) -> None:
    """Passes on at most so many bits a second, until either side ends."""
    due = time.monotonic()
    while data := source.recv(_SEGMENT):
        due = max(due, time.monotonic()) + len(data) * 8 / bits_per_second
        time.sleep(max(0.0, due - time.monotonic()))
        sink.sendall(data)


def _unshaped(source: socket.socket, sink: socket.socket) -> None:
    while data := source.recv(1 << 16):
        sink.sendall(data)


def _until_end(step: Callable[..., None], source: socket.socket, sink: socket.socket, *arguments: float) -> None:
    """Runs one direction; when either side goes away, both do."""
    with contextlib.suppress(OSError):
        step(source, sink, *arguments)
    for sock in (source, sink):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _server_side(host: str, port: int) -> socket.socket:
    server = socket.socket()
    # Before connecting: the window scale and the segment size are agreed on in the handshake.
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    if hasattr(socket, "TCP_MAXSEG"):
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT)
    server.settimeout(10)
    server.connect((host, port))
    server.settimeout(None)
    return server


def main() -> None:
    """Serves one client after the other, until ended."""
    host, port, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        say("ready", port=listener.getsockname()[1])
        while True:
            client, _ = listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = _server_side(host, port)
            for arguments in ((_shaped, server, client, rate), (_unshaped, client, server)):
                threading.Thread(target=_until_end, args=arguments, daemon=True).start()


if __name__ == "__main__":
    main()
