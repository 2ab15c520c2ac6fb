"""Pushes a camera's stream to a server that is not ours, supervised; the relay's packets go there as they are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NoReturn

from zlfeed import __version__, logs
from zlfeed.dial import Dialler
from zlfeed.errors import StartError
from zlfeed.publisher.target import Target
from zlfeed.restart import Restarts
from zlfeed.rtsp.client import Lost, RecordingClient
from zlfeed.rtsp.recorder import Recorder
from zlfeed.rtsp.stream import LiveStream
from zlfeed.rtsp.tcp_reader import Framer

log = logs.get(__name__)

CONNECT_S = 5.0
_TICK_S = 0.25

EventSink = Callable[[str, str, str], None]
"""level, code, text"""


class Push:
    """Keeps one stream pushed to `target`. `connected`: the server takes frames now."""

    def __init__(
        self,
        target: Target,
        stream: LiveStream,
        *,
        framer: Framer,
        on_event: EventSink,
        on_change: Callable[[], None],
    ) -> None:
        self.target = target
        self.connected = False
        self.settled = asyncio.Event()
        """The first attempt has ended, well or not."""
        self.restarts = Restarts(budget=None)
        self._stream = stream
        self._framer = framer
        self._on_event = on_event
        self._on_change = on_change
        self._dialler = Dialler(target.host, target.port)
        self._recorder: Recorder | None = None
        self._ever_connected = False
        self._down_since = time.monotonic()
        self._dropped = 0

    @property
    def server(self) -> str:
        """What the status says of the way out."""
        if self.connected:
            return "embedded+push"
        return "embedded (push lost)" if self._ever_connected else "embedded (no push yet)"

    @property
    def frames_dropped(self) -> int:
        """Frames that the server was not given because the link is too slow, over all connections."""
        return self._dropped + (self._recorder.frames_dropped if self._recorder else 0)

    async def run(self) -> NoReturn:
        """Pushes until cancelled; the stream must be ready to be described.

        Raises StartError when the first attempt ends with a refusal that no other can change. After one that comes
        later, from a server that was not there at first, it goes on: by then others watch the relay.
        """
        told = ""
        while True:
            self.restarts.starting()
            try:
                lost = await self._once()
            except Exception as error:
                # Whatever it is, it must not cost a frame.
                log.exception("push_failed")
                lost = Lost(f"it failed by a fault of ours ({error})", curable=True)
            if not (lost.curable or self.settled.is_set()):
                raise StartError(_refused(self.target, lost.reason))
            delay = self.restarts.failed(time.monotonic(), lost.reason)
            assert delay is not None, "without a budget it is never given up"
            # Said once, for as long as the reason stays.
            if self.connected or lost.reason != told:
                told = lost.reason
                self._on_event("warning", "push_lost", f"{self._words('is not pushed')}: {told}; tried again")
            if self.connected:
                self._down_since = time.monotonic()
                self.connected = False
            self.settled.set()
            self._on_change()
            await asyncio.sleep(delay)

    def _words(self, what: str) -> str:
        return f"camera {self._stream.name} {what} to {self.target.url}"

    async def _once(self) -> Lost:
        """One connection from beginning to end; why it ended."""
        try:
            async with asyncio.timeout(CONNECT_S):
                sock = await self._dialler.connect()
        except TimeoutError:
            return Lost(f"{self.target.address} does not answer within {CONNECT_S:g} s", curable=True)
        except OSError as error:
            return Lost(self._dialler.words(error), curable=True)
        try:
            core = RecordingClient(
                self.target.url,
                self.target.login,
                self._stream.describe(sock.getsockname()[0]),
                f"zlfeed/{__version__}",
            )
            recorder = Recorder(
                core,
                self._stream,
                self.target.address,
                framer=self._framer,
                on_recording=lambda: self._began(basic=core.basic),
            )
            await asyncio.get_running_loop().create_connection(lambda: recorder, sock=sock)
        except BaseException:
            sock.close()
            raise
        self._recorder = recorder
        try:
            while not recorder.lost.done():
                recorder.tick(time.monotonic())
                await asyncio.wait((recorder.lost,), timeout=_TICK_S)
            return recorder.lost.result()
        finally:
            self._recorder = None
            self._dropped += recorder.frames_dropped
            await asyncio.shield(recorder.leave())

    def _began(self, *, basic: bool) -> None:
        now = time.monotonic()
        self.restarts.running(now)
        text = self._words("is pushed")
        if self._ever_connected:
            text += f" again, after {(now - self._down_since) * 1000:.0f} ms"
        elif basic:
            log.warning(
                "push_password_readable", server=self.target.address,
                meaning="that server knows only Basic: the password crosses the net readably",
            )  # fmt: skip
        self.connected = self._ever_connected = True
        self.settled.set()
        self._on_event("info", "push_connected", text)
        self._on_change()


def _refused(target: Target, reason: str) -> str:
    cure = "check the URL and what that server allows"
    if "user" in reason:
        cure = "write them before the host, as USER:PASSWORD@, into ZLFEED_SERVER or zlfeed.toml, or check them there"
    return f"--server {target.url} cannot be pushed to: {reason}; {cure}"
