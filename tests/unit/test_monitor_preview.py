"""The preview without a terminal: what is asked for, what it costs, pixels."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from zlfeed.model import Thumbnail
from zlfeed.monitor import preview
from zlfeed.monitor.preview import Asked, NoPicture, Preview

KEY = ("ws://pi:9000/", "front")


def jpeg(width: int = 64, height: int = 48, colour: tuple[int, int, int] = (200, 40, 40)) -> bytes:
    """A picture: left half of one colour, right half black."""
    picture = Image.new("RGB", (width, height))
    picture.paste(colour, (0, 0, width // 2, height))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=95)
    return out.getvalue()


def thumbnail(camera: str = "front", data: bytes = b"x" * 1000) -> Thumbnail:
    return Thumbnail(camera, 1, 64, 48, data)


def test_only_what_was_asked_for_is_shown_and_its_cost_is_measured() -> None:
    store = Preview()
    assert store.shown(0.0) is None
    assert store.ask(Asked(KEY, 40, 2.0), 0.0)
    assert not store.ask(Asked(KEY, 40, 2.0), 0.1), "nothing new"
    assert not store.on_thumbnail("ws://other:9000/", thumbnail(), 0.2)
    assert not store.on_thumbnail(KEY[0], thumbnail("back"), 0.2)
    waiting = store.shown(0.3)
    assert waiting is not None
    assert (waiting.thumbnail, waiting.hz, waiting.old) == (None, None, True)
    for number in range(8):
        assert store.on_thumbnail(KEY[0], thumbnail(), 0.5 + number / 2)
    shown = store.shown(4.2)
    assert shown is not None
    assert shown.hz == pytest.approx(2.0)
    assert shown.bytes_per_s == pytest.approx(2000.0)
    assert not shown.old
    late = store.shown(9.0)
    assert late is not None
    assert late.old
    assert late.hz == 0.0
    assert store.ask(None, 9.0)
    assert store.shown(9.1) is None


def test_another_camera_begins_without_a_picture() -> None:
    store = Preview()
    store.ask(Asked(KEY, 40, 2.0), 0.0)
    store.on_thumbnail(KEY[0], thumbnail(), 0.5)
    store.ask(Asked(KEY, 60, 2.0), 1.0)
    wider = store.shown(1.1)
    assert wider is not None
    assert wider.thumbnail is not None, "a new width keeps the picture"
    store.ask(Asked((KEY[0], "back"), 60, 2.0), 1.2)
    other = store.shown(1.3)
    assert other is not None
    assert other.thumbnail is None


def test_a_day_of_pictures_is_not_kept() -> None:
    store = Preview()
    store.ask(Asked(KEY, 40, 5.0), 0.0)
    for number in range(10_000):
        store.on_thumbnail(KEY[0], thumbnail(), number / 5)
    assert len(store._came) <= 64


@pytest.mark.parametrize(
    ("picture", "room", "size"),
    [
        ((640, 480), (48, 15), (40, 15)),
        ((1920, 1080), (40, 30), (40, 11)),
        ((1920, 1080), (200, 60), (64, 18)),
        ((480, 640), (60, 10), (15, 10)),
        ((0, 0), (60, 10), (0, 0)),
    ],
)
def test_the_picture_keeps_its_shape(picture: tuple[int, int], room: tuple[int, int], size: tuple[int, int]) -> None:
    assert preview.fit(*picture, *room) == size


def test_pixels_are_the_pictures() -> None:
    rows = preview.pixels(jpeg(), 4, 4)
    assert [len(row) for row in rows] == [4] * 4
    assert all(abs(channel - wanted) < 12 for channel, wanted in zip(rows[1][0], (200, 40, 40), strict=True))
    assert max(rows[1][3]) < 12


def test_noise_changes_no_pixel_and_a_change_does() -> None:
    first = preview.pixels(jpeg(), 8, 6)
    assert preview.pixels(jpeg(colour=(203, 42, 38)), 8, 6, first) == first
    assert preview.pixels(jpeg(colour=(40, 200, 40)), 8, 6, first)[0][0] != first[0][0]
    assert len(preview.pixels(jpeg(), 4, 6, first)[0]) == 4, "another size is drawn anew"


@pytest.mark.parametrize("data", [b"", b"\xff\xd8garbage", b"GIF89a" + bytes(100), jpeg()[:300]])
def test_what_is_no_picture_is_said_so(data: bytes) -> None:
    with pytest.raises(NoPicture, match="sent what is no picture"):
        preview.pixels(data, 8, 6)
