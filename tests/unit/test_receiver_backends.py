"""Which backends are tried, with what options; no secret beyond what is opened."""

from __future__ import annotations

import pytest

from zlfeed.errors import UsageError
from zlfeed.receiver import backends
from zlfeed.receiver.target import Target, parse


def _target(text: str) -> Target:
    return parse(text, rtsp_port=8554, stream_name="zerolatency")


def test_backends_come_in_order_and_those_lacking_get_a_word() -> None:
    plan = backends.plan("auto", _target("h"), lambda name: name != "gstreamer")
    assert plan.backends == ("ffmpeg", "any")
    assert plan.passed_over == (
        "gstreamer is not in this build of OpenCV",
        "v4l2 opens devices, not rtsp:// URLs",
    )
    assert backends.plan("auto", _target("h"), lambda _name: True).backends == ("ffmpeg", "gstreamer", "any")


def test_a_backend_that_is_named_is_the_only_one() -> None:
    assert backends.plan("gstreamer", _target("h"), lambda _name: True) == backends.Plan(("gstreamer",), ())
    assert backends.plan("any", _target("h"), lambda _name: False) == backends.Plan(("any",), ())


@pytest.mark.parametrize(("name", "words"), [("gstreamer", "not in this build"), ("v4l2", "opens devices")])
def test_a_backend_that_cannot_do_it_is_refused(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        backends.plan(name, _target("h"), lambda _name: False)


def test_ffmpeg_neither_probes_nor_reorders_and_buffers_for_no_keyframe() -> None:
    options = backends.ffmpeg_options(_target("h"), "udp").split("|")
    assert "rtsp_transport;udp" in options
    assert "probesize;32" in options
    assert not any("nobuffer" in option for option in options)
    assert backends.ffmpeg_options(_target("http://h/x.m3u8"), "tcp") == ""


def test_one_decoder_thread_and_both_time_outs() -> None:
    assert backends.parameters("ffmpeg", 2000) == {
        "CAP_PROP_OPEN_TIMEOUT_MSEC": 2000,
        "CAP_PROP_READ_TIMEOUT_MSEC": 2000,
        "CAP_PROP_N_THREADS": 1,
    }
    assert "CAP_PROP_N_THREADS" not in backends.parameters("gstreamer", 2000)


def test_gstreamer_gets_a_pipeline_without_a_buffer() -> None:
    target = _target("h").with_token("secret-1")
    pipeline = backends.source("gstreamer", target, "tcp")
    assert 'location="rtsp://viewer:secret-1@h:8554/zerolatency" latency=0 protocols=tcp' in pipeline
    assert "sync=false drop=true" in pipeline
    assert backends.source("ffmpeg", target, "tcp") == target.secret_url()
