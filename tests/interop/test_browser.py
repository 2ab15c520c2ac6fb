"""A real browser plays the pages of a real MediaMTX, and the strip in its picture says how late that is."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator

import pytest

from tests.support import figures, video_page
from tests.support.browser import browsing
from tests.support.commands import publishing
from tests.support.rtsp_client import connected

pytestmark = [pytest.mark.needs("mediamtx", "chromium", "ffmpeg"), pytest.mark.timeout(180)]
SECONDS = 3.0


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    with publishing("--server", "auto", "--webrtc-port", "0", "--hls-port", "0") as publisher:
        found: dict[str, str] = publisher.line("ready")["urls"]
        yield found


@pytest.mark.parametrize(("kind", "limit_ms"), [("webrtc", 500), ("hls", 8000)])
def test_a_browser_plays_the_page(urls: dict[str, str], kind: str, limit_ms: float) -> None:
    with browsing() as page:
        page.open(urls[kind])
        page.until(video_page.PLAYS)
        shown = video_page.watch(page, SECONDS)

        assert (shown.width, shown.height) == (640, 480)
        assert shown.format in ("I420", "NV12"), "4:2:0 is what every browser plays"
        times = [code.time_us for code in shown.codes]
        assert times == sorted(times), "the pictures are shown in their order"
        assert len(set(times)) > 15 * SECONDS, "the picture moves"
        assert shown.unread == 0
        assert statistics.median(shown.ages_ms) < limit_ms
        assert not page.complaints
    figures.record(f"Chromium plays the {kind.upper()} page", f"capture → shown {figures.spread(shown.ages_ms)}")


async def test_the_stream_is_constrained_baseline(urls: dict[str, str]) -> None:
    """H.264 Annex A.2.1.1: profile_idc 66 and constraint_set1_flag; it has no format but 4:2:0, and no B-frames."""
    async with connected(urls["rtsp"]) as client:
        await client.play()
        async with asyncio.timeout(20):
            while not (sets := [unit for unit in (await client.picture()).units if unit[0] & 0x1F == 7]):
                pass
    profile_idc, constraints = sets[0][1], sets[0][2]
    assert profile_idc == 66
    assert constraints & 0x40
