"""One encoder at work and a warm spare behind it: a crash, a change of settings or a wanted keyframe costs a frame.

The spare has FFmpeg and its codec set up and has encoded one frame that nobody saw; the next it gets becomes a
keyframe at once. While it waits it costs memory and no CPU.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from zlfeed import logs
from zlfeed.errors import EncoderError
from zlfeed.publisher.encode.encoder import START_S, EncodedFrame, Encoder
from zlfeed.publisher.encode.ffmpeg import EncoderSettings
from zlfeed.restart import Restarts
from zlfeed.retry import backoff

log = logs.get(__name__)

HEALTHY_S = 5.0
KEYFRAME_INTERVAL_S = 1.0
CALM_S, CALM_AT_LAST_S = 0.1, 0.5
"""How long wishes must have stayed the same before an encoder is made for them, and when one is made all the same."""
_DRAIN_S = 0.2
_POLL_S = 0.25


class Encoding:
    """Keeps `current` encoding as `want` asked last. `current` is read by the capture thread."""

    def __init__(
        self,
        ffmpeg: Path,
        on_frame: Callable[[Encoder, EncodedFrame], None],
        on_restart: Callable[[str], None],
    ) -> None:
        """`on_restart` hears why an encoder failed, once another has taken over (`current`) or is about to be tried."""
        self.current: Encoder | None = None
        self.settings: EncoderSettings | None = None
        self.frames_lost = 0
        """Raw frames that an encoder took with it when it failed."""
        self.refusal: str | None = None
        """Why there is no encoder for the settings wanted last, although one with others works."""
        self.fall_back: Callable[[EncoderSettings, str], bool] = lambda _settings, _reason: False
        """Asked when the first encoder gave nothing: whether another is wanted now."""
        self.gives_up: Callable[[], bool] = lambda: True
        """Asked when the first encoder gave nothing and no other is wanted: whether that ends it all."""
        self.restarts = Restarts(budget=None, healthy_after_s=HEALTHY_S, delays=lambda: backoff(first=0.05))
        self._ffmpeg = ffmpeg
        self._on_frame = on_frame
        self._on_restart = on_restart
        self._spare: Encoder | None = None
        self._first_frame = asyncio.Event()
        self._settings_known = asyncio.Event()
        self._news = asyncio.Event()
        self._wish = asyncio.Event()
        self._keyframe_wanted = False
        self._last_swap = 0.0
        self._generation: Encoder | None = None
        self._retiring: Encoder | None = None
        self._held: list[EncodedFrame] = []

    def want(self, settings: EncoderSettings) -> None:
        """Encode like this from now on; the change is made as soon as an encoder for it is warm."""
        self.settings = settings
        self.refusal = None
        self._settings_known.set()
        self._news.set()
        self._wish.set()

    @property
    def settled(self) -> bool:
        """Whether frames are encoded as is wanted."""
        current = self.current
        return current is not None and current.settings == self.settings

    def want_keyframe(self) -> None:
        """A keyframe is wanted soon; at most one a second is made out of turn."""
        self._keyframe_wanted = True
        self._news.set()

    def renew(self) -> None:
        """Has another encoder take over as soon as one is warm."""
        self._last_swap = 0.0
        self.want_keyframe()

    async def run(self) -> None:
        """Encodes until cancelled. Raises EncoderError when the first encoder gives no frame and that ends it."""
        await self._settings_known.wait()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_current())
                tasks.create_task(self._keep_spare())
        finally:
            leaving = [encoder for encoder in (self.current, self._spare) if encoder is not None]
            self.current = self._spare = None
            await asyncio.shield(asyncio.gather(*(encoder.stop() for encoder in leaving)))

    # ------------------------------------------------------------ the one at work

    async def _keep_current(self) -> None:
        while True:
            try:
                await self._encode()
            except EncoderError as error:
                reason = str(error)
                if not self._first_frame.is_set():
                    assert self.settings is not None
                    if self.fall_back(self.settings, reason):
                        continue
                    if self.gives_up():
                        raise
                delay = self.restarts.failed(time.monotonic(), reason)
                assert delay is not None, "without a budget it is never given up"
                spare = self.current or self._take_spare()
                if spare is not None:
                    self.restarts.running(time.monotonic())  # it is warm
                self._on_restart(reason)
                if spare is None:
                    await asyncio.sleep(delay)

    async def _encode(self) -> None:
        """Has one encoder at work until another has taken over. Raises EncoderError when it fails."""
        encoder = self.current
        if encoder is None:
            assert self.settings is not None
            self.restarts.starting()
            encoder = Encoder(self._ffmpeg, self.settings, self._frame)
            await encoder.start()
            self.current = encoder
        reason = await self._until_replaced(encoder)
        if reason is None:
            await self._retire(encoder)
            return
        self.current = None
        self._take_spare()  # before the one that failed is cleared away: frames are waiting
        self.frames_lost += encoder.pending
        await asyncio.shield(encoder.stop(force=True))
        if lines := encoder.log_lines():
            log.info("ffmpeg_log", lines=lines)
        raise EncoderError(reason)

    async def _until_replaced(self, encoder: Encoder) -> str | None:
        ended = asyncio.ensure_future(encoder.wait())
        try:
            while True:
                news = asyncio.ensure_future(self._news.wait())
                await asyncio.wait((ended, news), timeout=_POLL_S, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                self._news.clear()
                if ended.done():
                    return ended.result()
                if encoder.failed:
                    return encoder.failed
                if reason := encoder.stalled(time.monotonic()):
                    return reason
                if self._swap_is_due(encoder) and self._take_spare():
                    return None
                if encoder.settings != self.settings and not self._first_frame.is_set():
                    # Before the first frame there is no spare, and this one would never get a frame of its size.
                    self.current = None
                    return None
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)

    def _swap_is_due(self, encoder: Encoder) -> bool:
        if encoder.settings != self.settings:
            return True
        if not self._keyframe_wanted:
            return False
        return time.monotonic() - self._last_swap >= KEYFRAME_INTERVAL_S

    def _take_spare(self) -> Encoder | None:
        """The spare takes over, if there is one for the settings wanted; from the next raw frame on."""
        spare = self._spare
        if spare is None or spare.settings != self.settings or spare.ended:
            return None
        self._spare = None
        self.current = spare
        self._keyframe_wanted = False
        self._last_swap = time.monotonic()
        return spare

    async def _retire(self, encoder: Encoder) -> None:
        """Ends an encoder that worked well; first it gives what it still has."""
        self._retiring = encoder
        try:
            until = time.monotonic() + _DRAIN_S
            while encoder.pending and time.monotonic() < until:
                await asyncio.sleep(0.01)
        finally:
            self._retiring = None
            self._release()
        await asyncio.shield(encoder.stop())

    def _frame(self, encoder: Encoder, frame: EncodedFrame) -> None:
        if encoder is not self._generation:
            if self._generation is not None and encoder is not self.current:
                return  # what a predecessor still gives would be a picture out of order
            if self._retiring is not None and self._retiring.pending:
                self._held.append(frame)  # the predecessor's last frames come first
                return
            self._release()
            self._generation = encoder
            self.restarts.running(time.monotonic())
            self._first_frame.set()
        self._on_frame(encoder, frame)

    def _release(self) -> None:
        """Hands on what the current encoder gave while its predecessor had frames left."""
        held, self._held = self._held, []
        if held and self.current is not None:
            self._generation = self.current
            for frame in held:
                self._on_frame(self.current, frame)

    # ------------------------------------------------------------ the spare

    async def _keep_spare(self) -> None:
        await self._first_frame.wait()
        delays = backoff(first=0.5, ceiling=30.0)
        while True:
            spare = self._spare
            if spare is not None and (spare.ended or spare.settings != self.settings):
                self._spare = None
                await asyncio.shield(spare.stop())
            pause = _POLL_S
            if self._spare is not None:
                self._wish.clear()
            else:
                await self._calm()
                if await self._make_spare():
                    delays = backoff(first=0.5, ceiling=30.0)
                    self._news.set()
                else:
                    pause = next(delays)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wish.wait(), pause)

    async def _calm(self) -> None:
        """Waits out a burst of wishes: a slider that is dragged must not start an FFmpeg for each of its values."""
        at_last = time.monotonic() + CALM_AT_LAST_S
        while self._wish.is_set() and time.monotonic() < at_last:
            self._wish.clear()
            await asyncio.sleep(CALM_S)
        self._wish.clear()

    async def _make_spare(self) -> bool:
        assert self.settings is not None
        settings = self.settings
        spare: Encoder | None = None
        ready = False
        try:
            spare = Encoder(self._ffmpeg, settings, self._frame, warm=True)
            await spare.start()
            ready = await spare.warm_up(START_S)
        except EncoderError as error:
            self._refuse(settings, str(error))
            return False
        finally:
            if spare is not None and not ready:
                await asyncio.shield(spare.stop())
        if ready:
            self._spare = spare
        else:
            lines = spare.log_lines()
            self._refuse(settings, lines[-1] if lines else f"FFmpeg encoded nothing within {START_S:g} s")
        return ready

    def _refuse(self, settings: EncoderSettings, why: str) -> None:
        log.warning("spare_encoder_failed", error=why)
        if settings == self.settings and not self.settled:
            self.refusal = why
