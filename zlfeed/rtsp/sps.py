"""The size of the picture that a sequence parameter set tells (ITU-T H.264 7.3.2.1.1, H.265 7.3.2.2.1); no I/O."""

from __future__ import annotations

from collections.abc import Iterable

_H264_SPS, _H265_SPS = 7, 33
_WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 134, 135, 138, 139})
"""profile_idc values with a chroma format and scaling lists of their own."""
_SUBSAMPLING = {0: (1, 1), 1: (2, 2), 2: (2, 1), 3: (1, 1)}
"""SubWidthC and SubHeightC by chroma_format_idc (table 6-1)."""
_MOST = 16_384
"""Pixels a side; what says more is garbage."""


class _Bits:
    """Reads a parameter set bit by bit. Raises IndexError at its end."""

    def __init__(self, unit: bytes, at: int) -> None:
        """From byte `at` of a NAL unit, its emulation prevention bytes taken out."""
        self._data = unit.replace(b"\0\0\3", b"\0\0")
        self._at = at * 8

    def u(self, count: int) -> int:
        """An unsigned number of so many bits, u(n)."""
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1
            self._at += 1
        return value

    def ue(self) -> int:
        """An unsigned Exp-Golomb number, ue(v)."""
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > 32:
                raise IndexError("no Exp-Golomb number")
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """A signed one, se(v)."""
        number = self.ue()
        return (number + 1) // 2 if number % 2 else -(number // 2)


def picture_size(codec: str, units: Iterable[bytes]) -> tuple[int, int] | None:
    """Width and height by the first sequence parameter set among NAL units; None where there is none, or it is broken.

    `codec` is h264 or h265; others tell it in other ways.
    """
    for unit in units:
        try:
            if codec == "h264" and unit[0] & 0x1F == _H264_SPS:
                size = _h264(_Bits(unit, 1))
            elif codec == "h265" and unit[0] >> 1 & 0x3F == _H265_SPS:
                size = _h265(_Bits(unit, 2))
            else:
                continue
        except IndexError:
            return None
        return size if all(0 < side <= _MOST for side in size) else None
    return None


def _h264(bits: _Bits) -> tuple[int, int]:
    profile = bits.u(8)
    bits.u(16)
    bits.ue()
    chroma, separate = 1, 0
    if profile in _WITH_CHROMA:
        chroma = bits.ue()
        separate = bits.u(1) if chroma == 3 else 0
        bits.ue()
        bits.ue()
        bits.u(1)
        if bits.u(1):
            for number in range(12 if chroma == 3 else 8):
                if bits.u(1):
                    _scaling_list(bits, 16 if number < 6 else 64)
    bits.ue()
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.u(1)
        bits.se()
        bits.se()
        for _ in range(min(bits.ue(), 255)):
            bits.se()
    bits.ue()
    bits.u(1)
    width, height = 16 * (bits.ue() + 1), 16 * (bits.ue() + 1)
    fields = 1 if bits.u(1) else 2  # frame_mbs_only_flag; else the height is that of one field
    height *= fields
    if fields == 2:
        bits.u(1)
    bits.u(1)
    across, down = _SUBSAMPLING.get(0 if separate else chroma, (1, 1))
    return _cropped(bits, width, height, across, down * fields)


def _scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _h265(bits: _Bits) -> tuple[int, int]:
    bits.u(4)
    layers = bits.u(3)
    bits.u(1)
    bits.u(88 + 8)
    told = [(bits.u(1), bits.u(1)) for _ in range(layers)]
    if layers:
        bits.u(2 * (8 - layers))
    for profile, level in told:
        bits.u(88 * profile + 8 * level)
    bits.ue()
    chroma = bits.ue()
    separate = bits.u(1) if chroma == 3 else 0
    width, height = bits.ue(), bits.ue()
    return _cropped(bits, width, height, *_SUBSAMPLING.get(0 if separate else chroma, (1, 1)))


def _cropped(bits: _Bits, width: int, height: int, across: int, down: int) -> tuple[int, int]:
    """Less what is cut off at the edges, told in units of `across` and `down` pixels."""
    if not bits.u(1):
        return width, height
    left, right, top, bottom = (bits.ue() for _ in range(4))
    return width - across * (left + right), height - down * (top + bottom)
