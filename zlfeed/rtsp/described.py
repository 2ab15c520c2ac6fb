"""What another server's session description says of its video (RFC 8866, RFC 6184 8.2, RFC 7798 7.2); no I/O."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from zlfeed.rtsp.codecs import CODECS, Codec
from zlfeed.rtsp.messages import RtspError

_CODECS = {codec.encoding: codec for codec in (CODECS["h264"], CODECS["h265"])}
_SETS = re.compile(r"(?:^|;)\s*sprop-(?:parameter-sets|vps|sps|pps)\s*=\s*([^;\s]*)", re.IGNORECASE)


class Unsuitable(Exception):
    """Why the video cannot be passed on: a clause for the person."""


@dataclass(frozen=True, slots=True)
class Described:
    """The first video stream of H.264 or H.265. `url` is for SETUP, `session_url` for PLAY."""

    codec: Codec
    payload_type: int
    parameter_sets: tuple[bytes, ...]
    url: str
    session_url: str


def read(text: str, base: str) -> Described:
    """The video of a session whose relative URLs start from `base`. Raises Unsuitable; RtspError: it is no SDP."""
    if not text.startswith("v="):
        raise RtspError(400, "its answer to DESCRIBE is no session description")
    head, *media = re.split(r"^(?=m=)", text, flags=re.MULTILINE)
    found = []
    for section in media:
        if not section.startswith("m=video"):
            continue
        for number, name in re.findall(r"^a=rtpmap:(\d{1,3}) ([\w.-]+)/90000\s*$", section, re.MULTILINE):
            found.append(name)
            if codec := _CODECS.get(name.upper()):
                session_url = _resolved(_control(head), base)
                url = _resolved(_control(section), base)
                return Described(codec, int(number), _sets(section, number), url, session_url)
    names = ", ".join(dict.fromkeys(found))
    raise Unsuitable(f"its video is {names}, not H.264 or H.265" if names else "it has no video of H.264 or H.265")


def _control(section: str) -> str:
    match = re.search(r"^a=control:\s*(\S+)\s*$", section, re.MULTILINE)
    return match[1] if match else "*"


def _resolved(control: str, base: str) -> str:
    url = base if control == "*" else control if "://" in control else f"{base.rstrip('/')}/{control}"
    if not re.fullmatch(r"[!-~]{1,2000}", url):
        raise RtspError(400, "a URL in its session description that is none")
    return url


def _sets(section: str, number: str) -> tuple[bytes, ...]:
    """The parameter sets; without those that are no base64."""
    match = re.search(rf"^a=fmtp:{number} (.*)$", section, re.MULTILINE)
    units = []
    for value in _SETS.findall(match[1] if match else ""):
        for word in value.split(","):
            try:
                units.append(base64.b64decode(word, validate=True))
            except ValueError:
                continue
    return tuple(unit for unit in units if len(unit) > 1)
