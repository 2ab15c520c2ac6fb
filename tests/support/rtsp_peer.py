"""The far side of an RTSP client's core, without a socket: hears what it asks, and answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zlfeed.rtsp.client import Action, Client, Lost, Send
from zlfeed.rtsp.messages import Parser, Request, Response


class Peer:
    """Speaks to a client as a server does; keeps what else it does."""

    def __init__(self, client: Client) -> None:
        self.actions: list[Action] = []
        """All but the requests, which are `asked`."""
        self.asked: list[Request] = []
        self._client = client
        self.take(client.begin())

    def take(self, actions: Iterable[Action]) -> None:
        """Sorts what the client does."""
        for action in actions:
            if isinstance(action, Send):
                for message in Parser().feed(action.data):
                    if isinstance(message, Request):
                        self.asked.append(message)
                    else:
                        self.actions.append(action)
            else:
                self.actions.append(action)

    def send(self, data: bytes) -> None:
        """Sends it to the client."""
        self.take(self._client.receive(data))

    def answer(self, status: int = 200, headers: Mapping[str, str] | None = None, body: str = "") -> None:
        """Answers the newest request."""
        cseq = self.asked[-1].headers["cseq"]
        self.send(Response(status, {"CSeq": cseq, **(headers or {})}, body.encode()).encode())

    @property
    def lost(self) -> Lost:
        """That it gave the connection up, which it did once."""
        (lost,) = [action for action in self.actions if isinstance(action, Lost)]
        return lost
