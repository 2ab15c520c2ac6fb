"""The page for browsers at the status port: which file answers which path. The files are in www/."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

from google.protobuf.descriptor import FieldDescriptor

from zlfeed.model import PROTOCOL_VERSION
from zlfeed.wire import zlfeed_pb2
from zlfeed.wire.close import CloseCode

_FOLDER = Path(__file__).parent / "www"
_FILES = "/-/"
"""No camera's name begins with a hyphen."""
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
}
HEADERS = {
    "Cache-Control": "no-cache",
    # It runs its own script and no other, speaks with this server, and lies in no other site's frame.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; "
        "img-src blob: data:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class File(NamedTuple):
    """What a browser gets."""

    kind: str
    body: bytes


def find(path: str) -> File | None:
    """The file for a request's path: the page at / and at /CAMERA, what it is made of below /-/."""
    path = path.partition("?")[0]
    if path.startswith(_FILES):
        return _files().get(path.removeprefix(_FILES))
    if path.count("/") == 1 and path != "/favicon.ico":
        return _files()["index.html"]
    return None


@cache
def _files() -> dict[str, File]:
    found = {path.name: File(_KINDS[path.suffix], path.read_bytes()) for path in _FOLDER.iterdir()}
    protocol = {"version": PROTOCOL_VERSION, "close": dict(CloseCode.__members__), "messages": _messages()}
    return {**found, "protocol.json": File(_KINDS[".json"], json.dumps(protocol).encode())}


def _messages() -> dict[str, dict[str, tuple[str, str, str]]]:
    """The protocol's messages for a script: for each field's number its name, its type and how it occurs.

    The type is a scalar's name or a message's; it occurs `plain`, `optional`, `repeated` or as a `map`.
    """
    scalars = {
        getattr(FieldDescriptor, name): name.removeprefix("TYPE_").lower()
        for name in dir(FieldDescriptor)
        if name.startswith("TYPE_")
    }
    found = {}
    for message in zlfeed_pb2.DESCRIPTOR.message_types_by_name.values():
        for kind in (message, *message.nested_types):
            found[kind.name] = {
                str(field.number): (
                    field.name,
                    field.message_type.name if field.message_type else scalars[field.type],
                    _occurs(field),
                )
                for field in kind.fields
            }
    return found


def _occurs(field: FieldDescriptor) -> str:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return "map"
    if field.is_repeated:
        return "repeated"
    return "optional" if field.has_presence else "plain"
