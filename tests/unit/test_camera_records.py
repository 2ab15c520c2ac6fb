"""The messages between the camera process and its parent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zlfeed.publisher.camera.records import Failure, Record, Request, Unpacker, pack
from zlfeed.publisher.camera.source import CameraSpec, FrameInfo, Opened

_u64 = st.integers(0, 2**64 - 1)
_records = st.one_of(
    st.builds(FrameInfo, _u64, _u64, _u64),
    st.builds(Opened, st.integers(2, 8000), st.integers(2, 8000), st.none() | st.floats(1, 240), st.text(max_size=80)),
    st.builds(Failure, st.text(max_size=400)),
)


@given(st.lists(_records, max_size=8), st.integers(1, 60))
def test_records_survive_a_pipe_that_cuts_them_anywhere(records: list[Record], piece: int) -> None:
    stream = b"".join(pack(record) for record in records)
    unpacker = Unpacker()
    read = [r for i in range(0, len(stream), piece) for r in unpacker.feed(stream[i : i + piece])]
    assert read == records


@given(st.text(min_size=1, max_size=30), st.integers(2000, 9000))
def test_a_record_fits_into_one_atomic_write(text: str, size: int) -> None:
    assert len(pack(Failure((text * size)[:size]))) <= 4096


def test_what_is_no_record_is_an_error() -> None:
    with pytest.raises(ValueError):
        list(Unpacker().feed(b"garbage, and more than a header of it"))


@pytest.mark.parametrize("size", [None, (640, 480)])
def test_a_request_survives_its_line(size: tuple[int, int] | None) -> None:
    request = Request(CameraSpec("front", "rtsp", "rtsp://u:p@h/é\n"), size, 29.97)
    line = request.to_line()
    assert line.count(b"\n") == 1
    assert Request.from_line(line) == request
