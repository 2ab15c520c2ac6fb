"""The connection to the publisher's status server, on a thread of its own: OpenCV blocks, an event loop must not."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from zlfeed import logs
from zlfeed.clock import DRIFT, Estimate, monotonic_us
from zlfeed.errors import StartError
from zlfeed.model import CameraStatus, Hello, Pong, ServerMessage, Stage, Subscribe, ViewerReport
from zlfeed.status_client import LinkState, StatusClient
from zlfeed.tls import Trust

log = logs.get(__name__)

_STOP_S = 0.6


class StatusLink:
    """Keeps the publisher's clock offset and the camera's state, and sends reports. Any thread may call any method."""

    def __init__(
        self,
        url: str,
        hello: Hello,
        *,
        camera: str,
        timeout_s: float,
        on_link: Callable[[LinkState], None],
        trust: Trust = Trust(),  # noqa: B008 - frozen
    ) -> None:
        self._url = url
        self._hello = hello
        self._subscribe = Subscribe(cameras=(camera,))
        self._camera = camera
        self._timeout_s = timeout_s
        self._trust = trust
        self._on_link = on_link
        self._lock = threading.Lock()
        self._estimate: Estimate | None = None
        self._estimated_us = 0
        self._distrusted = False
        self._stopped = False
        self._camera_state: str | None = None
        self._stages: Sequence[Stage] = ()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: StatusClient | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._main, name="status-link", daemon=True)

    def start(self) -> None:
        """Begins to connect; never fails."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the connection and the thread."""
        self._stopped = True
        self._call(self._cancel)
        self._thread.join(_STOP_S)

    def estimate(self) -> Estimate | None:
        """The publisher's clock − clock.monotonic_us(), with the error grown by drift until now; None when unknown."""
        with self._lock:
            if self._estimate is None:
                return None
            age_us = max(0, monotonic_us() - self._estimated_us)
            return self._estimate._replace(error_us=self._estimate.error_us + math.ceil(DRIFT * age_us))

    def distrust_clock(self) -> None:
        """The publisher's clock was set, as its pictures show: there is no estimate until it has been asked again."""
        with self._lock:
            self._estimate = None
            self._distrusted = True
        self._call(self._reset_clock)

    def camera_state(self) -> str | None:
        """The camera's state as the publisher last said it, None while there is no connection."""
        return self._camera_state

    def stages(self) -> Sequence[Stage]:
        """The publisher's stages of a frame's way, as it last said them; none while there is no connection."""
        return self._stages

    def report(self, report: ViewerReport) -> None:
        """Sends a report, when there is a connection."""
        client = self._client
        if client is not None:
            self._call(lambda: client.send(report))

    # ------------------------------------------------------------ on the link's thread

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except asyncio.CancelledError:
            return
        except StartError as error:
            # Trying again would not help; the video goes on, its latency unknown. on_link has told it.
            log.debug("status_refused", error=str(error))

    async def _run(self) -> None:
        client = StatusClient(
            self._url,
            self._hello,
            subscribe=self._subscribe,
            on_message=self._on_message,
            on_link=self._link_changed,
            timeout_s=self._timeout_s,
            trust=self._trust,
        )
        self._client = client
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        if not self._stopped:
            await client.run()

    def _on_message(self, message: ServerMessage) -> None:
        if isinstance(message, Pong):
            self._keep_estimate()
        elif isinstance(message, CameraStatus) and message.camera == self._camera:
            self._camera_state = message.state
            self._stages = message.stages

    def _keep_estimate(self) -> None:
        assert self._client is not None
        now_us = monotonic_us()
        estimate = self._client.clock.estimate(now_us)
        with self._lock:
            if not self._distrusted:
                self._estimate, self._estimated_us = estimate, now_us

    def _reset_clock(self) -> None:
        if self._client is not None:
            self._client.clock.reset()
        with self._lock:
            self._distrusted = False

    def _link_changed(self, state: LinkState) -> None:
        if not state.connected:
            self._camera_state = None
            self._stages = ()
        self._on_link(state)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _call(self, function: Callable[[], object]) -> None:
        """Has the loop call it; nothing when the loop has not begun or has ended."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(function)
