"""The words about the stream, in the header, the banner and the status line."""

from __future__ import annotations

import pytest

from zlfeed.model import Latency
from zlfeed.receiver.figures import Figures
from zlfeed.receiver.report import second_words, summary_words
from zlfeed.receiver.state import Connection, ago, state_of

URL = "rtsp://h:8554/zerolatency"
NOW = 100_000_000


def test_a_stream_that_gives_pictures_is_live() -> None:
    state = state_of(Connection("live", 0), URL, NOW - 30_000, "live", NOW)
    assert (state.code, state.words, state.level, state.banner) == ("live", "live", "good", ())
    assert state_of(Connection("live", 0), URL, NOW, None, NOW).level == "good"


def test_what_the_publisher_says_of_its_camera_is_shown() -> None:
    state = state_of(Connection("live", 0), URL, NOW, "no_signal", NOW)
    assert (state.words, state.level, state.banner) == ("no signal", "warning", ())


def test_silence_on_an_open_stream_is_said() -> None:
    state = state_of(Connection("live", 0), URL, NOW - 1_700_000, "live", NOW)
    assert (state.code, state.level) == ("live", "warning")
    assert state.banner == ("no picture for 1.7 s",)


def test_a_lost_stream_says_when_the_next_attempt_is_and_how_old_the_picture() -> None:
    connection = Connection("reconnecting", 3, "nothing listens there", NOW + 1_200_000)
    state = state_of(connection, URL, NOW - 4_000_000, None, NOW)
    assert state.banner == (
        "reconnecting, attempt 3, next try in 1.2 s",
        "last picture 4.0 s ago",
        "nothing listens there",
    )
    assert (state.words, state.level) == ("reconnecting, attempt 3", "bad")


def test_the_first_attempt_names_the_url() -> None:
    state = state_of(Connection(), URL, None, None, NOW)
    assert (state.words, state.banner) == ("connecting", (f"connecting to {URL}",))


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0.0 s"), (9.94, "9.9 s"), (12, "12 s"), (119, "119 s"), (600, "10 min"), (9000, "2 h")]
)
def test_ages_have_one_unit(seconds: float, words: str) -> None:
    assert ago(round(seconds * 1e6)) == words


def _figures(**changes: object) -> Figures:
    fields: dict[str, object] = {
        "frames": 30,
        "fps": 29.98,
        "latency_ms": Latency(4.21, 6.0, 7.0, 8.04),
        "latency_error_ms": 0.04,
        "clock_offset_ms": 1.0,
        "clock_error_ms": 0.04,
        "first_picture_ms": 31.2,
        "live_ms": 42.0,
        "missed": 1,
        "unread_timecodes": 0,
        "longest_freeze_ms": 40.0,
        "reconnects": 1,
        "width": 640,
        "height": 480,
        "backend": "FFMPEG",
        **changes,
    }
    return Figures(**fields)  # type: ignore[arg-type]


def test_a_second_begins_with_what_matters_most() -> None:
    live = state_of(Connection("live", 0), URL, NOW, None, NOW)
    assert second_words(_figures(), live) == [
        "live",
        "latency 4.2 ±0.1 ms",
        "30.0 fps",
        "missed 1",
        "p95 6.0, p99 7.0, max 8.0",
        "640×480",
    ]
    assert "latency unknown" in second_words(_figures(latency_ms=None, latency_error_ms=None), live)
    waiting = state_of(Connection("connecting", 2, "nothing listens there", NOW + 500_000), URL, None, None, NOW)
    assert second_words(_figures(frames=0), waiting) == [
        "connecting, attempt 2, next try in 0.5 s, nothing listens there"
    ]


def test_the_summary_has_no_figure_that_was_not_measured() -> None:
    lines = summary_words(_figures(latency_ms=None, live_ms=None, unread_timecodes=3), {})
    assert lines[0] == "30 pictures, 30.0 fps, 1 missed, 1 reconnect, longest freeze 40 ms"
    assert lines[1:] == [
        "latency unknown",
        "first picture after 31 ms, live after – ms",
        "3 pictures without a readable timecode",
    ]
    assert summary_words(_figures(frames=0), {}) == ["no picture was received"]
    saved = {"saved": "a.mp4", "saved_pictures": 30, "save_dropped": 2, "save_error": None}
    assert summary_words(_figures(), saved)[-1] == "30 pictures saved in a.mp4, 2 dropped"
