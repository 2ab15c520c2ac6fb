"""The aiortsp client, which shares no line with FFmpeg, GStreamer or us: over UDP and TCP, with its reports."""

from __future__ import annotations

import asyncio

import pytest
from aiortsp.rtsp.reader import RTSPReader

from tests.faults.kit import encoders
from tests.support.commands import publishing
from tests.support.depacketize import Depacketizer, Picture

LIMIT_S = 30.0
PICTURES = 60
KILL_AT = 20


@pytest.mark.parametrize("scheme", ["rtsp", "rtspt"], ids=["udp", "tcp"])
@pytest.mark.needs("ffmpeg")
async def test_aiortsp_gets_whole_moving_pictures_also_when_the_encoder_dies(scheme: str) -> None:
    with publishing() as publisher:
        url = publisher.line("ready")["urls"]["rtsp"].replace("rtsp://", f"{scheme}://")
        received = Depacketizer("h264")
        pictures: list[Picture] = []
        async with asyncio.timeout(LIMIT_S), RTSPReader(url) as reader:
            async for packet in reader.iter_packets():
                if picture := received.feed(bytes(packet)):
                    pictures.append(picture)
                    if len(pictures) == KILL_AT:
                        encoders(publisher)[0].kill()
                if len(pictures) == PICTURES:
                    break
        publisher.line("event", code="encoder_restarted")
        second = publisher.line("second")
    assert received.gaps == 0
    slices = [picture.units[-2] for picture in pictures]
    assert len(set(slices)) == len(slices), "pictures that do not move"
    assert pictures[0].kinds("h264")[:3] == [7, 8, 5]
    assert all(picture.kinds("h264")[-1] == 9 for picture in pictures), "a frame that is not closed"
    assert second["state"] == "live"
