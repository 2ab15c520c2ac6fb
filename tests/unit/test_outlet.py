"""From frame to encoder: numbers, strip, clock, orientation, slates, copies."""

from __future__ import annotations

import time

import numpy as np

from zlfeed import timecode
from zlfeed.publisher.camera import FrameInfo
from zlfeed.publisher.picture.i420 import Plane
from zlfeed.publisher.picture.outlet import Look, Outlet, Picture

PLAIN = Look(timecode=False, overlay=False)


class Sink:
    """An encoder that keeps what it gets."""

    def __init__(self, width: int, height: int, *, busy: bool = False) -> None:
        self.size = (width, height)
        self.busy = busy
        self.frames: list[tuple[Plane, FrameInfo]] = []

    def write(self, raw: Plane, frame: FrameInfo, timeout_s: float) -> bool:
        assert raw.shape == (self.size[1] * 3 // 2, self.size[0])
        if not self.busy:
            self.frames.append((raw.copy(), frame))
        return not self.busy


def raw(width: int = 320, height: int = 240, luma: int = 180) -> Plane:
    return np.full((height * 3 // 2, width), luma, np.uint8)


def frame(seq: int) -> FrameInfo:
    return FrameInfo(seq, 1_700_000_000_000_000 + seq, seq)


def test_numbers_go_on_over_restarts_and_slates_and_leave_gaps_for_what_was_passed_over() -> None:
    sink = Sink(320, 240)
    outlet = Outlet("front", lambda: sink)
    for seq in (0, 1, 4):
        outlet.show(raw(), frame(seq), PLAIN)
    outlet.show_slate("NO SIGNAL", ["front"], PLAIN)
    outlet.begin()
    for seq in (0, 1):
        outlet.show(raw(), frame(seq), PLAIN)
    assert [info.seq for _, info in sink.frames] == [0, 1, 4, 5, 6, 7]


def test_strip_and_clock_are_drawn_as_asked() -> None:
    sink = Sink(640, 480)
    outlet = Outlet("front", lambda: sink)
    for look in (PLAIN, Look(overlay=False), Look(timecode=False), Look()):
        outlet.show(raw(640, 480), frame(7), look)
    plain, strip, clock, both = (picture[:480] for picture, _ in sink.frames)
    assert (plain == 180).all()
    assert timecode.read(plain) is None
    for picture in (strip, both):
        code = timecode.read(picture)
        assert code is not None
        assert code.time_us == frame(7).captured_us % (1 << 48)
    assert timecode.read(clock) is None
    assert (clock != 180).any()
    assert (both[16:100] != strip[16:100]).any()


def test_a_frame_is_turned_before_it_is_written_on() -> None:
    sink = Sink(480, 640)
    outlet = Outlet("front", lambda: sink)
    outlet.show(raw(640, 480), frame(1), Look(orientation="rotate-90"))
    assert outlet.turned == "rotate-90"
    assert timecode.read(sink.frames[0][0][:640]) is not None


def test_until_an_encoder_takes_the_turned_size_frames_are_as_before() -> None:
    sinks = [Sink(320, 240)]
    outlet = Outlet("front", lambda: sinks[-1])
    look = Look(timecode=False, overlay=False, orientation="rotate-90")
    outlet.show(raw(), frame(0), look)
    assert (len(sinks[0].frames), outlet.turned) == (1, "normal")
    sinks.append(Sink(240, 320))
    outlet.show(raw(), frame(1), look)
    assert (len(sinks[1].frames), outlet.turned) == (1, "rotate-90")
    assert outlet.dropped == {"encoder_busy": 0, "no_encoder": 0}


def test_what_no_encoder_takes_is_counted() -> None:
    sinks: list[Sink | None] = [None]
    outlet = Outlet("front", lambda: sinks[-1])
    outlet.show(raw(), frame(0), PLAIN)
    outlet.show_slate("NO SIGNAL", [], PLAIN)
    sinks.append(Sink(640, 480))
    outlet.show(raw(), frame(1), PLAIN)
    sinks.append(Sink(320, 240, busy=True))
    outlet.show(raw(), frame(2), PLAIN)
    assert outlet.dropped == {"encoder_busy": 1, "no_encoder": 3}


def test_a_slate_has_the_size_of_the_encoder_and_the_time_of_now() -> None:
    sinks = [Sink(320, 240)]
    outlet = Outlet("front", lambda: sinks[-1])
    before = time.time_ns() // 1000
    outlet.show_slate("PRIVATE", ["front"], Look())
    sinks.append(Sink(240, 320))
    outlet.show_slate("PRIVATE", ["front"], Look())
    for sink in sinks:
        _, info = sink.frames[0]
        assert before <= info.captured_us <= time.time_ns() // 1000
    code = timecode.read(sinks[0].frames[0][0][:240])
    assert code is not None
    assert code.frame == 0


def test_a_slate_is_clean_each_time() -> None:
    sink = Sink(640, 480)
    outlet = Outlet("front", lambda: sink)
    for look in (Look(), PLAIN, PLAIN):
        outlet.show_slate("PRIVATE", ["front"], look)
    np.testing.assert_array_equal(sink.frames[1][0], sink.frames[2][0])
    assert timecode.read(sink.frames[1][0][:480]) is None
    outlet.show_slate("NO SIGNAL", ["front"], PLAIN)
    assert (sink.frames[3][0] != sink.frames[2][0]).any()


def test_who_asks_gets_a_copy_of_the_next_picture_once() -> None:
    sink = Sink(320, 240)
    outlet = Outlet("front", lambda: sink)
    got: list[Picture] = []
    outlet.show(raw(luma=10), frame(0), PLAIN)
    outlet.ask(got.append)
    outlet.ask(got.append)
    source = raw(luma=20)
    outlet.show(source, frame(1), PLAIN)
    source[:] = 99
    outlet.show(raw(luma=30), frame(2), PLAIN)
    assert [(int(picture.raw[0, 0]), picture.captured_us) for picture in got] == [(20, frame(1).captured_us)] * 2


def test_those_who_ask_a_camera_without_pictures_do_not_pile_up() -> None:
    outlet = Outlet("front", lambda: None)
    got: list[Picture] = []
    for _ in range(1000):
        outlet.ask(got.append)
    assert len(outlet._asking) < 100
