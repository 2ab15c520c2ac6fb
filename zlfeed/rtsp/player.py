"""The side of an RTSP connection that plays: DESCRIBE, SETUP, PLAY (RFC 2326 sections 10.2, 10.4 and 10.5); no I/O."""

from __future__ import annotations

from collections.abc import Iterator

from zlfeed.rtsp import described
from zlfeed.rtsp.auth import Login
from zlfeed.rtsp.client import TCP, Action, Client, Lost, Playing, Rtp, Send
from zlfeed.rtsp.described import Described, Unsuitable
from zlfeed.rtsp.messages import Interleaved, Request, Response, RtspError


class PlayingClient(Client):
    """Plays the video of one session, through the connection itself. `stream` is what it is, once it is described."""

    def __init__(self, url: str, login: Login | None, agent: str) -> None:
        super().__init__(url, login, agent)
        self.stream: Described | None = None
        self._set_up = False

    def _first(self) -> Send:
        return self._ask("DESCRIBE", self._url, Accept="application/sdp")

    def _succeeded(self, asked: Request, response: Response) -> Iterator[Action]:
        if asked.method == "DESCRIBE":
            yield self._described(response)
        elif asked.method == "SETUP":
            refused = self._refused_transport(response.headers.get("transport", ""))
            assert self.stream is not None
            self._set_up = refused is None
            yield refused or self._ask("PLAY", self.stream.session_url, Range="npt=0.000-")
        elif asked.method == "PLAY":
            self._running = True
            yield Playing(self._timeout_s)

    def _described(self, response: Response) -> Action:
        base = response.headers.get("content-base") or response.headers.get("content-location") or self._url
        try:
            self.stream = described.read(response.body.decode("utf-8", "replace"), base.strip())
        except Unsuitable as why:
            return Lost(f"{why}: leave --passthrough away, and it is decoded and encoded again", curable=False)
        except RtspError as error:
            return Lost(str(error), curable=True)
        return self._ask("SETUP", self.stream.url, Transport=TCP)

    def _interleaved(self, frame: Interleaved) -> Iterator[Action]:
        # Some servers send the first frames before they answer PLAY.
        if self._set_up and frame.channel == self._channel:
            yield Rtp(frame.data)
            return
        yield from super()._interleaved(frame)
