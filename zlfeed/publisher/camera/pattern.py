"""The test picture: something to look at that gives an encoder a camera's work.

A landscape pans by (motion over the whole picture, with texture), a zone plate runs (all spatial frequencies), a ball
bounces (something that tears when frames are lost), and a test card stands still with colour bars, a grey staircase,
gratings and the frame's number. All of it is drawn once; a frame is a few copies.
"""

from __future__ import annotations

import math
import time

import cv2
import numpy as np
import numpy.typing as npt

from zlfeed.publisher.camera.pacing import Metronome
from zlfeed.publisher.camera.source import Opened, Stamp
from zlfeed.publisher.picture.glyphs import Glyphs
from zlfeed.publisher.picture.i420 import Plane, Planes, even, split

_PLATE_PHASES = 24
_PAN_SECONDS = 32 / 3
"""How long the landscape takes to pass by the width of the picture: 2 pixels a frame at 640x480 and 30 fps."""
_BARS = [(191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191)]
"""75 % colour bars in RGB, in the order of SMPTE EG 1."""

Picture = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]


class PatternSource:
    """The test picture at an exact rate; ticks that are missed are skipped."""

    def __init__(self, size: tuple[int, int], fps: float) -> None:
        width, height = size
        self.opened = Opened(width, height, fps, f"test picture {width}x{height} at {fps:g} fps")
        self._pattern = Pattern(width, height)
        self._fps = fps
        self._metronome = Metronome(time.monotonic(), fps)

    def read(self, into: Plane) -> Stamp:
        """Draws the next picture ahead and hands it on at its tick, which is when it counts as captured."""
        number, due = self._metronome.next(time.monotonic())
        self._pattern.draw(into, number, number / self._fps)
        if (ahead := due - time.monotonic()) > 0:
            time.sleep(ahead)
        return Stamp(time.time_ns() // 1000, time.monotonic_ns())


class Pattern:
    """Draws the picture of any moment; the same moment always gives the same picture."""

    def __init__(self, width: int, height: int) -> None:
        """`width` and `height` in pixels, both even."""
        self._size = (width, height)
        # Wider than the picture, so that the sun is seen once at most; and its beginning once more at its end, so that
        # a window at any offset is one slice.
        self._round = even(width * 5 / 4)
        scene = _landscape(self._round, height)
        self._scene = _planes_of(np.concatenate([scene, scene[:, :width]], axis=1))
        unit = max(8, min(height, width * 3 // 4) // 16)
        self._plate_side = unit * 4 // 2 * 2
        self._plate = _zone_plate(self._plate_side)
        self._plate_mask = _disc(self._plate_side) > 0.5
        self._ball_side = unit * 5 // 2 // 4 * 4
        self._ball = _planes_of(_ball(self._ball_side))
        inside = _disc(self._ball_side) > 0.5
        self._ball_masks = (inside, inside[::2, ::2], inside[::2, ::2])
        self._glyphs = Glyphs(unit)
        card = _card(min(unit * 12, width // 2 * 2), unit)
        self._card = _planes_of(card)
        card_height, card_width = card.shape[:2]
        # Low enough for the clock text and the timecode strip above.
        self._card_at = (even((width - card_width) // 2), even(height - card_height - unit))
        self._plate_at = (even(width - self._plate_side - unit), even(unit * 2.5))

    def draw(self, frame: Plane, number: int, seconds: float) -> None:
        """Draws the picture of the moment `seconds`, with `number` on it, on an I420 frame of (height·3/2, width)."""
        width, height = self._size
        planes = split(frame, width, height)
        offset = even(seconds / _PAN_SECONDS * width) % self._round
        planes.y[:] = self._scene.y[:, offset : offset + width]
        planes.u[:] = self._scene.u[:, offset // 2 : (offset + width) // 2]
        planes.v[:] = self._scene.v[:, offset // 2 : (offset + width) // 2]

        x, y = self._plate_at
        side = self._plate_side
        plate = self._plate[int(seconds * _PLATE_PHASES) % _PLATE_PHASES]
        np.copyto(planes.y[y : y + side, x : x + side], plate, where=self._plate_mask)
        np.copyto(planes.u[y // 2 : (y + side) // 2, x // 2 : (x + side) // 2], 128, where=self._plate_mask[::2, ::2])
        np.copyto(planes.v[y // 2 : (y + side) // 2, x // 2 : (x + side) // 2], 128, where=self._plate_mask[::2, ::2])

        x, y = self._card_at
        _paste(planes, self._card, x, y)
        text = self._glyphs.line(f"{number % 1_000_000:06d}")
        rows, columns = text.shape
        x += (self._card.y.shape[1] - columns) // 2
        y += self._card.y.shape[0] - rows - rows // 4
        np.maximum(planes.y[y : y + rows, x : x + columns], text, out=planes.y[y : y + rows, x : x + columns])

        self._draw_ball(planes, seconds)

    def _draw_ball(self, planes: Planes, seconds: float) -> None:
        width, height = self._size
        side = self._ball_side
        x = even(_bounce(seconds / 5.0) * (width - side))
        y = even(height - side - abs(math.sin(seconds * math.pi / 1.3)) * (height - side) * 0.8)
        for plane, ball, mask, half in zip(planes, self._ball, self._ball_masks, (1, 2, 2), strict=True):
            across, down = x // half, y // half
            rows, columns = ball.shape
            np.copyto(plane[down : down + rows, across : across + columns], ball, where=mask)


def _planes_of(picture: Picture) -> Planes:
    """The 4:2:0 planes of a BGR picture with even sides (BT.601, limited range)."""
    height, width = picture.shape[:2]
    frame: Plane = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), np.uint8)
    return split(frame, width, height)


def _paste(planes: Planes, what: Planes, x: int, y: int) -> None:
    for plane, part, half in zip(planes, what, (1, 2, 2), strict=True):
        rows, columns = part.shape
        plane[y // half : y // half + rows, x // half : x // half + columns] = part


def _bounce(t: float) -> float:
    """To and fro between 0 and 1, at steady speed."""
    return 1 - abs(t % 2 - 1)


def _noise(rng: np.random.Generator, width: int, height: int, cell: tuple[int, int]) -> Field:
    """Smooth noise of about ±1 whose left and right edges meet; `cell` is the size of its grain in pixels, (x, y)."""
    columns, rows = max(2, width // max(2, cell[0])), max(2, height // max(2, cell[1]))
    grid = rng.standard_normal((rows, columns)).astype(np.float32)
    wide = cv2.resize(np.pad(grid, ((0, 0), (2, 2)), mode="wrap"), (width + 4 * width // columns, height))
    start = (wide.shape[1] - width) // 2
    return np.asarray(wide[:, start : start + width], np.float32)


def _landscape(width: int, height: int) -> Picture:
    """An evening sky over four ranges of hills, each nearer, darker and rougher; its left and right edges meet."""
    rng = np.random.default_rng(7)
    x = np.arange(width, dtype=np.float32) / width
    y = (np.arange(height, dtype=np.float32) / height)[:, None]
    top, glow = np.array([104, 62, 34], np.float32), np.array([120, 176, 246], np.float32)
    blend = np.clip(y / 0.55, 0, 1)[:, :, None] ** 1.6
    picture = np.broadcast_to(top + (glow - top) * blend, (height, width, 3)).copy()
    clouds = sum(_noise(rng, width, height, (width // n, height // n // 2)) * 6 / n for n in (6, 12, 24))
    picture += (np.clip(clouds - 0.2, 0, 1.5) * 22)[:, :, None]
    sun = np.hypot((x - 0.4) * width, (y - 0.36) * height) / height
    picture += (np.clip(1 - sun / 0.3, 0, 1) ** 2)[:, :, None] * np.array([40, 80, 90], np.float32)
    picture[sun < 0.05] = (190, 235, 255)
    ranges = [
        (0.50, 0.060, (150, 132, 118), 5),
        (0.60, 0.070, (112, 104, 84), 9),
        (0.71, 0.060, (70, 92, 62), 16),
        (0.83, 0.045, (40, 70, 46), 30),
    ]
    grain = _noise(rng, width, height, (2, 2)) + 1.2 * _noise(rng, width, height, (6, 6))
    for base, swing, colour, rough in ranges:
        ridge = np.full(width, base, np.float32)
        for wave in range(1, 24):
            ridge += swing / wave * rng.uniform(0.4, 1) * np.sin(2 * np.pi * (wave * x + rng.uniform()))
        first = max(0, int(ridge.min() * height) - 1)
        depth = y[first:] - ridge
        shade = np.clip(1.15 - depth * 1.6, 0.5, 1.15)
        texture = grain[first:] * np.float32(rough * 0.7)
        # The edge is soft over one pixel, as through a lens.
        cover = np.clip(depth * height + 0.5, 0, 1)
        for channel, value in enumerate(colour):
            below = picture[first:, :, channel]
            below += (shade * np.float32(value) + texture - below) * cover
    return np.asarray(np.clip(picture, 0, 255, out=picture), np.uint8)


def _disc(side: int) -> Field:
    """1 inside the circle that fills the square, 0 outside, soft between."""
    axis = np.arange(side, dtype=np.float32) - (side - 1) / 2
    return np.asarray(np.clip(side / 2 - np.hypot(axis, axis[:, None]), 0, 1), np.float32)


def _zone_plate(side: int) -> Plane:
    """Rings that grow finer outwards, up to half the sampling rate, in _PLATE_PHASES phases: (phases, side, side)."""
    axis = np.arange(side, dtype=np.float32) - (side - 1) / 2
    turns = (axis**2 + axis[:, None] ** 2) / (2 * side)
    phases = np.arange(_PLATE_PHASES, dtype=np.float32)[:, None, None] / _PLATE_PHASES
    return np.asarray(126 + 88 * np.cos(2 * np.pi * (turns - phases)), np.uint8)


def _ball(side: int) -> Picture:
    """An orange ball, lit from the upper left."""
    axis = (np.arange(side, dtype=np.float32) - (side - 1) / 2) / (side / 2)
    light = np.clip(1.1 - np.hypot(axis + 0.35, axis[:, None] + 0.4) * 0.75, 0.15, 1)[:, :, None]
    shine = np.clip(1 - np.hypot(axis + 0.35, axis[:, None] + 0.4) / 0.3, 0, 1)[:, :, None] * 150
    return np.asarray(np.clip(np.array([30, 120, 255]) * light + shine, 0, 255), np.uint8)


def _card(width: int, unit: int) -> Picture:
    """The part that stands still: a title, colour bars, a grey staircase, gratings, and room for the number."""
    width = even(width)
    card = np.full((even(unit * 6.5), width, 3), 16, np.uint8)
    title = Glyphs(unit).line("ZLFEED TEST PICTURE")
    columns = min(width, title.shape[1])
    left = (width - columns) // 2
    card[unit // 4 : unit // 4 + title.shape[0], left : left + columns] = np.maximum(title[:, :columns, None], 16)
    edge = unit // 2
    inner = card[:, edge : width - edge]
    across = np.arange(inner.shape[1])
    colours = np.array(_BARS, np.uint8)[:, ::-1]
    inner[unit * 3 // 2 : unit * 7 // 2] = colours[across * len(colours) // len(across)]
    steps = np.linspace(16, 235, 11).astype(np.uint8)
    inner[unit * 7 // 2 : unit * 17 // 4] = steps[across * len(steps) // len(across)][:, None]
    # Gratings of 12, 8, 6, 4, 3 and 2 pixels a line pair.
    pitch = np.array([12, 8, 6, 4, 3, 2])[across * 6 // len(across)]
    wave = (126 + 100 * np.cos(2 * np.pi * across / pitch)).astype(np.uint8)
    inner[unit * 17 // 4 : unit * 5] = wave[:, None]
    return card
