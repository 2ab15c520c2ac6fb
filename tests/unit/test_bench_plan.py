"""What the bench compares, and how it is started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zlfeed.bench import app, mediamtx, plan, viewers
from zlfeed.bench.plan import Format, Plain, Viewer
from zlfeed.bench.programs import plain_publisher
from zlfeed.bench.rtsp import Player, describe
from zlfeed.errors import UsageError
from zlfeed.rtsp.messages import Response
from zlfeed.rtsp.rtp import interleave

FFMPEG = Path("/usr/bin/ffmpeg")


def test_the_plain_chain_is_the_command_of_the_tutorials() -> None:
    url = "rtsp://127.0.0.1:8554/live"
    argv = plain_publisher.argv("ffmpeg", url, "640x480", 30, 800_000, 10, "h264", "bgr24")
    assert " ".join(argv) == (
        "ffmpeg -f rawvideo -vcodec rawvideo -pix_fmt bgr24 -s 640x480 -r 30 -i - "
        "-c:v libx264 -preset ultrafast -tune zerolatency -g 10 -b:v 800k -maxrate 800k -bufsize 200k "
        f"-f rtsp -rtsp_transport tcp {url}"
    )


def test_the_stock_viewer_is_told_nothing() -> None:
    _, arguments = viewers.argv(Viewer(), "rtsp://h/x", Format(), 4, FFMPEG)
    assert arguments == ("rtsp://h/x", "4", "0", "0", "")


def test_each_improvement_differs_from_the_base_in_one_thing() -> None:
    bare, *others, together = plan.improvements_group(Format())
    assert bare.sender == Plain("relay")
    for chain in others:
        assert chain.against == bare.name
        assert (chain.sender != bare.sender) != (chain.viewer != bare.viewer)
    assert together.sender != bare.sender
    assert together.viewer != bare.viewer


def test_every_chain_has_a_name_of_its_own_and_a_base_that_exists() -> None:
    wanted = Format()
    groups = [
        plan.plain_group(wanted, "mediamtx") + plan.limit_group(wanted),
        plan.improvements_group(wanted),
        plan.clients_group(wanted, "relay", ["opencv", "ffmpeg", "gstreamer"]),
        plan.formats_group("relay"),
    ]
    for chains in groups:
        names = [chain.name for chain in chains]
        assert len(set(names)) == len(names)
        assert all(len(name) <= 23 for name in names), "the table has 80 columns"
        assert {chain.against for chain in chains} - {""} <= set(names)


def test_rounds_are_taken_in_turns() -> None:
    assert list(plan.interleaved("AB", 2)) == [(1, "A"), (1, "B"), (2, "A"), (2, "B")]


def test_an_unknown_group_is_named_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match=r"no group 'plane'.*plain,improvements"):
        app.groups_of("plain,plane", everything=False)
    assert app.groups_of("limit, plain", everything=False) == ("plain", "limit")
    assert app.groups_of(None, everything=True) == app.GROUPS


def test_mediamtx_is_told_to_stay_on_this_machine() -> None:
    settings = json.loads(mediamtx.configuration(mediamtx.Ports(18554, 18000)))
    addresses = [value for name, value in settings.items() if name.endswith("Address")]
    assert addresses
    assert all(address.startswith("127.0.0.1:") for address in addresses)
    assert not any(settings[name] for name in ("api", "hls", "webrtc", "rtmp", "srt", "moq"))


def test_free_ports_are_an_even_one_and_its_neighbour() -> None:
    ports = mediamtx.free_ports()
    assert ports.rtp % 2 == 0
    assert ports.rtsp != ports.rtp


def test_the_light_reader_plays_and_counts() -> None:
    url = "rtsp://127.0.0.1:8554/live"
    player = Player(url)
    assert describe(url).startswith(b"DESCRIBE rtsp://127.0.0.1:8554/live RTSP/1.0\r\n")
    sdp = b"v=0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=control:trackID=0\r\n"
    assert player.receive(Response(200, {"CSeq": "1", "Content-Base": url + "/"}, sdp).encode()).startswith(
        b"SETUP rtsp://127.0.0.1:8554/live/trackID=0 "
    )
    play = player.receive(Response(200, {"CSeq": "2", "Session": "abc;timeout=60"}).encode())
    assert play.startswith(b"PLAY ")
    assert b"Session: abc\r\n" in play
    last = interleave(b"\x80\xe0" + bytes(20), 0)
    other = interleave(b"\x80\x60" + bytes(20), 0)
    report = interleave(b"\x80\xc8" + bytes(26), 1)
    stream = Response(200, {"CSeq": "3"}).encode() + other + last + report + last
    for i in range(0, len(stream), 7):
        assert player.receive(stream[i : i + 7]) == b""
    assert player.frames == 2
    assert player.bytes == 22 * 3 + 28


def test_the_light_reader_says_who_refused() -> None:
    with pytest.raises(ValueError, match="404"):
        Player("rtsp://h/x").receive(Response(404).encode())
