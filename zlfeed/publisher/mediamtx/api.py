"""MediaMTX's control API, as far as it is needed: which paths are ready, their bytes, their readers."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from zlfeed.model import Viewer
from zlfeed.publisher.mediamtx.config import API_USER
from zlfeed.publisher.mediamtx.http import Place
from zlfeed.rtsp.auth import Login

_LISTS = {"webRTCSession": "webrtcsessions", "hlsSession": "hlssessions", "rtspSession": "rtspsessions"}
_TRANSPORTS = {"webRTCSession": "webrtc", "hlsSession": "hls", "rtspSession": "rtsp"}


class ApiError(Exception):
    """The API did not answer as it should."""


class NotAsked(ApiError):
    """It could not be asked, for want of descriptors of our own: that says nothing of it."""


@dataclass(frozen=True, slots=True)
class PathState:
    """One path: whether it can be watched, what it has received, and who reads it."""

    ready: bool
    bytes_received: int
    readers: tuple[Viewer, ...] = field(default=())


class Api:
    """A client for one MediaMTX on this machine. Every call has a time-out and raises ApiError."""

    def __init__(self, port: int, password: str, timeout_s: float = 1.0) -> None:
        self._place = Place("127.0.0.1", port, Login(API_USER, password).basic)
        self._timeout_s = timeout_s

    async def get(self, path: str) -> dict[str, Any]:
        """The JSON object at `path`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._get(path)
        except TimeoutError:
            raise ApiError(f"no answer within {self._timeout_s:g} s") from None
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
                raise NotAsked(str(error)) from None
            raise ApiError(str(error) or type(error).__name__) from None

    async def _get(self, path: str) -> dict[str, Any]:
        answer = await self._place.ask("GET", path)
        if answer.status != HTTPStatus.OK:
            raise ValueError(f"HTTP status {answer.status}")
        found = json.loads(answer.body)
        if not isinstance(found, dict):
            raise ValueError("no JSON object")
        return found

    async def paths(self) -> dict[str, PathState]:
        """The state of every path."""
        try:
            return await self._paths()
        except (AttributeError, TypeError, ValueError):
            raise ApiError("an answer of another shape") from None

    async def _paths(self) -> dict[str, PathState]:
        listed = await self.get("/v3/paths/list")
        items = listed.get("items") or []
        kinds = {r.get("type") for item in items for r in item.get("readers") or []} & set(_LISTS)
        details: dict[str, Mapping[str, Any]] = {}
        for kind in kinds:
            sessions = await self.get(f"/v3/{_LISTS[str(kind)]}/list?itemsPerPage=1000")
            details.update({str(s.get("id")): s for s in sessions.get("items") or []})
        return {str(item.get("name")): _path(item, details) for item in items}


def _path(item: Mapping[str, Any], details: Mapping[str, Mapping[str, Any]]) -> PathState:
    readers = []
    for reader in item.get("readers") or []:
        kind, name = str(reader.get("type")), str(reader.get("id"))
        if kind not in _TRANSPORTS:
            continue
        about = details.get(name, {})
        readers.append(
            Viewer(
                id=name,
                address=str(about.get("remoteAddr", "?")),
                transport=_TRANSPORTS[kind],
                agent=str(about.get("userAgent", "")),
                bytes_sent=int(about.get("outboundBytes", 0)),
                frames_dropped=int(about.get("outboundFramesDiscarded", 0)),
            )
        )
    received = item.get("inboundBytes", item.get("bytesReceived", 0))
    return PathState(bool(item.get("available", item.get("ready"))), int(received), tuple(readers))
