from __future__ import annotations

import pytest

from zlfeed.rtsp import sdp
from zlfeed.rtsp.codecs import CODECS

SETS = {"h264": [b"\x67\x42\xc0\x1e", b"\x68\xce"], "h265": [b"\x40\x01", b"\x42\x01", b"\x44\x01"]}


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_lines_stand_in_the_order_of_rfc_8866_and_end_in_crlf(codec: str) -> None:
    text = sdp.describe("zerolatency", CODECS[codec], SETS[codec], session_id=77, host="10.0.0.2")
    assert text.endswith("\r\n")
    lines = text.split("\r\n")[:-1]
    session, media = lines[: lines.index("m=video 0 RTP/AVP 96")], lines[lines.index("m=video 0 RTP/AVP 96") :]
    # Section 5: v o s [i u e p] c [b] t … a, then the media.
    assert [line[0] for line in session] == ["v", "o", "s", "c", "t", "a", "a"]
    assert "o=- 77 1 IN IP4 10.0.0.2" in session
    assert f"a=rtpmap:96 {codec.upper()}/90000" in media
    assert media[2].startswith("a=fmtp:96 ")
    assert media[3] == f"a=control:{sdp.CONTROL}"


def test_an_ipv6_host_is_described_as_such() -> None:
    text = sdp.describe("x", CODECS["h264"], SETS["h264"], session_id=1, host="fd00::7")
    assert "o=- 1 1 IN IP6 fd00::7\r\n" in text
    assert "c=IN IP6 ::\r\n" in text
