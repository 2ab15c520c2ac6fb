"""A path that loses datagrams: an RTSP proxy that puts itself between the ports which SETUP agrees on."""

from __future__ import annotations

import random
import re
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from zlfeed.rtsp.udp_reader import port_pair


class LossyPath:
    """One proxy, its losses drawn from a seed; `lost` and `passed` count RTP packets towards viewers."""

    def __init__(self, port: int, share: float, seed: int = 1) -> None:
        self.lost = 0
        self.passed = 0
        self._server_port = port
        self._share = share
        self._random = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Ends everything."""
        self._stop.set()
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            if select.select([self._listener], [], [], 0.1)[0]:
                client, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._carry, args=(client,)))
                self._threads[-1].start()

    def _carry(self, client: socket.socket) -> None:
        """One connection with the datagrams of its session."""
        pairs = [port_pair("127.0.0.1") for _ in range(2)]  # towards the client, towards the server; RTP and RTCP each
        with ExitStack() as stack:
            server = stack.enter_context(socket.create_connection(("127.0.0.1", self._server_port)))
            for sock in (client, *(sock for pair in pairs for sock in pair)):
                stack.enter_context(sock)
            targets: dict[socket.socket, tuple[socket.socket, int]] = {}
            everyone = [client, server, *(sock for pair in pairs for sock in pair)]
            with suppress(OSError):
                while not self._stop.is_set():
                    for sock in select.select(everyone, [], [], 0.1)[0]:
                        if sock in (client, server):
                            data = sock.recv(65536)
                            if not data:
                                return
                            other = server if sock is client else client
                            other.sendall(self._rewritten(data, pairs, targets))
                        else:
                            self._datagram(sock, pairs, targets)

    def _rewritten(
        self,
        data: bytes,
        pairs: list[tuple[socket.socket, socket.socket]],
        targets: dict[socket.socket, tuple[socket.socket, int]],
    ) -> bytes:
        """The message with our ports for theirs, and theirs noted: what comes in from one side leaves to the other."""
        (client_rtp, client_rtcp), (server_rtp, server_rtcp) = pairs
        if ports := re.search(rb"client_port=(\d+)-(\d+)", data):
            ours = f"client_port={server_rtp.getsockname()[1]}-{server_rtcp.getsockname()[1]}".encode()
            if not data.startswith(b"RTSP/"):
                targets[server_rtp] = (client_rtp, int(ports[1]))
                targets[server_rtcp] = (client_rtcp, int(ports[2]))
                data = data.replace(ports[0], ours)
            else:
                theirs = f"client_port={targets[server_rtp][1]}-{targets[server_rtcp][1]}".encode()
                data = data.replace(ports[0], theirs)
        if ports := re.search(rb"server_port=(\d+)-(\d+)", data):
            targets[client_rtp] = (server_rtp, int(ports[1]))
            targets[client_rtcp] = (server_rtcp, int(ports[2]))
            ours = f"server_port={client_rtp.getsockname()[1]}-{client_rtcp.getsockname()[1]}".encode()
            data = data.replace(ports[0], ours)
        return data

    def _datagram(
        self,
        sock: socket.socket,
        pairs: list[tuple[socket.socket, socket.socket]],
        targets: dict[socket.socket, tuple[socket.socket, int]],
    ) -> None:
        data = sock.recv(65536)
        if sock not in targets:
            return
        if sock is pairs[1][0]:
            if self._random.random() < self._share:
                self.lost += 1
                return
            self.passed += 1
        out, port = targets[sock]
        out.sendto(data, ("127.0.0.1", port))


@contextmanager
def lossy_path(port: int, share: float) -> Iterator[LossyPath]:
    """A way to the RTSP server at `port` on which that share of the RTP packets is lost."""
    path = LossyPath(port, share)
    try:
        yield path
    finally:
        path.close()
