"""/metrics and /healthz over HTTP on a port of their own: part of the status plane, and small enough to be read.

One request a connection, GET and HEAD only; a connection has REQUEST_S for its request and as long for the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from zlfeed import logs
from zlfeed.doorway import Doorway, Limit
from zlfeed.errors import PortError
from zlfeed.model import CameraStatus
from zlfeed.net import Allowed, bind_tcp, host_port
from zlfeed.publisher.operations.exporter import Exporter
from zlfeed.publisher.operations.health import Health

log = logs.get(__name__)

REQUEST_S = 5.0
MAX_REQUEST = 8192
DOORWAY = Limit(16, 8)
LOOK_S = 1.0
RETRY_S = 10.0


class MetricsServer:
    """`run` until cancelled; `port` is the one in use, None while there is none."""

    def __init__(
        self,
        exporter: Exporter,
        statuses: Callable[[], Sequence[CameraStatus]],
        host: str,
        port: int,
        *,
        allowed: Allowed,
        on_event: Callable[[str, str, str], None],
    ) -> None:
        self.port: int | None = None
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(exporter)
        self._statuses = statuses
        self._host, self._wanted = host, port
        self._allowed = allowed
        self._on_event = on_event
        self._health = Health()
        self._told = False
        self._grumble = logs.Grumble(log)

    async def run(self) -> None:
        """Listens and answers; a port that is taken is tried again, and costs the feed nothing."""
        while True:
            try:
                sockets, self.port = bind_tcp([self._host], self._wanted, option="--metrics-port")
                break
            except PortError as error:
                if not self._told:
                    self._told = True
                    self._on_event("warning", "metrics_unavailable", f"no /metrics: {error}")
            await asyncio.sleep(RETRY_S)
        self._on_event(
            "info", "metrics_ready", f"figures for Prometheus: http://{host_port(self._host, self.port)}/metrics"
        )
        guarded = Doorway(DOORWAY, lambda host: self._grumble("connections_cut", peer=host)).guard(sockets)
        servers = [await asyncio.start_server(self._serve, sock=sock, limit=MAX_REQUEST) for sock in guarded]
        try:
            while True:
                self._health.look(self._statuses(), time.monotonic())
                await asyncio.sleep(LOOK_S)
        finally:
            self.port = None
            for server in servers:
                server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            peer = writer.get_extra_info("peername")
            if peer is None or not self._allowed(str(peer[0])):
                return
            async with asyncio.timeout(REQUEST_S):
                writer.write(await self._answer(reader))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a client that does not ask, or does not listen, is no news
        except Exception:
            log.exception("metrics_failed")
        finally:
            with contextlib.suppress(OSError):
                writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, _, rest = head[0].partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        if method not in ("GET", "HEAD"):
            return _response(
                HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"GET, please\n", headers="Allow: GET, HEAD\r\n"
            )
        if path == "/metrics":
            encode, kind = choose_encoder(headers.get("accept", ""))
            return _response(HTTPStatus.OK, kind, encode(self._registry), body_wanted=method == "GET")
        if path == "/healthz":
            found = self._health.look(self._statuses(), time.monotonic())
            well = bool(found) and not any(found.values())
            text = "".join(f"{camera}: {why or 'ok'}\n" for camera, why in found.items()) or "no camera\n"
            status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
            return _response(status, "text/plain; charset=utf-8", text.encode(), body_wanted=method == "GET")
        return _response(HTTPStatus.NOT_FOUND, "text/plain", b"there are /metrics and /healthz\n")


def _response(status: HTTPStatus, kind: str, body: bytes, *, headers: str = "", body_wanted: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        f"{headers}Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (body if body_wanted else b"")
