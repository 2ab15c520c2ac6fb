"""What a browser shows of a feed: reads the timecode strip from a page's video, by canvas.

`python -m tests.support.video_page SECONDS [USER:PASSWORD@]URL…` says it of each URL, as one line of JSON: a browser
must be where it is looked at from, and that may be another network.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np

from tests.support.browser import Page, browsing
from zlfeed import timecode
from zlfeed.timecode import Timecode

_LOOK = """
new Promise((done) => {
  const video = document.querySelector('video'), rows = Math.max(4, Math.ceil(video.videoHeight / 60));
  const canvas = new OffscreenCanvas(video.videoWidth, rows);
  const context = canvas.getContext('2d', {willReadFrequently: true});
  const shown = [], began = performance.now();
  const look = () => {
    context.drawImage(video, 0, 0);
    const at = performance.timeOrigin + performance.now();
    const pixels = context.getImageData(0, 0, video.videoWidth, rows).data;
    let green = '';
    for (let i = 1; i < pixels.length; i += 4) green += String.fromCharCode(pixels[i]);
    shown.push([at, btoa(green)]);
    if (performance.now() - began < SECONDS * 1000) video.requestVideoFrameCallback(look);
    else done({shown, width: video.videoWidth, height: video.videoHeight, format: new VideoFrame(video).format});
  };
  video.requestVideoFrameCallback(look);
})
"""
PLAYS = "document.querySelector('video')?.videoWidth > 0 && document.querySelector('video').currentTime > 0"


_ASKED = "document.getElementById('door')?.hidden === false"


class Shown(NamedTuple):
    """What a page's video showed: how old its pictures were (ms), their strips, and how it holds them."""

    ages_ms: list[float]
    codes: list[Timecode]
    unread: int
    format: str
    """As VideoFrame.format (WebCodecs): I420, NV12 …"""
    width: int
    height: int


def watch(page: Page, seconds: float) -> Shown:
    """Looks at each new picture for that long; the page must be on the machine whose clock the publisher has."""
    found = page.run(_LOOK.replace("SECONDS", str(seconds)))
    width, height = found["width"], found["height"]
    ages, codes, unread = [], [], 0
    for at_ms, data in found["shown"]:
        rows = np.frombuffer(base64.b64decode(data), np.uint8).reshape(-1, width)
        picture = np.zeros((height, width), np.uint8)
        picture[: len(rows)] = rows
        code = timecode.read(picture)
        if code is None:
            unread += 1
            continue
        codes.append(code)
        ages.append(at_ms - timecode.unwrap(code.time_us, round(at_ms * 1000)) / 1000)
    return Shown(ages, codes, unread, found["format"], width, height)


def fill(page: Page, token: str) -> None:
    """Types a token into the publisher's page, which asks for one."""
    page.run(f"document.getElementById('token').value = {json.dumps(token)}")
    page.run("document.querySelector('#door button').click()")


def main(seconds: float, urls: Sequence[str]) -> None:
    """Says what each URL's page shows."""
    for url in urls:
        parts = urlsplit(url)
        with browsing() as page:
            if parts.username:
                page.log_in(parts.username, parts.password or "")
            page.open(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl())
            page.until(f"{PLAYS} || {_ASKED}")
            if page.run(_ASKED):
                fill(page, parts.password or "")
                page.until(PLAYS)
            shown = watch(page, seconds)
            print(json.dumps({"ages_ms": shown.ages_ms, "format": shown.format, "complaints": page.complaints}))


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
