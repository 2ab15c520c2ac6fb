"""The picture's size by sequence parameter sets that x264 and x265 made."""

from __future__ import annotations

import pytest

from zlfeed.rtsp.sps import picture_size


@pytest.mark.parametrize(
    ("codec", "unit", "size"),
    [
        ("h264", "6742c01eda0280f6c044000003000400000300ca3c58ba80", (640, 480)),
        ("h264", "67640028acd940780227e5c044000003000400000300c83c60c658", (1920, 1080)),
        ("h264", "67f4001e919b281485fc7cf808800000030080000019078b16cb", (642, 362)),  # 4:4:4
        ("h264", "6764001eacd940b424d8088000000300800000190f8a14cb", (720, 576)),  # interlaced
        ("h264", "677a001ebcd940b82fe227c044000003000400000300c83c58b658", (722, 362)),  # 4:2:2
        ("h264", "6764001ff365014016ec05b2000003000200000300641e30632c", (1280, 720)),  # grey
        ("h265", "42010101600000030090000003000003005aa0050201e165959a4932bc05a02000000300200000030321", (640, 480)),
        ("h265", "420101016000000300900000030000030078a003c08010e596566924caf0168080000003008000000c84", (1920, 1080)),
        (  # 4:4:4, two temporal layers
            "h265",
            "4201020408000003009e0800000300003f00009000a2402e39e7cb2b3159a4932bc05a020000030002000003003210",
            (642, 362),
        ),
        ("av1", "6742c01eda0280f6c044000003000400000300ca3c58ba80", None),
    ],
)
def test_the_size_that_is_told(codec: str, unit: str, size: tuple[int, int] | None) -> None:
    others = [bytes.fromhex("68ce3c80"), bytes.fromhex(unit)]
    assert picture_size(codec, others) == size
    for end in range(1, len(unit) // 2 - 12):  # what is cut off says nothing, or a size that could be
        cut = picture_size(codec, [bytes.fromhex(unit)[:end]])
        assert cut is None or all(0 < side <= 16_384 for side in cut)


def test_scaling_lists_are_passed_over() -> None:
    # profile high, 640x480: as the first above, but with scaling lists: all there, each a single "use the default".
    bits = "01100111" + "01100100" + "00000000" + "00011110" + "1" + "010" + "1" + "1" + "0" + "1"
    bits += "1000010001" * 8  # present, then delta_scale −8 as se(v): the rest of the list is the default's
    bits += "1" + "1" + "1" + "010" + "0" + "00000101000" + "000011110" + "1" + "1" + "0" + "1"
    unit = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    assert picture_size("h264", [unit]) == (640, 480)
