"""QR codes (ISO/IEC 18004) for addresses: byte mode, versions 1 to 5, error correction level L. Pure.

That holds 106 bytes with one block of error correction and no version field, which is all that an address needs.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

# Table 9: (data codewords, error correction codewords) of versions 1 to 5 at level L.
_CODEWORDS = ((19, 7), (34, 10), (55, 15), (80, 20), (108, 26))
_FORMAT_L = 0b01
_FORMAT_POLYNOMIAL, _FORMAT_MASK = 0b10100110111, 0b101010000010010

_EXP = [1] * 512
_LOG = [0] * 256
for _power in range(1, 512):
    # GF(256) with the polynomial x⁸ + x⁴ + x³ + x² + 1 (section 7.5.2).
    _value = _EXP[_power - 1] << 1
    _EXP[_power] = _value ^ 0x11D if _value & 0x100 else _value
for _power in range(255):
    _LOG[_EXP[_power]] = _power

Modules = list[list[bool]]

_MASKS = (
    lambda y, x: (y + x) % 2 == 0,
    lambda y, x: y % 2 == 0,
    lambda y, x: x % 3 == 0,
    lambda y, x: (y + x) % 3 == 0,
    lambda y, x: (y // 2 + x // 3) % 2 == 0,
    lambda y, x: y * x % 2 + y * x % 3 == 0,
    lambda y, x: (y * x % 2 + y * x % 3) % 2 == 0,
    lambda y, x: ((y + x) % 2 + y * x % 3) % 2 == 0,
)


def encode(text: str) -> Modules | None:
    """The modules of a QR code, dark = True, without a quiet zone; None for more than 106 bytes."""
    data = text.encode()
    # 4 bits mode and 8 bits length go before the data.
    version = next((n for n, (room, _) in enumerate(_CODEWORDS, 1) if len(data) + 2 <= room), None)
    if version is None:
        return None
    room, extra = _CODEWORDS[version - 1]
    codewords = _data_codewords(data, room)
    codewords += _remainder(codewords, extra)
    bits = [bool(byte >> shift & 1) for byte in codewords for shift in range(7, -1, -1)]
    candidates = [_draw(version, bits, mask) for mask in range(8)]
    return min(candidates, key=penalty)


def _data_codewords(data: bytes, room: int) -> list[int]:
    """Mode, length, data, terminator, padding (section 7.4)."""
    bits = f"0100{len(data):08b}" + "".join(f"{byte:08b}" for byte in data) + "0000"
    words = [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]
    return words + [(0xEC, 0x11)[index % 2] for index in range(room - len(words))]


def _remainder(words: list[int], extra: int) -> list[int]:
    """The Reed–Solomon codewords (section 7.5.2)."""
    generator = [1]
    for power in range(extra):
        longer = [*generator, 0]
        for index, value in enumerate(generator):
            if value:
                longer[index + 1] ^= _EXP[_LOG[value] + power]
        generator = longer
    rest = [0] * extra
    for word in words:
        factor = word ^ rest[0]
        rest = [*rest[1:], 0]
        if factor:
            rest = [value ^ _EXP[_LOG[factor] + _LOG[g]] for value, g in zip(rest, generator[1:], strict=True)]
    return rest


def _draw(version: int, bits: list[bool], mask: int) -> Modules:
    size = 17 + 4 * version
    modules = [[False] * size for _ in range(size)]
    fixed = [[False] * size for _ in range(size)]

    def put(y: int, x: int, dark: bool) -> None:
        if 0 <= y < size and 0 <= x < size:
            modules[y][x], fixed[y][x] = dark, True

    for index in range(size):  # timing patterns
        put(6, index, index % 2 == 0)
        put(index, 6, index % 2 == 0)
    for top, left in ((0, 0), (0, size - 7), (size - 7, 0)):  # finder patterns with their separators
        for y, x in product(range(-1, 8), repeat=2):
            ring = max(abs(y - 3), abs(x - 3))
            put(top + y, left + x, ring in (0, 1, 3))
    if version > 1:  # one alignment pattern up to version 6
        for y, x in product(range(-2, 3), repeat=2):
            put(size - 7 + y, size - 7 + x, max(abs(y), abs(x)) != 1)
    _draw_format(put, size, mask)

    waiting = iter(bits)
    upwards = True
    for right in range(size - 1, 0, -2):
        column = right if right > 6 else right - 1  # the vertical timing pattern is stepped over
        for y in range(size - 1, -1, -1) if upwards else range(size):
            for x in (column, column - 1):
                if not fixed[y][x]:
                    modules[y][x] = next(waiting, False) ^ _MASKS[mask](y, x)
        upwards = not upwards
    return modules


def _draw_format(put: Callable[[int, int, bool], None], size: int, mask: int) -> None:
    """Level and mask, twice, with their BCH code (section 7.9)."""
    word = _FORMAT_L << 3 | mask
    rest = word << 10
    for shift in range(4, -1, -1):
        if rest >> (shift + 10) & 1:
            rest ^= _FORMAT_POLYNOMIAL << shift
    code = (word << 10 | rest) ^ _FORMAT_MASK
    for index in range(15):
        dark = bool(code >> index & 1)
        put(index if index < 6 else index + 1 if index < 8 else size - 15 + index, 8, dark)
        put(8, size - 1 - index if index < 8 else 15 - index if index < 9 else 14 - index, dark)
    put(size - 8, 8, True)


def penalty(modules: Modules) -> int:
    """How hard a symbol is to read (section 7.8.3.1); the mask with the least is used."""
    size = len(modules)
    score = 0
    for line in [*modules, *map(list, zip(*modules, strict=True))]:
        run = 1
        for index in range(1, size + 1):
            if index < size and line[index] == line[index - 1]:
                run += 1
                continue
            score += run - 2 if run >= 5 else 0
            run = 1
        text = "".join("1" if dark else "0" for dark in line)
        score += 40 * sum(
            text.startswith(pattern, at) for at in range(size) for pattern in ("10111010000", "00001011101")
        )
    for y, x in product(range(size - 1), repeat=2):
        score += 3 * (modules[y][x] == modules[y][x + 1] == modules[y + 1][x] == modules[y + 1][x + 1])
    dark = sum(map(sum, modules))
    return score + 10 * int(abs(dark * 20 / size**2 - 10))
